// A stateful transformer: collects events of a table per window of event time and emits the count when the window closes.

import type { ChangeEvent, StatefulTransformer, TableSchema } from '../../index.ts';

/** One row per partition and window: `ids` lists what was counted, so that a test sees each loss and each double. */
export const WINDOWS: TableSchema = {
  id: { database: null, schema: null, table: 'windows' },
  columns: [
    { name: 'id', type: 'string', nativeType: 'text', nullable: false },
    { name: 'ids', type: 'string', nativeType: 'text', nullable: false },
  ],
  key: ['id'],
  version: 1,
};

interface OpenWindow {
  readonly n: number;
  readonly ids: string[];
}

export interface FakeWindowOptions {
  /** Which events are held; all others pass. Those of table `counted` unless given. */
  readonly takes?: (event: ChangeEvent) => boolean;
  readonly lengthMs?: number;
  /** What stands for an event in `ids`. */
  readonly idOf?: (event: ChangeEvent) => string;
}

export class FakeWindow implements StatefulTransformer {
  readonly #takes: (event: ChangeEvent) => boolean;
  readonly #lengthMs: number;
  readonly #idOf: (event: ChangeEvent) => string;
  /** Per partition. Event time grows within a partition only. */
  #open = new Map<string, OpenWindow>();
  /** The last event of each partition: an output is made from the event that closes it. */
  readonly #last = new Map<string, ChangeEvent>();

  constructor(options: FakeWindowOptions = {}) {
    this.#takes = options.takes ?? ((e): boolean => e.table.id.table === 'counted');
    this.#lengthMs = options.lengthMs ?? 3000;
    this.#idOf = options.idOf ?? ((e): string => e.position);
  }

  /** What is held, for tests. */
  get held(): readonly string[] {
    return [...this.#open.values()].flatMap((w) => w.ids);
  }

  transform(events: ChangeEvent[]): ChangeEvent[] {
    const out: ChangeEvent[] = [];
    for (const event of events) {
      const n = Math.floor(event.sourceTsMs / this.#lengthMs),
        open = this.#open.get(event.partition);
      this.#last.set(event.partition, event);
      if (open !== undefined && open.n < n) {
        out.push(this.#output(event, open));
        this.#open.delete(event.partition);
      }
      if (this.#takes(event)) this.#take(event, n);
      else out.push(event);
    }
    return out;
  }

  save(): Uint8Array {
    return Buffer.from(JSON.stringify([...this.#open]));
  }
  restore(state: Uint8Array): void {
    this.#open = new Map(JSON.parse(Buffer.from(state).toString()) as [string, OpenWindow][]);
  }

  /** By event time nothing is due between batches: `transform` has closed it. */
  flush(reason: 'event_time' | 'idle' | 'end'): ChangeEvent[] {
    if (reason === 'event_time') return [];
    const out: ChangeEvent[] = [];
    for (const [partition, open] of this.#open) {
      const last = this.#last.get(partition);
      if (last === undefined) continue;
      out.push(this.#output(last, open));
      this.#open.delete(partition);
    }
    return out;
  }

  #take(event: ChangeEvent, n: number): void {
    const open = this.#open.get(event.partition) ?? { n, ids: [] };
    open.ids.push(this.#idOf(event));
    this.#open.set(event.partition, open);
  }

  #output(trigger: ChangeEvent, { n, ids }: OpenWindow): ChangeEvent {
    const id = `${trigger.partition}.${n}`;
    return trigger.copy({ op: 'c', table: WINDOWS, before: null, after: { id, ids: ids.join() }, key: { id }, incomplete: false });
  }
}
