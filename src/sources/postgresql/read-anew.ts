// Tables of which changes are missing are read anew: behind everything that the log has of the time before, the rows of before are
// taken away at the destinations, and all rows are asked for again. Rows that were deleted meanwhile must not stay there.

import type { ChangeBatch } from '../../sdk/index.ts';
import type { SnapshotOrders } from '../../snapshot/orders.ts';
import type { Publishing } from './publishing.ts';
import type { StreamPlace } from './snapshots.ts';

export interface ReadAnewOptions {
  readonly publishing: Publishing;
  readonly orders: SnapshotOrders;
  /** What this reading asks for has names of its own: the same again, of an earlier one, would not begin anything. */
  newId(): string;
  /** Takes its rows away, and moves the stream's place; `null`: the table is gone. */
  truncate(table: string, stream: StreamPlace): Promise<readonly ChangeBatch[] | null>;
}

export class ReadAnew {
  readonly #o: ReadAnewOptions;
  readonly #waiting: Map<string, bigint>;
  #reached = 0n;

  constructor(options: ReadAnewOptions) {
    this.#o = options;
    this.#waiting = new Map(options.publishing.anew);
  }

  get isDone(): boolean {
    return this.#waiting.size === 0;
  }

  /** The stream has passed everything up to here. */
  reached(lsn: bigint): void {
    if (this.#waiting.size > 0 && lsn > this.#reached) this.#reached = lsn;
  }

  get hasDue(): boolean {
    if (this.#waiting.size === 0) return false;
    for (const at of this.#waiting.values()) if (at <= this.#reached) return true;
    return false;
  }

  /** Between two transactions, with everything handed over. What was asked for is then among the orders. */
  async *due(stream: StreamPlace): AsyncGenerator<ChangeBatch, void, undefined> {
    for (const [table, at] of this.#waiting) {
      if (at > this.#reached) continue;
      this.#waiting.delete(table);
      const batches = await this.#o.truncate(table, stream);
      if (batches === null) continue;
      // Before destinations are told that the rows are gone: then new ones come for certain.
      await this.#o.orders.add({ id: this.#o.newId(), action: 'begin', tables: [table], where: null });
      this.#o.publishing.isEmptied(table, stream.place);
      yield* batches;
    }
  }
}
