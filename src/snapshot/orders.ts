// What operators asked of snapshots (`cdc-run snapshot`), kept in the store of the source until every destination that counts
// has been told. Applied only between two transactions of the stream.
//
// | step | a crash behind it |
// |---|---|
// | stored | the next start takes it up |
// | applied: the run begins, is told at a place that nobody has yet | it begins once more, under another name |
// | that place is acknowledged | destinations have it with their points; the order is removed |

import { CdcError, type Logger, type PluginStore, type Position, type SnapshotAction } from '../sdk/index.ts';
import type { RequestOutcome } from './engine.ts';

const KEY = 'snapshot_orders';
/** Orders that nobody was told of: more means that something else is wrong. */
const MAX_PENDING = 1000;

/** The part of the snapshot engine that orders are given to. */
export interface OrderTaker {
  request(tables: readonly string[], where: string | null): ReadonlyMap<string, RequestOutcome>;
  skip(table: string): void;
  pause(table: string): void;
  unpause(table: string): void;
}

interface Order {
  readonly id: string;
  readonly action: 'begin' | 'skip';
  readonly table: string;
  readonly where: string | null;
}

interface Stored {
  readonly pending: readonly Order[];
  readonly paused: readonly string[];
}

export interface OrderRequest {
  readonly id: string;
  readonly action: SnapshotAction;
  readonly tables: readonly string[];
  readonly where: string | null;
}

/** `new` → `applied` (waits to be told) → told at a place. */
type Stage = 'new' | 'applied' | { readonly place: Position };

export class SnapshotOrders {
  readonly #store: PluginStore;
  readonly #logger: Logger;
  /** In the order in which they were given. */
  #pending: readonly Order[];
  #paused: ReadonlySet<string>;
  readonly #stages = new Map<Order, Stage>();
  /** Pauses and their ends since the last `apply`. */
  #turned: { readonly table: string; readonly isPaused: boolean }[] = [];
  /** Writes of the store come one after the other. */
  #writing: Promise<unknown> = Promise.resolve();
  /** Told when there is something to apply; `null`: nobody reads. */
  onNew: (() => void) | null = null;

  private constructor(store: PluginStore, logger: Logger, { pending, paused }: Stored) {
    this.#store = store;
    this.#logger = logger;
    this.#pending = pending;
    this.#paused = new Set(paused);
  }

  static async load(store: PluginStore, logger: Logger): Promise<SnapshotOrders> {
    const bytes = await store.get(KEY);
    const stored = bytes === null ? { pending: [], paused: [] } : (JSON.parse(Buffer.from(bytes).toString()) as Stored);
    return new SnapshotOrders(store, logger, stored);
  }

  get paused(): ReadonlySet<string> {
    return this.#paused;
  }
  /** There is something to apply. */
  get hasWork(): boolean {
    return this.#turned.length > 0 || this.#pending.some((o) => this.#stageOf(o) === 'new');
  }

  /** What was asked of all rows of a table, and destinations have not been told of yet; the newest last. */
  of(table: string): readonly { readonly id: string; readonly action: 'begin' | 'skip' }[] {
    return this.#pending.filter((o) => o.table === table && o.where === null);
  }

  /** Tables that the next `apply` begins a run of. */
  get beginning(): readonly string[] {
    return this.#pending.filter((o) => o.action === 'begin' && this.#stageOf(o) === 'new').map((o) => o.table);
  }
  /** Tables of which somebody is still to be told. */
  get ordered(): ReadonlySet<string> {
    return new Set(this.#pending.filter((o) => o.action === 'begin').map((o) => o.table));
  }

  /** Resolves once it is durable. */
  add({ id, action, tables, where }: OrderRequest): Promise<void> {
    return this.#exclusive(async () => {
      if (action === 'pause' || action === 'resume') return this.#turn(tables, action === 'pause');
      const known = new Set(this.#pending.filter((o) => o.id === id).map((o) => o.table)),
        fresh = tables.filter((t) => !known.has(t)).map((table): Order => ({ id, action, table, where }));
      if (this.#pending.length + fresh.length > MAX_PENDING) throw tooMany();
      await this.#turn(tables, false, [...this.#pending, ...fresh]);
    });
  }

  /** A reading begins behind `from`: what was told there or before need not be begun again. */
  begin(from: Position): void {
    for (const order of this.#pending) {
      const stage = this.#stageOf(order);
      if (typeof stage === 'string' || stage.place > from) this.#stages.set(order, 'new');
    }
    this.#turned = [...this.#paused].map((table) => ({ table, isPaused: true }));
  }

  /** Between two transactions. */
  apply(engine: OrderTaker): void {
    for (const order of this.#pending.filter((o) => this.#stageOf(o) === 'new')) {
      if (order.action === 'skip') engine.skip(order.table);
      else if (!this.#isBegun(engine, order)) continue;
      this.#stages.set(order, 'applied');
    }
    for (const { table, isPaused } of this.#turned) {
      if (isPaused) engine.pause(table);
      else engine.unpause(table);
    }
    this.#turned = [];
  }

  /** Whatever has been applied is told with the batch of this place. */
  told(place: Position): void {
    for (const order of this.#pending) if (this.#stageOf(order) === 'applied') this.#stages.set(order, { place });
  }

  /** Destinations have everything up to here. */
  async acknowledged(upTo: Position): Promise<void> {
    if (!this.#pending.some((o) => this.#isDone(o, upTo))) return;
    await this.#exclusive(async () => {
      await this.#save(
        this.#pending.filter((o) => !this.#isDone(o, upTo)),
        this.#paused,
      );
    });
  }

  #isDone(order: Order, upTo: Position): boolean {
    const stage = this.#stageOf(order);
    return typeof stage !== 'string' && stage.place <= upTo;
  }

  /** `false`: a run of all rows is under way, and must not be cut short by one of a few. */
  #isBegun(engine: OrderTaker, { table, where }: Order): boolean {
    const outcome = engine.request([table], where).get(table);
    if (outcome === 'no_such_table') this.#logger.warn('a snapshot was asked for of a table that is not captured any more', { table });
    return outcome !== 'unfinished';
  }

  async #turn(tables: readonly string[], isPaused: boolean, pending = this.#pending): Promise<void> {
    const paused = new Set(this.#paused);
    for (const table of tables) {
      if (isPaused) paused.add(table);
      else paused.delete(table);
    }
    await this.#save(pending, paused);
    this.#turned.push(...tables.map((table) => ({ table, isPaused })));
    this.onNew?.();
  }

  /** What is in memory follows what is stored, never the other way round. */
  async #save(pending: readonly Order[], paused: ReadonlySet<string>): Promise<void> {
    await this.#store.set(KEY, Buffer.from(JSON.stringify({ pending, paused: [...paused].sort() } satisfies Stored)));
    for (const order of this.#pending) if (!pending.includes(order)) this.#stages.delete(order);
    this.#pending = pending;
    this.#paused = paused;
  }

  #stageOf(order: Order): Stage {
    return this.#stages.get(order) ?? 'new';
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#writing.then(work);
    this.#writing = next.catch(() => undefined);
    return next;
  }
}

function tooMany(): CdcError {
  return new CdcError('SOURCE_SNAPSHOT_REFUSED', `More than ${MAX_PENDING} requests wait for destinations to be told of them.`, {
    fix: 'Find out with `cdc-run status` why destinations do not get on.',
    retriable: true,
  });
}
