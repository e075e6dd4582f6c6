// What the snapshot engine and a source tell each other. The engine knows no SQL and no driver: it hands out jobs, the source
// asks the database and reports. Rows, transaction ids and snapshots are opaque; `Visibility` reads the latter two.

import type { Random, SnapshotProgress } from '../sdk/index.ts';
import type { ChunkRows } from './rows.ts';

/**
 * How a flavour tells what a read (its snapshot S) has seen. Visibility only grows: a later read sees what an earlier one saw.
 * PostgreSQL: `Id` a 32-bit xid, `Seen` what `pg_current_snapshot()` says. MySQL with GTIDs: `Seen` is `gtid_executed` from
 * before S. MariaDB: `Seen` is the position of S. A margin: `Id` the time of streaming, `Seen` the time of S less the margin.
 */
export interface Visibility<Id, Seen, Bound> {
  /** Does S see this transaction for certain? In doubt `false`. */
  sees(seen: Seen, id: Id): boolean;
  /** Does S see everything that had been streamed when the bound was asked for? */
  passes(seen: Seen, bound: Bound): boolean;
}

export interface SnapshotTable {
  readonly name: string;
  /** It has a unique key without NULLs to read it by, and every event tells which row it is about. Else: one whole-table pass. */
  readonly keyed: boolean;
  /** Its rows are read only when somebody asks for it. */
  readonly onRequest?: boolean;
  /**
   * Chunks are read in the order of what every event carries of the old row (the replica identity). If they are in the order of
   * another key, every row that an incomplete event touches is read once more: prefer the identity.
   */
  readonly orderedByIdentity: boolean;
}

/** What comes of a range or of keys, all in one read-only transaction: lock, then S and fingerprint, then the rows, then H. */
export interface ChunkRead<Row, Seen> {
  readonly seen: Seen;
  /** Of the table as S has it: changes whenever its rows are rewritten or its columns change. */
  readonly fingerprint: string;
  /** H: end of the log, asked for after S. In a form that the stream will reach even if nothing more is written. */
  readonly h: bigint;
  /** Of a range: in key order. */
  readonly rows: ChunkRows<Row>;
  readonly bytes: number;
  /** Of a range: everything up to `upTo` was read (or up to the end of the table). */
  readonly end: boolean;
}

interface JobBase {
  readonly id: number;
  /** How often this was tried in vain: wait a little longer each time. */
  readonly attempt: number;
}
/** Ask what `Visibility.passes` compares with (PostgreSQL: the next xid). For all tables at once. */
export interface BoundJob extends JobBase {
  readonly kind: 'bound';
}
/** Find keys that cut the rest of a table into pieces of about `rows` rows: at most `count`, in key order, none at the end. */
export interface SplitJob extends JobBase {
  readonly kind: 'split';
  readonly table: string;
  readonly where: string | null;
  readonly after: string | null;
  readonly rows: number;
  readonly count: number;
}
/** Read rows beyond `after` up to and with `upTo`, in key order; stop at `maxRows`, or once `maxBytes` are reached. */
export interface RangeJob extends JobBase {
  readonly kind: 'range';
  readonly table: string;
  readonly where: string | null;
  readonly after: string | null;
  readonly upTo: string | null;
  readonly maxRows: number;
  readonly maxBytes: number;
}
/** Read the rows that have these identities. */
export interface KeysJob extends JobBase {
  readonly kind: 'keys';
  readonly table: string;
  readonly where: string | null;
  readonly keys: readonly string[];
}
/** Lock all these tables, take one S, and keep the transaction open. */
export interface PassJob extends JobBase {
  readonly kind: 'pass';
  readonly tables: readonly { readonly name: string; readonly where: string | null }[];
}
export type ReadJob = RangeJob | KeysJob;
export type SnapshotJob = BoundJob | SplitJob | ReadJob | PassJob;

/** To hand over as one batch: `progress` as its `snapshots`, `rows` as its `r` events, with the place of the stream as it is. */
export interface SnapshotOutput<Row> {
  readonly kind: 'output';
  readonly progress: readonly SnapshotProgress[];
  readonly rows: readonly Row[];
  /** Of the rows; `null`: progress only. */
  readonly chunk: OutputChunk | null;
  readonly bytes: number;
}
export interface OutputChunk {
  readonly table: string;
  readonly run: string;
  readonly chunk: number;
  /** The first and the last rows of the table's run. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
}
/** The open transaction of a pass has its place here: hand out all its rows by `passRows`, and nothing else until they are out. */
export interface PassDue {
  readonly kind: 'pass';
  readonly job: PassJob;
}
/** The open transaction of a pass is of no use: end it. */
export interface PassDropped {
  readonly kind: 'drop_pass';
  readonly job: PassJob;
}
export type SnapshotDue<Row> = SnapshotOutput<Row> | PassDue | PassDropped;

export interface SnapshotLimits {
  /** Of one read. */
  readonly chunkRows: number;
  readonly chunkBytes: number;
  /** Of what goes out at once, and is stored as one chunk: a read may be several. */
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Reads under way or waiting, in all and of one table. Bounds memory together with `chunkBytes`. */
  readonly flights: number;
  readonly flightsPerTable: number;
  /** Touched keys remembered of one table, in bytes; beyond it its chunks are read again, smaller. */
  readonly windowBytes: number;
  /** Keys read once more in one chunk, and how many may be waiting before that has precedence. */
  readonly keysPerChunk: number;
  readonly keysWaiting: number;
}

export const DEFAULT_LIMITS: SnapshotLimits = {
  chunkRows: 10_000,
  chunkBytes: 8 << 20,
  batchRows: 1_000,
  batchBytes: 4 << 20,
  flights: 4,
  flightsPerTable: 4,
  windowBytes: 32 << 20,
  keysPerChunk: 500,
  keysWaiting: 1_000,
};

export interface SnapshotOptions<Row, Id, Seen, Bound> {
  readonly source: string;
  readonly tables: readonly SnapshotTable[];
  /** `ReadContext.snapshots` and `ReadContext.boundaries` of this source. */
  readonly resume: readonly SnapshotProgress[];
  readonly boundaries: readonly SnapshotProgress[];
  /** Where reading resumes, as a number that grows with the log. */
  readonly at: bigint;
  /** End of the log, asked for at this start: until there, a destination may see events for the second time. */
  readonly repeatsUntil: bigint;
  readonly visibility: Visibility<Id, Seen, Bound>;
  /** The row with the columns that these incomplete after images have, oldest first. The row may be changed: it is used once. */
  merge(row: Row, parts: readonly unknown[]): Row;
  readonly random: Random;
  readonly limits?: Partial<SnapshotLimits>;
}

/** For people. */
export interface TableStatus {
  readonly table: string;
  readonly run: string;
  readonly state: SnapshotProgress['state'] | 'paused';
  readonly rows: number;
  readonly chunk: number;
  /** Condition of the run; `null`: all rows. */
  readonly where: string | null;
  /** Keys that are to be read once more. */
  readonly rereads: number;
  /** What the next chunk waits for; `null` when nothing is to come. */
  readonly waitsFor: 'visibility' | 'rows' | 'stream' | null;
  readonly error: string | null;
}
