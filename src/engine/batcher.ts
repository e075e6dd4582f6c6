// Cuts the log into lane batches: at most so many events and bytes, never inside a snapshot chunk or between an event and
// those derived from it, and without what the lane's own point already covers.

import type { ChangeLog, LogBatch, LogPlace } from '../log/change-log.ts';
import type { ChangeEvent } from '../sdk/index.ts';
import type { Piece } from './encoding.ts';
import { LaneSnapshots } from './lane-snapshots.ts';
import { type Codecs, coversSources, movePlace, newestSources } from './places.ts';
import { BARRIER, type Slots } from './slots.ts';

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
  /** All workers must have done what is before, and none begins what is behind until this is done. */
  readonly isBarrier: boolean;
}

/** The log as far as it may be read. */
export type ReadableLog = Pick<ChangeLog, 'read' | 'readableSeq'>;

/** Of the workers of a lane: this one, and how events are spread. Barriers are delivered by worker 0. */
export interface WorkerSlot {
  readonly index: number;
  readonly slots: Slots;
}

export class Batcher {
  readonly #log: ReadableLog;
  readonly #codecs: Codecs;
  /** Sources whose positions are receipts: nothing of theirs is ever dropped. */
  readonly #queues: ReadonlySet<string>;
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  /** `null`: the lane has one worker. */
  readonly #slot: WorkerSlot | null;
  /** Where the lane stood at the start, until the log has caught up with it. */
  #own: LogPlace['sources'] | null;
  readonly #snapshots: LaneSnapshots;
  /** `source/partition` whose first uncovered event has come: from there on nothing is dropped. */
  readonly #caught = new Set<string>();

  constructor(options: {
    log: ReadableLog;
    codecs: Codecs;
    queues: ReadonlySet<string>;
    maxEvents: number;
    maxBytes: number;
    own: LogPlace;
    start: LogPlace;
    slot: WorkerSlot | null;
  }) {
    this.#log = options.log;
    this.#codecs = options.codecs;
    this.#queues = options.queues;
    this.#maxEvents = options.maxEvents;
    this.#maxBytes = options.maxBytes;
    this.#slot = options.slot;
    this.#own = coversSources(options.codecs, options.start.sources, options.own.sources) ? null : options.own.sources;
    this.#snapshots = new LaneSnapshots(options.own.snapshots);
  }

  /** The lane's own place is further than the log, as far as that was read. */
  get isAhead(): boolean {
    return this.#own !== null;
  }

  /** The next batch from `seq` on; `null` when nothing is there. It may have no events: progress only. */
  async collect(seq: number, maxEvents = this.#maxEvents, until: number | null = null): Promise<Collected | null> {
    const end = Math.min(this.#log.readableSeq, until ?? Number.POSITIVE_INFINITY),
      own = this.#own;
    if (seq > end) return null;
    const stretches: Stretch[] = [];
    const pieces: Piece[] = [];
    let events: readonly ChangeEvent[] | ChangeEvent[] = [];
    let bytes = 0,
      dropped = false,
      isBarrier = false,
      place: LogPlace | null = null;
    const start = seq;
    while (!isBarrier && seq <= end && events.length < maxEvents && bytes < this.#maxBytes) {
      const found = this.#log.read(seq) as LogBatch | Promise<LogBatch>,
        batch = found instanceof Promise ? await found : found;
      const from = seq - batch.firstSeq,
        size = batch.events.length - from;
      if (batch.whole && events.length > 0 && events.length + size > maxEvents) break;
      let to = batch.whole ? batch.events.length : cutAt(batch, from, maxEvents - events.length);
      if (end < batch.endSeq) to = Math.min(to, end + 1 - batch.firstSeq);
      const barrier = this.#slot === null ? null : barrierIn(this.#slot, batch, from, to);
      if (barrier !== null && (barrier.from > from || seq > start)) {
        if (barrier.from === from) break;
        to = barrier.from;
      } else if (barrier !== null) {
        to = barrier.to;
        isBarrier = true;
      }
      const taken = from === 0 && to === batch.events.length ? batch.events : batch.events.slice(from, to);
      const kept = this.#mine(this.#wanted(batch, taken), isBarrier),
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
    return { events, pieces: dropped ? null : pieces, lastSeq: seq - 1, place: this.#further(place), stretches, own, isBarrier };
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

  #mine(events: readonly ChangeEvent[], isBarrier: boolean): readonly ChangeEvent[] {
    if (this.#slot === null) return events;
    const { index, slots } = this.#slot;
    if (isBarrier) return index === 0 ? events : [];
    return events.every((e) => slots.of(e) === index) ? events : events.filter((e) => slots.of(e) === index);
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

/** The first barrier from `from` on, with the events that were derived from it; `null` when there is none before `to`. */
function barrierIn({ slots }: WorkerSlot, { events }: LogBatch, from: number, to: number): { from: number; to: number } | null {
  for (let i = from; i < to; i++) {
    if (slots.of(events[i] as ChangeEvent) !== BARRIER) continue;
    let first = i,
      end = i + 1;
    while (first > from && events[first - 1]?.position === events[i]?.position) first--;
    while (end < events.length && events[end]?.position === events[i]?.position) end++;
    return { from: first, to: end };
  }
  return null;
}

/** Where to cut so that at most `room` events are taken (at least one group): not between events of one position. */
function cutAt(batch: LogBatch, from: number, room: number): number {
  const { events } = batch;
  let to = Math.min(events.length, from + room);
  while (to < events.length && to > from && events[to]?.position === events[to - 1]?.position) to++;
  return to;
}
