// Which question to the database comes next: one bound for all tables that lack it, then the tables in turn. Bounds what is in
// flight.

import type { WholePass } from './pass.ts';
import { isWholeRead, type KeysFlight, type RangeFlight } from './ranges.ts';
import type { TableRun } from './table-run.ts';
import type { RangeJob, SnapshotJob, SnapshotLimits } from './types.ts';

/** Cuts asked for at once, as a multiple of the ranges read at the same time. */
const CUTS_AHEAD = 4;
/** A range between two cuts had so many rows when they were asked for. Who stops there would read what is left, mostly nothing. */
const CUT_SLACK = 2;
const UNBOUNDED = { maxRows: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

export class JobPlanner<Row, Id, Seen, Bound> {
  readonly #tables: ReadonlyMap<string, TableRun<Row, Id, Seen, Bound>>;
  readonly #pass: WholePass<Row, Id, Seen, Bound>;
  readonly #limits: SnapshotLimits;
  #turn = 0;
  /** Number of the last job: later ones see all that is visible now. */
  last = 0;
  boundAttempts = 0;

  constructor(tables: ReadonlyMap<string, TableRun<Row, Id, Seen, Bound>>, pass: WholePass<Row, Id, Seen, Bound>, limits: SnapshotLimits) {
    this.#tables = tables;
    this.#pass = pass;
    this.#limits = limits;
  }

  next(): SnapshotJob | null {
    const running = [...this.#tables.values()].filter((t) => t.isRunning && !t.isPaused),
      unbound = running.filter((t) => t.bound === null && t.boundJob === 0);
    if (unbound.length > 0) {
      const id = ++this.last;
      for (const t of unbound) t.boundJob = id;
      return { kind: 'bound', id, attempt: this.boundAttempts };
    }
    const keyless = running.filter((t) => !t.keyed);
    return this.#pass.next(keyless, () => ++this.last) ?? this.#inTurn();
  }

  /** Counted over all tables, so that small ones come in their order when those before them are done. */
  #inTurn(): SnapshotJob | null {
    const tables = [...this.#tables.values()];
    for (let i = 0; i < tables.length; i++) {
      const at = (this.#turn + i) % tables.length,
        t = tables[at] as TableRun<Row, Id, Seen, Bound>;
      const isReady = t.isRunning && !t.isPaused && t.keyed && t.bound !== null,
        job = isReady ? this.#jobOf(t) : null;
      if (job === null) continue;
      this.#turn = at + 1;
      return job;
    }
    return null;
  }

  #jobOf(t: TableRun<Row, Id, Seen, Bound>): SnapshotJob | null {
    const { table, where } = t,
      keys = t.nextKeys();
    if (keys !== null && this.#hasRoom(t, keys)) {
      return { kind: 'keys', id: this.#fly(keys), attempt: keys.attempt, table, where, keys: keys.keys };
    }
    const isTurnOfKeys = t.isEnd || t.list.size >= this.#limits.keysWaiting;
    if (t.boundary === null && isTurnOfKeys && t.ranges.flights.length === 0) return null;
    return this.#hasRoom(t, null) ? this.#rangeOf(t) : null;
  }

  #rangeOf(t: TableRun<Row, Id, Seen, Bound>): SnapshotJob | null {
    const { table, where } = t;
    const flight = t.ranges.next({ lastKey: t.lastKey, boundary: t.boundary });
    if (flight === null) return null;
    if (flight === 'cut') {
      t.ranges.asksForCuts();
      const count = CUTS_AHEAD * this.#limits.flightsPerTable;
      return { kind: 'split', id: ++this.last, attempt: 0, table, where, after: t.ranges.tailKey(t.lastKey), rows: t.sizer.rows, count };
    }
    // The last chunk before a boundary takes all that is left: there is no other number for it.
    const isLast = flight.boundary !== null && flight.boundary.chunk === t.chunk + 1;
    const size = isLast ? UNBOUNDED : this.#sizeOf(t, flight);
    const { after, upTo, attempt } = flight;
    return { kind: 'range', id: this.#fly(flight), attempt, table, where, after, upTo, ...size };
  }

  #sizeOf(t: TableRun<Row, Id, Seen, Bound>, { boundary, upTo }: RangeFlight<Row, Seen>): Pick<RangeJob, 'maxRows' | 'maxBytes'> {
    const { chunkBytes, batchRows, batchBytes } = this.#limits,
      { rows } = t.sizer;
    if (boundary === null) return { maxRows: upTo === null ? rows : rows * CUT_SLACK, maxBytes: chunkBytes };
    return { maxRows: Math.min(rows, batchRows), maxBytes: Math.min(chunkBytes, batchBytes) };
  }

  /** Invariant 5. A read that others of its table wait behind is always let through. */
  #hasRoom(t: TableRun<Row, Id, Seen, Bound>, keys: KeysFlight<Row, Seen> | null): boolean {
    const flying = [...this.#tables.values()].reduce((n, other) => n + other.flights.filter(isWholeRead).length, 0);
    const isHead = keys === null && t.ranges.flights[0]?.state === 'planned' && t.ranges.flights.length > 1;
    return flying < this.#limits.flights || isHead;
  }

  #fly(flight: RangeFlight<Row, Seen> | KeysFlight<Row, Seen>): number {
    flight.state = 'reading';
    flight.job = ++this.last;
    return flight.job;
  }
}
