// Places from one record to the next. A record holds only what its batch changes; who reads one from the middle of a segment
// gets its places from the segment's header and the index. Pure.

import type { Position, SnapshotProgress } from '../../sdk/index.ts';
import type { LogAppend, LogPlace } from '../change-log.ts';
import type { Origin } from './event-layout.ts';
import type { SegmentIndex } from './segment-index.ts';

export interface PlaceDelta {
  readonly resume: Position | null;
  /** The whole place, where `resume` and the batch's snapshots do not say it all. */
  readonly place: LogPlace | null;
}

export function placeDelta(before: LogPlace, batch: LogAppend): PlaceDelta {
  const { source, partition, after } = batch;
  const position = after.sources[source]?.[partition] ?? null,
    resume = position === (before.sources[source]?.[partition] ?? null) ? null : position;
  const isAll = sameSources(before, after, batch) && sameList(movedSnapshots(before.snapshots, batch.snapshots), after.snapshots);
  return { resume, place: isAll ? null : after };
}

/** Are all partitions but that of the batch where they were? */
function sameSources(before: LogPlace, after: LogPlace, { source, partition }: Origin): boolean {
  if (before.sources === after.sources) return true;
  const names = Object.keys(after.sources);
  if (Object.keys(before.sources).some((name) => !Object.hasOwn(after.sources, name))) return false;
  return names.every((name) => {
    const old = before.sources[name] ?? {},
      now = after.sources[name] ?? {};
    if (old === now) return true;
    // A source without partitions would not come back.
    if (!Object.hasOwn(before.sources, name) && !(name === source && Object.hasOwn(now, partition))) return false;
    const isOwn = (p: string): boolean => name === source && p === partition;
    return Object.keys(old).every((p) => Object.hasOwn(now, p)) && Object.keys(now).every((p) => isOwn(p) || now[p] === old[p]);
  });
}

function sameList(a: readonly SnapshotProgress[], b: readonly SnapshotProgress[]): boolean {
  return a === b || (a.length === b.length && a.every((progress, i) => progress === b[i]));
}

function movedSnapshots(all: readonly SnapshotProgress[], moved: readonly SnapshotProgress[]): readonly SnapshotProgress[] {
  if (moved.length === 0) return all;
  return [...all.filter((s) => !moved.some((n) => n.source === s.source && n.table === s.table)), ...moved];
}

export function placeAfter(
  before: LogPlace,
  { source, partition }: Origin,
  { resume, place }: PlaceDelta,
  snapshots: readonly SnapshotProgress[],
): LogPlace {
  if (place !== null) return place;
  if (resume === null && snapshots.length === 0) return before;
  const sources = resume === null ? before.sources : { ...before.sources, [source]: { ...before.sources[source], [partition]: resume } };
  return { sources, snapshots: movedSnapshots(before.snapshots, snapshots) };
}

/** So many records are gone through to get from a place that is known to one that is asked for. */
const MARK_EVERY = 1024;

/** The places of one segment. */
export class PlaceReplay {
  readonly #index: SegmentIndex;
  /** Before the records 0, 1024, 2048 … */
  readonly #marks: LogPlace[];
  #last: { readonly record: number; readonly place: LogPlace };

  constructor(start: LogPlace, index: SegmentIndex) {
    this.#index = index;
    this.#marks = [start];
    this.#last = { record: 0, place: start };
  }

  /** The place before a record; `count` asks for the one after all. */
  before(record: number): LogPlace {
    if (record < this.#last.record || record - this.#last.record > MARK_EVERY) this.#jump(record);
    if (record > this.#last.record) this.#last = { record, place: this.#advance(this.#last.record, record, this.#last.place) };
    return this.#last.place;
  }

  #jump(record: number): void {
    const wanted = Math.floor(record / MARK_EVERY);
    while (this.#marks.length <= wanted) {
      const from = this.#marks.length - 1;
      this.#marks.push(this.#advance(from * MARK_EVERY, (from + 1) * MARK_EVERY, this.#marks[from] as LogPlace));
    }
    this.#last = { record: wanted * MARK_EVERY, place: this.#marks[wanted] as LogPlace };
  }

  #advance(from: number, to: number, start: LogPlace): LogPlace {
    const index = this.#index;
    let place = start;
    // Of each partition only the last position counts: a place per record would cost more than all the rest of a search.
    const moved = new Map<number, number>();
    for (let record = from; record < to; record++) {
      const whole = index.place(record),
        snapshots = index.snapshots(record);
      if (whole !== null) {
        moved.clear();
        place = whole;
        continue;
      }
      if (index.moves(record)) moved.set(index.originNumber(record), record);
      if (snapshots.length > 0) place = { sources: place.sources, snapshots: movedSnapshots(place.snapshots, snapshots) };
    }
    for (const record of moved.values()) place = placeAfter(place, index.origin(record), { resume: index.resume(record), place: null }, []);
    return place;
  }
}
