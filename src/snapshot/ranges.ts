// The ranges of one table that are read at the same time, in key order: each is emitted only after the one before it, so that
// one last key says how far the table is. Keys are never compared here; cuts come from the database, or from what was read.
//
// A read may be larger than a batch, since each costs the database a transaction. Then it becomes several ranges with one S and
// one H, each with its own last key: from there on they are ranges like others, and go out, are stored or are read again one
// by one.

import { CdcError, type SnapshotProgress } from '../sdk/index.ts';
import type { ChunkRead, SnapshotLimits } from './types.ts';

/** A read that is planned, under way, or waiting for its place in the stream. */
export interface Flight<Row, Seen> {
  state: 'planned' | 'reading' | 'read';
  /** The job that reads it. Later jobs see more. */
  job: number;
  attempt: number;
  read: ChunkRead<Row, Seen> | null;
}

export interface RangeFlight<Row, Seen> extends Flight<Row, Seen> {
  readonly kind: 'range';
  readonly after: string | null;
  /** `null`: to the end of the table. */
  upTo: string | null;
  /** The end of a chunk of another lane, which this one must reach or stay below. */
  readonly boundary: SnapshotProgress | null;
  /** Its rows in `read`. */
  from: number;
  to: number;
  bytes: number;
  /** More of the same read follows. */
  hasMore: boolean;
}

export interface KeysFlight<Row, Seen> extends Flight<Row, Seen> {
  readonly kind: 'keys';
  readonly keys: readonly string[];
}

export interface Frontier {
  readonly lastKey: string | null;
  readonly boundary: SnapshotProgress | null;
}

export function newFlight(): { state: 'planned'; job: number; attempt: number; read: null } {
  return { state: 'planned', job: 0, attempt: 0, read: null };
}

function newRange<Row, Seen>(after: string | null, upTo: string | null, boundary: SnapshotProgress | null = null): RangeFlight<Row, Seen> {
  return { ...newFlight(), kind: 'range', after, upTo, boundary, from: 0, to: 0, bytes: 0, hasMore: false };
}

/** To be read again, with a new S. */
export function putBack<Row, Seen>(flight: RangeFlight<Row, Seen> | KeysFlight<Row, Seen>): void {
  flight.state = 'planned';
  flight.job = 0;
  flight.read = null;
  if (flight.kind === 'range') flight.hasMore = false;
}
/** The same, because it was of no use. */
export function putBackTried<Row, Seen>(flight: RangeFlight<Row, Seen> | KeysFlight<Row, Seen>): void {
  putBack(flight);
  flight.attempt++;
}

/** Does it take the room of a read? */
export function isWholeRead<Row, Seen>(flight: RangeFlight<Row, Seen> | KeysFlight<Row, Seen>): boolean {
  return flight.state !== 'planned' && !(flight.kind === 'range' && flight.hasMore);
}

export class Ranges<Row, Seen> {
  readonly flights: RangeFlight<Row, Seen>[] = [];
  readonly #limits: SnapshotLimits;
  #cuts: string[] = [];
  #cutting: 'unknown' | 'asked' | 'none' = 'unknown';

  constructor(limits: SnapshotLimits) {
    this.#limits = limits;
  }

  /** The next range to read; `cut`: ask where to cut first; `null`: wait. */
  next({ lastKey, boundary }: Frontier): RangeFlight<Row, Seen> | 'cut' | null {
    const planned = this.flights.find((f) => f.state === 'planned');
    if (planned !== undefined) return planned;
    const tail = this.flights.at(-1),
      { flightsPerTable } = this.#limits;
    if (boundary !== null) return tail === undefined ? this.#plan(newRange(lastKey, boundary.lastKey, boundary)) : null;
    if (this.flights.filter(isWholeRead).length >= flightsPerTable || (tail !== undefined && tail.upTo === null)) return null;
    if (flightsPerTable > 1 && this.#cuts.length < flightsPerTable) {
      // Before they run out, so that nobody waits for the next ones.
      if (this.#cutting === 'unknown') return 'cut';
      if (this.#cutting === 'asked' && this.#cuts.length === 0) return null;
    }
    return this.#plan(newRange(tail?.upTo ?? lastKey, this.#cuts.shift() ?? null));
  }

  /** Behind which key cuts are asked for. */
  tailKey(lastKey: string | null): string | null {
    return this.#cuts.at(-1) ?? this.flights.at(-1)?.upTo ?? lastKey;
  }

  asksForCuts(): void {
    this.#cutting = 'asked';
  }
  /** `null`: ask again. */
  setCuts(cuts: readonly string[] | null): void {
    if (this.#cutting !== 'asked') return;
    this.#cuts.push(...(cuts ?? []));
    this.#cutting = cuts !== null && cuts.length === 0 ? 'none' : 'unknown';
  }

  /** What was read, or the part of it that fitted into a chunk: the rest of the range comes next. */
  onRead(flight: RangeFlight<Row, Seen>, read: ChunkRead<Row, Seen>): void {
    const { count } = read.rows;
    if (!read.end && count === 0) throw new CdcError('INTERNAL_UNEXPECTED', 'a chunk that is not the last has no rows');
    Object.assign(flight, { state: 'read', read, from: 0, to: count, bytes: read.bytes });
    // Up to a boundary there are not always numbers for more chunks: it was read no larger than a batch.
    if (flight.boundary !== null) return;
    if (!read.end) {
      const lastKey = read.rows.place(count - 1);
      if (flight.upTo === null) this.#cutting = 'unknown';
      else this.flights.splice(this.flights.indexOf(flight) + 1, 0, newRange(lastKey, flight.upTo));
      flight.upTo = lastKey;
    }
    this.flights.splice(this.flights.indexOf(flight), 1, ...this.#batches(flight, read));
  }

  #batches(flight: RangeFlight<Row, Seen>, read: ChunkRead<Row, Seen>): RangeFlight<Row, Seen>[] {
    const { rows } = read,
      batches: RangeFlight<Row, Seen>[] = [];
    let { after } = flight;
    for (let from = 0, to = 0; ; from = to) {
      let bytes = 0;
      while (to < rows.count && this.#hasRoom(to - from, bytes + rows.bytes(to))) bytes += rows.bytes(to++);
      if (to === rows.count) return [...batches, { ...flight, after, from, to, bytes }];
      const upTo = rows.place(to - 1);
      batches.push({ ...flight, after, upTo, from, to, bytes, hasMore: true });
      after = upTo;
    }
  }

  #hasRoom(rows: number, bytes: number): boolean {
    return rows === 0 || (rows < this.#limits.batchRows && bytes <= this.#limits.batchBytes);
  }

  #plan(flight: RangeFlight<Row, Seen>): RangeFlight<Row, Seen> {
    this.flights.push(flight);
    return flight;
  }
}
