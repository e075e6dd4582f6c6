// The ranges of one table that are read at the same time, in key order: each is emitted only after the one before it, so that
// one last key says how far the table is. Keys are never compared here; cuts come from the database, or from what was read.

import { CdcError, type SnapshotProgress } from '../sdk/index.ts';
import type { ChunkRead } from './types.ts';

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

/** To be read again, with a new S. */
export function putBack<Row, Seen>(flight: Flight<Row, Seen>): void {
  flight.state = 'planned';
  flight.job = 0;
  flight.read = null;
}
/** The same, because it was of no use. */
export function putBackTried<Row, Seen>(flight: Flight<Row, Seen>): void {
  putBack(flight);
  flight.attempt++;
}

export class Ranges<Row, Seen> {
  readonly flights: RangeFlight<Row, Seen>[] = [];
  readonly #maxFlights: number;
  #cuts: string[] = [];
  #cutting: 'unknown' | 'asked' | 'none' = 'unknown';

  constructor(maxFlights: number) {
    this.#maxFlights = maxFlights;
  }

  /** The next range to read; `cut`: ask where to cut first; `null`: wait. */
  next({ lastKey, boundary }: Frontier): RangeFlight<Row, Seen> | 'cut' | null {
    const planned = this.flights.find((f) => f.state === 'planned');
    if (planned !== undefined) return planned;
    const tail = this.flights.at(-1);
    if (boundary !== null) return tail === undefined ? this.#plan(lastKey, boundary.lastKey, boundary) : null;
    if (this.flights.length >= this.#maxFlights || (tail !== undefined && tail.upTo === null)) return null;
    if (this.#maxFlights > 1 && this.#cuts.length === 0 && this.#cutting !== 'none') return this.#cutting === 'asked' ? null : 'cut';
    return this.#plan(tail?.upTo ?? lastKey, this.#cuts.shift() ?? null, null);
  }

  /** Behind which key cuts are asked for. */
  tailKey(lastKey: string | null): string | null {
    return this.flights.at(-1)?.upTo ?? lastKey;
  }

  asksForCuts(): void {
    this.#cutting = 'asked';
  }
  /** `null`: ask again. */
  setCuts(cuts: readonly string[] | null): void {
    if (this.#cutting !== 'asked') return;
    this.#cuts = [...(cuts ?? [])];
    this.#cutting = cuts !== null && cuts.length === 0 ? 'none' : 'unknown';
  }

  /** What was read, or the part of it that fitted into a chunk: the rest of the range comes next. */
  onRead(flight: RangeFlight<Row, Seen>, read: ChunkRead<Row, Seen>): void {
    if (!read.end && read.lastKey === null) throw new CdcError('INTERNAL_UNEXPECTED', 'a chunk that is not the last has no last key');
    flight.state = 'read';
    flight.read = read;
    if (read.end || flight.boundary !== null) return;
    if (flight.upTo === null) this.#cutting = 'unknown';
    else
      this.flights.splice(this.flights.indexOf(flight) + 1, 0, {
        ...newFlight(),
        kind: 'range',
        after: read.lastKey,
        upTo: flight.upTo,
        boundary: null,
      });
    flight.upTo = read.lastKey;
  }

  #plan(after: string | null, upTo: string | null, boundary: SnapshotProgress | null): RangeFlight<Row, Seen> {
    const flight: RangeFlight<Row, Seen> = { ...newFlight(), kind: 'range', after, upTo, boundary };
    this.flights.push(flight);
    return flight;
  }
}
