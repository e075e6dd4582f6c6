// One reading of the stream: frames → messages → batches, tables looked up when their first row comes, and the end of a
// one_time run. The loop over frames waits for nothing but room and the catalog.

import { CdcError, type ChangeBatch, type Clock, type Position, type ReadContext, type TableSchema } from '../../sdk/index.ts';
import { hasFilledColumn } from '../../streaming/filled-columns.ts';
import { Assembler } from './batches.ts';
import { formatLsn } from './lsn.ts';
import { decodeMessage } from './pgoutput/decode.ts';
import { PgoutputError } from './pgoutput/errors.ts';
import type { Relation } from './pgoutput/relation.ts';
import { PARTITION, positionAfter } from './position.ts';
import type { Frames } from './replication/frames.ts';
import { KEEPALIVE, lsnAt, XLOG_DATA, XLOG_HEADER_BYTES } from './replication/status.ts';
import type { SchemaTracker } from './schemas.ts';
import type { Snapshots, StreamPlace } from './snapshots.ts';

export interface ReadingOptions {
  readonly source: string;
  readonly where: string;
  readonly database: string;
  readonly tracker: SchemaTracker;
  readonly ctx: ReadContext;
  readonly behind: Position;
  readonly emitTruncates: boolean;
  readonly clock: Clock;
  readonly isRaw: boolean;
  /** Rows that go out between the transactions; `null`: none do. */
  readonly snapshots: Snapshots | null;
  isMessage(prefix: string): boolean;
}

export class LogReading implements StreamPlace {
  readonly #o: ReadingOptions;
  readonly #assembler: Assembler;
  /** The last place that was handed over. */
  #handed: Position;

  constructor(options: ReadingOptions) {
    this.#o = options;
    this.#assembler = new Assembler({ ...options, observer: options.snapshots });
    this.#handed = options.behind;
  }

  /** Everything before it has been handed over. */
  get place(): Position {
    return this.#handed;
  }

  announce(): Position {
    const [, before = this.#handed, number = '0'] = /^(.*)\.p(\d{6})$/.exec(this.#handed) ?? [];
    this.#handed = `${before}.p${String(Number(number) + 1).padStart(6, '0')}` as Position;
    return this.#handed;
  }

  moveTo(place: Position): void {
    this.#handed = place;
  }

  /** Between two transactions with everything handed over. */
  get isBetween(): boolean {
    return this.#assembler.isBetween;
  }

  hasReached(end: Position): boolean {
    return this.#assembler.isBetween && this.#handed >= end;
  }

  /** The batches of what has come; at its end, when nothing more is waiting, also one that is not full, or progress. */
  async *take(frames: Frames): AsyncGenerator<ChangeBatch, void, undefined> {
    const { maxBatchEvents, maxBatchBytes } = this.#o.ctx,
      assembler = this.#assembler,
      { snapshots } = this.#o;
    const { bytes, starts, ends, count } = frames;
    assembler.nowMs = this.#o.clock.now();
    for (let i = 0; i < count; i++) {
      const start = starts[i] as number,
        end = ends[i] as number;
      if (bytes[start] === KEEPALIVE) {
        assembler.keepalive(lsnAt(bytes, start));
        continue;
      }
      if (bytes[start] !== XLOG_DATA || end - start <= XLOG_HEADER_BYTES)
        throw this.#invalid(bytes, start, new PgoutputError('an unknown frame', 0));
      const message = start + XLOG_HEADER_BYTES;
      for (let r = assembler.unresolved(bytes, message, end); r !== null; r = assembler.unresolved(bytes, message, end)) {
        await this.#resolve(r, bytes.readUInt32BE(start + 1), bytes.readUInt32BE(start + 5));
      }
      this.#decode(bytes, start, message, end);
      if (assembler.broken.length > 0) await this.#park();
      while (assembler.isFull(maxBatchEvents, maxBatchBytes)) yield* this.#next();
      // The log may be so busy that no end of frames ever is the end of a transaction.
      if (snapshots?.hasDue === true && !assembler.isInTransaction) {
        yield* this.#flush();
        yield* snapshots.due(this);
      }
    }
    yield* this.#flush();
  }

  /** Whole transactions never wait for the next one. */
  *#flush(): Generator<ChangeBatch, void, undefined> {
    while (this.#assembler.hasCommitted) yield* this.#next();
    if (this.#assembler.isBetween && this.#assembler.done > this.#handed) yield* this.#next();
  }

  *#next(): Generator<ChangeBatch, void, undefined> {
    // A run's list of keys has grown by events: it is stored before them.
    const progress = this.#o.snapshots?.progress(this) ?? null;
    if (progress !== null) yield progress;
    const batch = this.#assembler.take(this.#o.ctx.maxBatchEvents, this.#o.ctx.maxBatchBytes);
    if (batch.resume !== null) this.#handed = batch.resume;
    yield batch;
  }

  async #park(): Promise<void> {
    const { broken } = this.#assembler;
    this.#assembler.broken = [];
    for (const { input, at, error } of broken) await this.#o.ctx.reject(input, at, error);
  }

  #decode(bytes: Buffer, frame: number, start: number, end: number): void {
    this.#assembler.messageBytes = end - start;
    try {
      decodeMessage(bytes, start, end, bytes.readUInt32BE(frame + 1), bytes.readUInt32BE(frame + 5), this.#assembler);
    } catch (error) {
      throw this.#invalid(bytes, frame, error);
    }
  }

  async #resolve(relation: Relation, lsnHi: number, lsnLo: number): Promise<void> {
    const before = this.#assembler.placeBefore(lsnHi, lsnLo);
    // Several tables may be new at one TRUNCATE.
    const at = `${before}.s${String(relation.oid).padStart(10, '0')}` as Position;
    const { table, change } = await this.#o.tracker.meet(relation, at);
    this.#assembler.resolve(relation, table, change, at);
    if (table !== null && change?.previous && hasOtherValues(change.previous, table.schema)) this.#o.snapshots?.readAgain(table);
  }

  #invalid(bytes: Buffer, frame: number, error: unknown): Error {
    const at = formatLsn(lsnAt(bytes, frame));
    const why = error instanceof Error ? error.message : String(error);
    return new CdcError('SOURCE_DATA_INVALID', `A message of the log at ${at} cannot be read: ${why}.`, {
      where: this.#o.where,
      fix: 'Check what stands between here and the server; if nothing does, report it with the version of the server.',
      cause: error,
    });
  }
}

/** In rows that are there, and not by changes that were logged. */
function hasOtherValues(before: TableSchema, after: TableSchema): boolean {
  if (hasFilledColumn(before, after)) return true;
  return before.columns.some((b) => {
    const a = after.columns.find((c) => c.name === b.name);
    // A text that may be longer is the same text.
    return a !== undefined && a.nativeType !== b.nativeType && !(a.type === 'string' && b.type === 'string');
  });
}

/** `until` of a one_time run as a place; `null`: it has none. */
export function endOf({ until }: ReadContext): Position | null {
  return until === null ? null : (until.partitions[PARTITION] ?? positionAfter(0n));
}
