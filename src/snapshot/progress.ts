// What is stored of a table's snapshot: its notes, the names of runs and the numbers of chunks.

import type { SnapshotProgress } from '../sdk/index.ts';

/** `SnapshotProgress.notes`, as JSON; what is missing has the value that is not worth a word. */
export interface SnapshotNotes {
  /** Fingerprint of the table that the chunks were read from. */
  readonly file?: string;
  /** All ranges are out; only keys to be read once more are left. */
  readonly end?: true;
  /** Keys to be read once more. The list is progress: without it, what was dropped from a chunk is lost in a crash. */
  readonly list?: readonly string[];
  /** The run is for destinations that lack the table. */
  readonly joining?: true;
  /** Somebody asked for the run. */
  readonly requested?: true;
  readonly where?: string;
  readonly error?: string;
}

export function formatNotes(notes: SnapshotNotes): string {
  const { file, end, list = [], joining, requested, where, error } = notes;
  return JSON.stringify({ file, end, list: list.length === 0 ? undefined : list, joining, requested, where, error });
}

/** Notes that are not ours say nothing. */
export function parseNotes({ notes }: SnapshotProgress): SnapshotNotes {
  if (notes === undefined) return {};
  const value: unknown = JSON.parse(notes);
  return typeof value === 'object' && value !== null ? (value as SnapshotNotes) : {};
}

/**
 * A run carries the place where it began: `1a2b.f00` read from the beginning for whoever lacks the table, `1a2b+f00` goes on where
 * another run stopped or has a filter, so nobody else may join it.
 */
export function formatRun(at: bigint, suffix: string, isJoinable: boolean): string {
  return `${at.toString(16)}${isJoinable ? '.' : '+'}${suffix}`;
}
export function parseRun(run: string): { at: bigint; isJoinable: boolean } | null {
  const match = /^([0-9a-f]+)([.+])[0-9a-f]+$/.exec(run);
  return match === null ? null : { at: BigInt(`0x${match[1]}`), isJoinable: match[2] === '.' };
}

/**
 * Chunks are numbered in steps, so that there is room in between: a lane that is behind may need more chunks up to the same key,
 * and behind a boundary the lanes get one number with the list of both. No sum of chunks comes near 2^53.
 */
const CHUNK_STEP = 1_000;

/** The next chunk's number; `boundary`: the end of a chunk that another lane has, which must not be passed. */
export function nextChunk(chunk: number, boundary: SnapshotProgress | null): number {
  return boundary === null ? (Math.floor(chunk / CHUNK_STEP) + 1) * CHUNK_STEP : chunk + 1;
}
