// Arithmetic of places: what is older, what covers what, per source and partition. Pure; a partition that is missing
// stands at its beginning, a table without progress has no row yet.

import type { LogPlace } from '../log/change-log.ts';
import {
  CdcError,
  type PartitionPositions,
  type Position,
  type PositionCodec,
  type ResumePoint,
  type SnapshotProgress,
} from '../sdk/index.ts';

/** Name of the source → its codec. */
export type Codecs = { readonly [source: string]: PositionCodec };

export const BEGINNING: LogPlace = { sources: {}, snapshots: [] };

function codecOf(codecs: Codecs, source: string): PositionCodec {
  const codec = codecs[source];
  if (codec === undefined) throw new CdcError('INTERNAL_UNEXPECTED', `no codec for source "${source}"`);
  return codec;
}

/** The older of two positions of one partition. Where they have no order, the one the other covers. */
export function olderPosition(codec: PositionCodec, a: Position, b: Position): Position {
  const order = codec.compare(a, b);
  if (order !== null) return order <= 0 ? a : b;
  if (codec.covers(b, a)) return a;
  if (codec.covers(a, b)) return b;
  throw new CdcError('STATE_LOST', `the positions ${codec.describe(a)} and ${codec.describe(b)} contain different histories`, {
    fix: 'Check that all destinations were written from the same source.',
  });
}

function mergePositions(codec: PositionCodec, a: PartitionPositions, b: PartitionPositions, older: boolean): PartitionPositions {
  const out: { [partition: string]: Position } = {};
  for (const [partition, mine] of Object.entries(a)) {
    const theirs = b[partition];
    if (theirs === undefined) {
      if (!older) out[partition] = mine;
      continue;
    }
    const low = olderPosition(codec, mine, theirs);
    out[partition] = older ? low : low === mine ? theirs : mine;
  }
  if (!older) for (const [partition, theirs] of Object.entries(b)) out[partition] ??= theirs;
  return out;
}

/** The oldest place from which nothing is missed at any of these. Sources that are no longer configured are left out. */
export function oldestPlace(codecs: Codecs, places: readonly LogPlace[]): LogPlace {
  const [first, ...rest] = places;
  if (first === undefined) return BEGINNING;
  const sources: { [source: string]: PartitionPositions } = {};
  for (const source of Object.keys(codecs)) {
    let positions = first.sources[source] ?? {};
    for (const place of rest) positions = mergePositions(codecOf(codecs, source), positions, place.sources[source] ?? {}, true);
    sources[source] = positions;
  }
  return { sources, snapshots: oldestSnapshots(places).filter((s) => s.source in codecs) };
}

/** What a lane has once both are done: per partition the newer. */
export function newestSources(codecs: Codecs, a: LogPlace['sources'], b: LogPlace['sources']): LogPlace['sources'] {
  const sources: { [source: string]: PartitionPositions } = { ...a };
  for (const [source, positions] of Object.entries(b)) {
    const mine = sources[source];
    sources[source] =
      mine === undefined || !(source in codecs) ? positions : mergePositions(codecOf(codecs, source), mine, positions, false);
  }
  return sources;
}

/** What a lane has once both places are done: per partition the newer, per table the further. */
export function newestPlace(codecs: Codecs, a: LogPlace, b: LogPlace): LogPlace {
  const snapshots = [...a.snapshots];
  for (const theirs of b.snapshots) {
    const i = snapshots.findIndex((s) => sameTable(s, theirs));
    if (i < 0) snapshots.push(theirs);
    else if (isFurther(theirs, snapshots[i] as SnapshotProgress)) snapshots[i] = theirs;
  }
  return { sources: newestSources(codecs, a.sources, b.sources), snapshots };
}

/** Does `mine` have everything that `theirs` has? */
export function coversSources(codecs: Codecs, mine: LogPlace['sources'], theirs: LogPlace['sources']): boolean {
  for (const [source, positions] of Object.entries(theirs)) {
    if (!(source in codecs)) continue;
    for (const [partition, position] of Object.entries(positions)) {
      const at = mine[source]?.[partition];
      if (at === undefined || !codecOf(codecs, source).covers(at, position)) return false;
    }
  }
  return true;
}

/** Does `place` have everything that `other` has? A finished snapshot has the rows of any other run, too: it was followed by the changes. */
export function coversPlace(codecs: Codecs, place: LogPlace, other: LogPlace): boolean {
  const hasRows = other.snapshots.every((theirs) => {
    const mine = place.snapshots.find((s) => sameTable(s, theirs));
    if (!(theirs.source in codecs) || (mine !== undefined && mine.state !== 'running')) return true;
    return mine !== undefined && mine.run === theirs.run && theirs.state === 'running' && mine.chunk >= theirs.chunk;
  });
  return hasRows && coversSources(codecs, place.sources, other.sources);
}

const sameTable = (a: SnapshotProgress, b: SnapshotProgress): boolean => a.source === b.source && a.table === b.table;

/** Of another run: the one that is still running wins, as it was begun because the other no longer counts. */
function isFurther(a: SnapshotProgress, b: SnapshotProgress): boolean {
  if (a.run !== b.run) return b.state !== 'running';
  // A lane that reads the rest of a run alone may need more chunks than the others did.
  return (a.state === 'running') === (b.state === 'running') ? a.chunk > b.chunk : a.state !== 'running';
}

/** The one that has fewer rows. Two unfinished runs share no chunks: then none counts and the table begins again. */
function lesserProgress(a: SnapshotProgress, b: SnapshotProgress): SnapshotProgress | null {
  if (a.run === b.run) return isFurther(a, b) ? b : a;
  if (a.state === 'running' && b.state === 'running') return null;
  return b.state === 'running' ? b : a;
}

function oldestSnapshots(places: readonly LogPlace[]): SnapshotProgress[] {
  const [first, ...rest] = places;
  const out: SnapshotProgress[] = [];
  for (const start of first?.snapshots ?? []) {
    let oldest: SnapshotProgress | null = start;
    for (const place of rest) {
      const other = place.snapshots.find((s) => sameTable(s, start));
      const older: SnapshotProgress | null = other === undefined ? null : lesserProgress(oldest, other);
      if (older === null) {
        oldest = null;
        break;
      }
      oldest = older;
    }
    if (oldest !== null) out.push(oldest);
  }
  return out;
}

/** Chunk ends that lanes have in unfinished runs (see `ReadContext.boundaries`), in chunk order per table. */
export function snapshotBoundaries(places: readonly LogPlace[]): SnapshotProgress[] {
  const found = new Map<string, SnapshotProgress>();
  for (const p of places.flatMap((place) => place.snapshots)) {
    if (p.state === 'running') found.set(JSON.stringify([p.source, p.table, p.run, p.chunk]), p);
  }
  return [...found.values()].sort((a, b) => (a.table < b.table ? -1 : a.table > b.table ? 1 : a.chunk - b.chunk));
}

/**
 * Without what cannot be continued: two lanes have a chunk with one number and another end. That is so when one was away
 * while the other's run was resumed. Such a table begins again, in a run that both take.
 */
export function withoutForkedRuns(progress: readonly SnapshotProgress[], places: readonly LogPlace[]): SnapshotProgress[] {
  const ends = new Map<string, string | null>(),
    forked = new Set<string>();
  for (const { source, table, run, chunk, lastKey, state } of places.flatMap((place) => place.snapshots)) {
    const id = JSON.stringify([source, table, run]),
      end = JSON.stringify([id, chunk]);
    if (state !== 'running') continue;
    if (ends.has(end) && ends.get(end) !== lastKey) forked.add(id);
    ends.set(end, lastKey);
  }
  return progress.filter(({ source, table, run }) => !forked.has(JSON.stringify([source, table, run])));
}

/** `place` with one partition moved and, for a snapshot, tables' progress replaced. Shares what does not change. */
export function movePlace(
  place: LogPlace,
  source: string,
  partition: string,
  position: Position | null,
  snapshots: readonly SnapshotProgress[] = [],
): LogPlace {
  const sources = position === null ? place.sources : { ...place.sources, [source]: { ...place.sources[source], [partition]: position } };
  if (snapshots.length === 0) return { sources, snapshots: place.snapshots };
  return { sources, snapshots: [...place.snapshots.filter((s) => !snapshots.some((n) => sameTable(n, s))), ...snapshots] };
}

/** Of the workers of a lane: from there nothing is missed. Numbers are compared within one log only. */
export function oldestPoint(codecs: Codecs, points: readonly [ResumePoint, ...ResumePoint[]]): ResumePoint {
  const [first, ...rest] = points;
  if (rest.length === 0) return first;
  const id = first.log?.id,
    numbers = points.flatMap(({ log }) => (log !== null && log.id === id ? log.seq : []));
  const log = id !== undefined && numbers.length === points.length ? { id, seq: Math.min(...numbers) } : null;
  return { ...first, log, ...oldestPlace(codecs, points) };
}
