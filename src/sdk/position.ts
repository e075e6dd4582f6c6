// Where things stand: an event in its source's log, and a lane or a pipeline as a whole. Everything that is stored about
// progress is made of the types in this file.

declare const brand: unique symbol;
/** A type that does not mix with its siblings: `Brand<string, 'Position'>`. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/**
 * Where an event sits in its source's log: opaque text which only the source's own codec reads. Of a queue source it is a
 * receipt, valid in the session that received it and used for `acknowledge` alone.
 */
export type Position = Brand<string, 'Position'>;

export interface PositionCodec {
  /** Byte order of the text is log order within a partition. */
  readonly sortable: boolean;
  /** Log order within one partition; `null` when the two cannot be ordered (GTID sets). */
  compare(a: Position, b: Position): -1 | 0 | 1 | null;
  /** Is `position` part of what was done once `point` was reached? A point covers itself. */
  covers(point: Position, position: Position): boolean;
  /** For people: `LSN 16/B374D848`, `line 120 of orders.ndjson`. */
  describe(position: Position): string;
  /**
   * What an operator wrote as a position: the stored text, or a form people use (`16/B374D848`, `42`); `null` when it is neither.
   * Without it only stored text is accepted.
   */
  parse?(text: string): Position | null;
  /** Bytes of the source's log between two places of one partition, 0 when `to` comes first; `null`: it cannot be told. */
  bytesBetween?(from: Position, to: Position): number | null;
  /**
   * The source's own fields of a position as they appear in an envelope's `source` block (`lsn`, `file`, `pos` …).
   * `transactionId`: of the event, if it has one.
   */
  fields?(position: Position, transactionId?: string | null): Readonly<Record<string, string | number | bigint | null>>;
}

/**
 * A position whose text is made when somebody asks for it: of a batch that is mostly the last one only. For sources where a text per
 * event would cost as much as decoding it. The text has nothing that JSON escapes, and ASCII only.
 */
export abstract class LazyPosition {
  /** How long the text is. */
  abstract readonly length: number;
  abstract text(): Position;
  /** Puts the text into `bytes`, which have room for it. */
  abstract put(bytes: Uint8Array, at: number): void;
  /** What the codec's `fields` gives for the text. */
  abstract fields(transactionId: string | null): Readonly<Record<string, string | number | bigint | null>>;

  /**
   * The one field that is another number from event to event (`lsn`, `row`), where all others are those of `other` in the same
   * transaction and it is an exact number; else -1. For encoders, which then need no fields: made for each event they cost as much
   * as half of its row.
   */
  numberBeside(_other: LazyPosition): number {
    return -1;
  }

  /** Puts the text over that of `other`, which is as long: `numberBeside` gave a number. Only what differs need be written. */
  putOver(bytes: Uint8Array, at: number, _other: LazyPosition): void {
    this.put(bytes, at);
  }
}

/** The codec of sources whose position text sorts like their log: fixed-width numbers. Describes by `label` and the text. */
export function sortablePositions(label: string): PositionCodec {
  return {
    sortable: true,
    compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
    covers: (point, position) => position <= point,
    describe: (position) => `${label} ${position}`,
  };
}

/** The last three digits of a number, from `000` to `999`. */
const LAST_DIGITS = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'));
let thousands = 0,
  /** The thirteen digits before. */
  beforeThem = '0000000000000';

/** `42n → "0000000000000042"`: sixteen digits, so text order equals number order up to 10^16. */
export function positionOfNumber(n: number | bigint): Position {
  if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 0) return n.toString().padStart(16, '0') as Position;
  // Most numbers follow each other: digits of their own for each would cost as much as a tenth of reading a message.
  const high = Math.floor(n / 1000);
  if (high !== thousands) {
    thousands = high;
    beforeThem = String(high).padStart(13, '0');
  }
  return (beforeThem + LAST_DIGITS[n - high * 1000]) as Position;
}

/** How far the snapshot of one table has come. Stored with the stream positions at which it was confirmed. */
export interface SnapshotProgress {
  readonly source: string;
  /** Made new each time a table is snapshotted from its beginning; a run begins with a batch that has progress with chunk 0. */
  readonly run: string;
  readonly table: string;
  /** Number of the last chunk; grows by at least one per chunk. 0 = none yet. */
  readonly chunk: number;
  /** Text of the last key, only for the source that wrote it; `null` before the first chunk. */
  readonly lastKey: string | null;
  readonly state: 'running' | 'done' | 'failed' | 'skipped';
  /** Rows emitted so far in this run. */
  readonly rows: number;
  /** What else the source must know to go on (keys to be read once more), as its own text; stored with the rest. */
  readonly notes?: string;
  /**
   * At chunk 0: the run is for destinations that lack the table; who has its rows takes nothing of it. Else every
   * destination takes the new run (its rows replace what is there). Not stored.
   */
  readonly joining?: true;
}

/** Position per partition of one source. A partition that is missing stands at its beginning. */
export interface PartitionPositions {
  readonly [partition: string]: Position;
}

/** Where one source stands. */
export interface SourcePoint {
  readonly partitions: PartitionPositions;
  readonly snapshots: readonly SnapshotProgress[];
}

/** Where a pipeline, or one lane of it, stands. */
export interface ResumePoint {
  /** Raised at every start and by operators; a writer with a lower one is fenced. */
  readonly epoch: number;
  /** The change log the point was taken in, and the local sequence number there; `null` when taken outside of one. */
  readonly log: { readonly id: string; readonly seq: number } | null;
  readonly sources: { readonly [source: string]: PartitionPositions };
  readonly snapshots: readonly SnapshotProgress[];
}

/** The part of a point that concerns one source. */
export function sourcePointOf(point: ResumePoint, source: string): SourcePoint {
  return { partitions: point.sources[source] ?? {}, snapshots: point.snapshots.filter((s) => s.source === source) };
}

function sorted<T>(record: { readonly [key: string]: T }): { [key: string]: T } {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * A point as text for storage. Canonical: equal points give equal text, so a fence may compare text
 * (`update … where point = $previous`).
 */
export function formatPoint(point: ResumePoint): string {
  const sources = sorted(point.sources);
  for (const name of Object.keys(sources)) sources[name] = sorted(sources[name] as { [p: string]: Position });
  const snapshots = [...point.snapshots]
    .sort((a, b) => (`${a.source}/${a.table}` < `${b.source}/${b.table}` ? -1 : 1))
    .map(({ source, run, table, chunk, lastKey, state, rows, notes }) => ({ source, run, table, chunk, lastKey, state, rows, notes }));
  return JSON.stringify({ epoch: point.epoch, log: point.log && { id: point.log.id, seq: point.log.seq }, sources, snapshots });
}

/** The reverse of `formatPoint`. Throws `SyntaxError` or `TypeError` on text that is not a point. */
export function parsePoint(text: string): ResumePoint {
  const value: unknown = JSON.parse(text);
  if (!isPoint(value)) throw new TypeError(`not a resume point: ${text.slice(0, 80)}`);
  return value;
}

function isPoint(value: unknown): value is ResumePoint {
  if (typeof value !== 'object' || value === null) return false;
  const p = value as Partial<ResumePoint>;
  return (
    Number.isInteger(p.epoch) && typeof p.sources === 'object' && p.sources !== null && Array.isArray(p.snapshots) && p.log !== undefined
  );
}
