// What a lane has on its hands: a collected batch, what of it is already done with, and where it may be cut so that a part of
// it can be delivered first. Pure.

import type { LogPlace } from '../log/change-log.ts';
import type { ChangeEvent } from '../sdk/index.ts';
import { type Collected, placeInside, type Stretch } from './batcher.ts';
import type { Piece } from './encoding.ts';
import { type Codecs, coversSources, newestSources } from './places.ts';

export interface Load {
  readonly events: readonly ChangeEvent[];
  /** What the events are made of; `null` when some of it was dropped or changed. */
  readonly pieces: readonly Piece[] | null;
  readonly stretches: readonly Stretch[];
  readonly own: LogPlace['sources'] | null;
  readonly lastSeq: number;
  readonly place: LogPlace;
  /** Indices that must not be written (any more). */
  readonly skip: Set<number>;
  /** Those of them that are in the dead letter queue. */
  readonly parked: Set<number>;
  /** Ids of parked events that come after this part: nothing in it waits for them. */
  readonly parkedLater: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

export interface CutContext {
  readonly codecs: Codecs;
  readonly queues: ReadonlySet<string>;
}

export function loadOf(batch: Collected): Load {
  return { ...batch, skip: new Set(), parked: new Set(), parkedLater: NONE };
}

/** Nothing but the point. */
export function pointOnly(lastSeq: number, place: LogPlace): Load {
  return { events: [], pieces: [], stretches: [], own: null, lastSeq, place, skip: new Set(), parked: new Set(), parkedLater: NONE };
}

/** The estimate of the sources. */
export function bytesOf({ stretches }: Load): number {
  return stretches.reduce((sum, { batch, from, to }) => sum + (batch.bytes * (to - from)) / Math.max(1, batch.events.length), 0);
}

/** Indices that are still to be written. */
export function remaining({ events, skip }: Load): number[] {
  const indices: number[] = [];
  for (let i = 0; i < events.length; i++) if (!skip.has(i)) indices.push(i);
  return indices;
}

/**
 * The first `limit` events or some fewer, and the rest: never inside a snapshot chunk or between events of one position. What
 * cannot be cut comes whole. The head shares nothing with the load: what becomes of it is told by `settle`.
 */
export function cutLoad(load: Load, limit: number, context: CutContext): { head: Load; tail: Load | null } {
  if (load.events.length <= limit) return { head: load, tail: null };
  let before = 0;
  for (const [i, { kept, batch }] of load.stretches.entries()) {
    const end = before + kept.length;
    if (end > limit) {
      const inside = batch.whole ? 0 : groupStart(kept, limit - before);
      if (inside > 0) return cutInside(load, i, before, inside, context);
      if (before > 0) return cutAfter(load, i - 1, before, context);
      const first = batch.whole ? kept.length : groupEnd(kept);
      return first < kept.length ? cutInside(load, i, 0, first, context) : cutAfter(load, i, end, context);
    }
    before = end;
  }
  return { head: load, tail: null };
}

const samePosition = (a: ChangeEvent | undefined, b: ChangeEvent | undefined): boolean => a?.position === b?.position;

/** The greatest number up to `at` of events that end with a position. */
function groupStart(events: readonly ChangeEvent[], at: number): number {
  while (at > 0 && at < events.length && samePosition(events[at], events[at - 1])) at--;
  return at;
}

/** How many events there are of the first position. */
function groupEnd(events: readonly ChangeEvent[]): number {
  let end = 1;
  while (end < events.length && samePosition(events[end], events[end - 1])) end++;
  return end;
}

function cutAfter(load: Load, index: number, count: number, context: CutContext): { head: Load; tail: Load | null } {
  if (count >= load.events.length) return { head: load, tail: null };
  const { after, endSeq } = load.stretches[index] as Stretch;
  return parts(load, load.stretches.slice(0, index + 1), load.stretches.slice(index + 1), count, endSeq, placeAt(load, after, context));
}

function cutInside(load: Load, index: number, before: number, inside: number, context: CutContext): { head: Load; tail: Load } {
  const stretch = load.stretches[index] as Stretch,
    { batch, from, kept, snapshots } = stretch;
  const to = endOfPosition(stretch, kept[inside - 1] as ChangeEvent),
    endSeq = batch.firstSeq + to - 1;
  const { sources } = placeInside(batch, to, context.queues.has(batch.source));
  const after = { sources, snapshots };
  const first: Stretch = { ...stretch, from, to, kept: kept.slice(0, inside), after, endSeq };
  const second: Stretch = { ...stretch, from: to, kept: kept.slice(inside) };
  return parts(
    load,
    [...load.stretches.slice(0, index), first],
    [second, ...load.stretches.slice(index + 1)],
    before + inside,
    endSeq,
    placeAt(load, after, context),
  );
}

/** The index in the log batch behind the last event of this position: some of them may have been left out or changed. */
function endOfPosition({ batch, from, to }: Stretch, event: ChangeEvent): number {
  for (let i = to - 1; i >= from; i--) if (samePosition(batch.events[i], event)) return i + 1;
  return to;
}

/** A lane ahead of the log keeps its own place until the log has passed it (invariant 2). */
function placeAt({ own }: Load, { sources, snapshots }: LogPlace, { codecs }: CutContext): LogPlace {
  if (own === null || coversSources(codecs, sources, own)) return { sources, snapshots };
  return { sources: newestSources(codecs, own, sources), snapshots };
}

function parts(
  load: Load,
  first: readonly Stretch[],
  second: readonly Stretch[],
  count: number,
  lastSeq: number,
  place: LogPlace,
): { head: Load; tail: Load } {
  const pieces = (stretches: readonly Stretch[]): Piece[] | null =>
    load.pieces === null ? null : stretches.filter(({ from, to }) => to > from);
  const upTo = (indices: ReadonlySet<number>) => new Set([...indices].filter((i) => i < count)),
    from = (indices: ReadonlySet<number>) => new Set([...indices].filter((i) => i >= count).map((i) => i - count));
  const { events, own, skip, parked } = load;
  return {
    head: {
      events: events.slice(0, count),
      pieces: pieces(first),
      stretches: first,
      own,
      lastSeq,
      place,
      skip: upTo(skip),
      parked: upTo(parked),
      parkedLater: parked.size === 0 ? NONE : new Set([...parked].filter((i) => i >= count).map((i) => (events[i] as ChangeEvent).id)),
    },
    tail: {
      ...load,
      events: events.slice(count),
      pieces: pieces(second),
      stretches: second,
      skip: from(skip),
      parked: from(parked),
    },
  };
}

/** What became of a head that is not stored yet: the load knows it from now on. */
export function settle(load: Load, head: Load): void {
  if (load === head) return;
  for (const i of head.skip) load.skip.add(i);
  for (const i of head.parked) load.parked.add(i);
}
