// Cuts the log into lane batches: at most so many events and bytes, never inside a snapshot chunk or between an event and
// those derived from it, and without what the lane's own point already covers.

import type { ChangeLog, LogBatch, LogPlace } from '../log/change-log.ts';
import type { ChangeEvent } from '../sdk/index.ts';
import type { Piece } from './encoding.ts';
import { LaneSnapshots } from './lane-snapshots.ts';
import { type Codecs, coversSources, movePlace, newestSources } from './places.ts';

/** A stretch of a log batch in a lane batch, with what a lane must know to stop at its end or inside. */
export interface Stretch extends Piece {
  /** Of its events those that are for this lane. */
  readonly kept: readonly ChangeEvent[];
  /** The lane's snapshots before it. */
  readonly snapshots: LogPlace['snapshots'];
  /** The log's place at its end, with the lane's snapshots. */
  readonly after: LogPlace;
  readonly endSeq: number;
}

export interface Collected {
  readonly events: readonly ChangeEvent[];
  /** What the events are made of; `null` when some of it was dropped. */
  readonly pieces: readonly Piece[] | null;
  readonly lastSeq: number;
  /** Where the lane stands once this is done. */
  readonly place: LogPlace;
  readonly stretches: readonly Stretch[];
  /** The lane's own place, where the log had not caught up with it before this batch. */
  readonly own: LogPlace['sources'] | null;
}

export class Batcher {
  readonly #log: ChangeLog;
  readonly #codecs: Codecs;
  /** Sources whose positions are receipts: nothing of theirs is ever dropped. */
  readonly #queues: ReadonlySet<string>;
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  /** Where the lane stood at the start, until the log has caught up with it. */
  #own: LogPlace['sources'] | null;
  readonly #snapshots: LaneSnapshots;
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
    this.#own = coversSources(options.codecs, options.start.sources, options.own.sources) ? null : options.own.sources;
    this.#snapshots = new LaneSnapshots(options.own.snapshots);
  }

  /** The next batch from `seq` on; `null` when nothing is there. It may have no events: progress only. */
  async collect(seq: number, maxEvents = this.#maxEvents): Promise<Collected | null> {
    const end = this.#log.readableSeq,
      own = this.#own;
    if (seq > end) return null;
    const stretches: Stretch[] = [];
    const pieces: Piece[] = [];
    let events: readonly ChangeEvent[] | ChangeEvent[] = [];
    let bytes = 0,
      dropped = false,
      place: LogPlace | null = null;
    while (seq <= end && events.length < maxEvents && bytes < this.#maxBytes) {
      const found = this.#log.read(seq) as LogBatch | Promise<LogBatch>,
        batch = found instanceof Promise ? await found : found;
      const from = seq - batch.firstSeq,
        size = batch.events.length - from;
      if (batch.whole && events.length > 0 && events.length + size > maxEvents) break;
      const to = batch.whole ? batch.events.length : cutAt(batch, from, maxEvents - events.length);
      const taken = from === 0 && to === batch.events.length ? batch.events : batch.events.slice(from, to);
      const kept = this.#wanted(batch, taken),
        { progress } = this.#snapshots;
      dropped ||= kept.length !== taken.length;
      if (to > from) pieces.push({ batch, from, to });
      events = events.length === 0 ? kept : kept.length === 0 ? events : events.concat(kept);
      bytes += batch.events.length === 0 ? batch.bytes : (batch.bytes * (to - from)) / batch.events.length;
      const complete = to === batch.events.length;
      seq = complete ? batch.endSeq + 1 : batch.firstSeq + to;
      place = complete ? batch.after : placeInside(batch, to, this.#queues.has(batch.source));
      if (complete && batch.snapshots.length > 0) this.#snapshots.follow(batch.source, batch.snapshots, this.#isCovered(batch));
      const after = { sources: place.sources, snapshots: this.#snapshots.progress };
      stretches.push({ batch, from, to, kept, snapshots: progress, after, endSeq: seq - 1 });
    }
    if (place === null) return null;
    return { events, pieces: dropped ? null : pieces, lastSeq: seq - 1, place: this.#further(place), stretches, own };
  }

  /** A lane ahead of the log keeps its own place until the log has passed it (invariant 2). */
  #further({ sources }: LogPlace): LogPlace {
    const snapshots = this.#snapshots.progress;
    if (this.#own === null) return { sources, snapshots };
    if (!coversSources(this.#codecs, sources, this.#own)) return { sources: newestSources(this.#codecs, this.#own, sources), snapshots };
    this.#own = null;
    return { sources, snapshots };
  }

  /** Was the lane beyond the end of this batch when it started? */
  #isCovered({ source, partition, after }: LogBatch): boolean {
    const own = this.#own?.[source],
      at = after.sources[source]?.[partition],
      mine = own?.[partition];
    if (own === undefined || at === undefined) return own !== undefined;
    return mine !== undefined && (this.#codecs[source]?.covers(mine, at) ?? false);
  }

  #wanted(batch: LogBatch, events: readonly ChangeEvent[]): readonly ChangeEvent[] {
    if (batch.whole) return events.every((e) => this.#snapshots.takes(e)) ? events : events.filter((e) => this.#snapshots.takes(e));
    return this.#own === null ? events : this.#withoutCovered(this.#own, batch, events);
  }

  #withoutCovered(own: LogPlace['sources'], { source, partition }: LogBatch, events: readonly ChangeEvent[]): readonly ChangeEvent[] {
    const id = `${source}/${partition}`,
      point = own[source]?.[partition],
      codec = this.#codecs[source];
    if (this.#queues.has(source) || point === undefined || codec === undefined || this.#caught.has(id)) return events;
    const first = events.findIndex((e) => !codec.covers(point, e.position));
    if (first < 0) return [];
    // From the first event beyond the point on nothing is covered: positions of a partition only grow.
    this.#caught.add(id);
    return events.slice(first);
  }
}

/** Receipts of a queue are no places. */
export function placeInside(batch: LogBatch, to: number, isQueue: boolean): LogPlace {
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
