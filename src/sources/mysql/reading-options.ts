// What one reading of the stream is given, and what it tells those who put rows between its transactions.

import { CdcError, type ChangeBatch, type Logger, type Position, type ReadContext, type TableSchema } from '../../sdk/index.ts';
import type { StoppedTables } from '../../streaming/stopped-tables.ts';
import type { StreamObserver } from './batches.ts';
import type { DoneSet } from './done-set.ts';
import type { LogIdentity } from './log-identity.ts';
import { PARTITION } from './position.ts';
import type { PreparedTransactions } from './prepared.ts';
import type { SchemaTracker } from './schemas.ts';

/** Rows that go out between the transactions (snapshots). */
export interface Between extends StreamObserver {
  readonly hasDue: boolean;
  due(stream: StreamPlace): AsyncIterable<ChangeBatch>;
  progress(stream: StreamPlace): ChangeBatch | null;
  readAgain(table: TableSchema): void;
  /** The table is not followed any more: nothing of it goes out. */
  stop(table: string, why: string): void;
}

/** Where the stream stands, as far as it has been handed over. */
export interface StreamPlace {
  readonly place: Position;
  /** Moves to a place right behind, which nobody has yet. */
  announce(): Position;
  moveTo(place: Position): void;
}

export interface ReadingOptions {
  readonly source: string;
  readonly where: string;
  readonly tracker: SchemaTracker;
  readonly ctx: ReadContext;
  readonly behind: Position;
  readonly done: DoneSet;
  readonly identity: LogIdentity;
  readonly emitTruncates: boolean;
  /** Images of rows that have less stop their table. */
  readonly rowImage: 'FULL' | 'MINIMAL' | 'NOBLOB';
  readonly logger: Logger;
  readonly snapshots: Between | null;
  readonly prepared: PreparedTransactions;
  readonly stopped: StoppedTables;
  isTable(database: string, table: string): boolean;
}

/** `until` of a one_time run as a place; `null`: it has none. */
export function endOf({ until }: ReadContext): Position | null {
  return until === null ? null : (until.partitions[PARTITION] ?? null);
}

export function readingError(code: 'SOURCE_DATA_INVALID' | 'SOURCE_POSITION_GONE', message: string, where: string): CdcError {
  return new CdcError(code, message, { where, fix: 'Read the tables again, by `cdc-run snapshot`, once the cause is gone.' });
}

/** What is lost, and cannot be said of one table, is said where dead letters are; reading goes on. */
export function reject({ ctx, where }: ReadingOptions, what: string, place: Position, why: string): Promise<void> {
  return ctx.reject(what, place, readingError('SOURCE_DATA_INVALID', `${what}: ${why}`, where));
}
