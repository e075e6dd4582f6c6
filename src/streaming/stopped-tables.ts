// Tables that are not followed any more, because something of their log could not be read: kept in the store of the source with the place
// and the reason. Their changes do not go out until an operator has their rows read again, which replaces all that was missed.
//
// | step | a crash behind it |
// |---|---|
// | stopped, behind its dead letter | it stays stopped |
// | followed again, before the run that reads its rows is told | the order is still there: what is at destinations goes, and the run begins, once more |
// | the place where that was told is acknowledged | destinations have it; the entry is removed |

import type { PluginStore, Position } from '../sdk/index.ts';

const KEY = 'stopped_tables';

interface Stop {
  readonly reason: string;
  readonly at: string;
  /** Its changes go out again; that all its rows are read again must still reach the destinations. */
  readonly isFollowed: boolean;
}

type Stored = { readonly [table: string]: Stop };

export class StoppedTables {
  readonly #store: PluginStore;
  readonly #stops: Map<string, Stop>;
  /** Where it was told that a table's rows are read again. */
  readonly #told = new Map<string, Position>();
  /** Grows with each change: what was decided by what is stopped must be decided again. */
  version = 0;

  private constructor(store: PluginStore, stops: Map<string, Stop>) {
    this.#store = store;
    this.#stops = stops;
  }

  static async load(store: PluginStore): Promise<StoppedTables> {
    const bytes = await store.get(KEY),
      stored = bytes === null ? {} : (JSON.parse(Buffer.from(bytes).toString()) as Stored);
    return new StoppedTables(store, new Map(Object.entries(stored)));
  }

  has(table: string): boolean {
    return this.#stops.get(table)?.isFollowed === false;
  }

  /** `null`: it is followed. */
  reasonOf(table: string): string | null {
    const stop = this.#stops.get(table);
    return stop === undefined || stop.isFollowed ? null : `stopped at ${stop.at}: ${stop.reason}`;
  }

  names(): readonly string[] {
    return [...this.#stops.keys()].filter((table) => this.has(table));
  }

  /** Durable once it resolves. */
  async stop(table: string, at: string, reason: string): Promise<void> {
    this.#told.delete(table);
    this.#stops.set(table, { reason, at, isFollowed: false });
    await this.#save();
  }

  /** Rows of the table are about to be read again. `false`: nothing of it was missed. Durable once it resolves. */
  async follow(table: string): Promise<boolean> {
    const stop = this.#stops.get(table);
    if (stop === undefined) return false;
    this.#told.delete(table);
    this.#stops.set(table, { ...stop, isFollowed: true });
    await this.#save();
    return true;
  }

  /** With the batch of this place it was told that these tables are read again. */
  told(tables: readonly string[], place: Position): void {
    for (const table of tables) if (this.#stops.get(table)?.isFollowed === true) this.#told.set(table, place);
  }

  /** Destinations have everything up to here. */
  async acknowledged(isCovered: (place: Position) => boolean): Promise<void> {
    await this.#remove([...this.#told].filter(([, place]) => isCovered(place)).map(([table]) => table));
  }

  /** A reading begins: tables that are followed again and that no order waits for are done. */
  async settle(ordered: ReadonlySet<string>): Promise<void> {
    await this.#remove([...this.#stops].filter(([table, { isFollowed }]) => isFollowed && !ordered.has(table)).map(([table]) => table));
  }

  /** Everything is read anew. */
  async clear(): Promise<void> {
    await this.#remove([...this.#stops.keys()]);
  }

  async #remove(tables: readonly string[]): Promise<void> {
    if (tables.length === 0) return;
    for (const table of tables) {
      this.#stops.delete(table);
      this.#told.delete(table);
    }
    await this.#save();
  }

  async #save(): Promise<void> {
    this.version++;
    await this.#store.set(KEY, Buffer.from(JSON.stringify(Object.fromEntries(this.#stops) satisfies Stored)));
  }
}
