// Cuts the log into lane batches: at most so many events and bytes, never inside a snapshot chunk or between an event and
// those derived from it, and without what the lane's own point already covers.

import type { ChangeLog, LogBatch, LogPlace } from '../log/change-log.ts';
import type { ChangeEvent } from '../sdk/index.ts';
import type { Piece } from './encoding.ts';
import { type Codecs, coversPlace, movePlace, newestPlace } from './places.ts';

export interface Collected {
  readonly events: readonly ChangeEvent[];
  /** What the events are made of; `null` when some of it was dropped. */
  readonly pieces: readonly Piece[] | null;
  readonly lastSeq: number;
  /** Where the lane stands once this is done. */
  readonly place: LogPlace;
}

export class Batcher {
  readonly #log: ChangeLog;
  readonly #codecs: Codecs;
  /** Sources whose positions are receipts: nothing of theirs is ever dropped. */
  readonly #queues: ReadonlySet<string>;
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  /** Where the lane stood at the start, until the log has caught up with it. */
  #own: LogPlace | null;
  /** `source/partition` whose first uncovered event has come: from there on nothing is dropped. */
  readonly #caught = new Set<string>();

  constructor(options: {
    log: ChangeLog;
    codecs: Codecs;
    queues: ReadonlySet<string>;
    maxEvents: number;
    maxBytes: number;
    own: LogPlace;
    start: LogPlace;
  }) {
    this.#log = options.log;
    this.#codecs = options.codecs;
    this.#queues = options.queues;
    this.#maxEvents = options.maxEvents;
    this.#maxBytes = options.maxBytes;
    this.#own = coversPlace(options.codecs, options.start, options.own) ? null : options.own;
  }

  /** The next batch from `seq` on; `null` when nothing is there. It may have no events: progress only. */
  collect(seq: number): Collected | null {
    const end = this.#log.readableSeq;
    if (seq > end) return null;
    const pieces: Piece[] = [];
    let events: readonly ChangeEvent[] | ChangeEvent[] = [];
    let bytes = 0,
      dropped = false,
      place: LogPlace | null = null;
    while (seq <= end && events.length < this.#maxEvents && bytes < this.#maxBytes) {
      const batch = this.#log.read(seq) as LogBatch;
      const from = seq - batch.firstSeq,
        size = batch.events.length - from;
      if (batch.whole && events.length > 0 && events.length + size > this.#maxEvents) break;
      const to = batch.whole ? batch.events.length : cutAt(batch, from, this.#maxEvents - events.length);
      const taken = from === 0 && to === batch.events.length ? batch.events : batch.events.slice(from, to);
      const kept = this.#own === null ? taken : this.#withoutCovered(batch, taken);
      dropped ||= kept.length !== taken.length;
      if (to > from) pieces.push({ batch, from, to });
      events = events.length === 0 ? kept : kept.length === 0 ? events : events.concat(kept);
      bytes += batch.events.length === 0 ? batch.bytes : (batch.bytes * (to - from)) / batch.events.length;
      const complete = to === batch.events.length;
      seq = complete ? batch.endSeq + 1 : batch.firstSeq + to;
      place = complete ? batch.after : placeInside(batch, to, this.#queues.has(batch.source));
    }
    if (place === null) return null;
    return { events, pieces: dropped ? null : pieces, lastSeq: seq - 1, place: this.#further(place) };
  }

  /** A lane ahead of the log keeps its own place until the log has passed it (invariant 2). */
  #further(place: LogPlace): LogPlace {
    if (this.#own === null) return place;
    if (coversPlace(this.#codecs, place, this.#own)) {
      this.#own = null;
      return place;
    }
    return newestPlace(this.#codecs, this.#own, place);
  }

  #withoutCovered(batch: LogBatch, events: readonly ChangeEvent[]): readonly ChangeEvent[] {
    const own = this.#own as LogPlace,
      { source, partition } = batch;
    if (this.#queues.has(source)) return events;
    if (batch.whole) return events.filter((e) => !hasChunk(own, source, e));
    const id = `${source}/${partition}`,
      point = own.sources[source]?.[partition],
      codec = this.#codecs[source];
    if (point === undefined || codec === undefined || this.#caught.has(id)) return events;
    const first = events.findIndex((e) => !codec.covers(point, e.position));
    if (first < 0) return [];
    // From the first event beyond the point on nothing is covered: positions of a partition only grow.
    this.#caught.add(id);
    return events.slice(first);
  }
}

/** The lane has the chunk: same run, and its progress of that table has reached it. */
function hasChunk(own: LogPlace, source: string, event: ChangeEvent): boolean {
  const mark = event.snapshot;
  if (mark === false) return false;
  return own.snapshots.some(
    (s) => s.source === source && s.run === mark.run && s.table === mark.table && (s.state === 'done' || mark.chunk <= s.chunk),
  );
}

/** Receipts of a queue are no places. */
function placeInside(batch: LogBatch, to: number, isQueue: boolean): LogPlace {
  const last = batch.events[to - 1];
  return last === undefined || isQueue ? batch.before : movePlace(batch.before, batch.source, batch.partition, last.position);
}

/** Where to cut so that at most `room` events are taken (at least one group): not between events of one position. */
function cutAt(batch: LogBatch, from: number, room: number): number {
  const { events } = batch;
  let to = Math.min(events.length, from + room);
  while (to < events.length && to > from && events[to]?.position === events[to - 1]?.position) to++;
  return to;
}
