// The destination's life: opens on first use, claims, writes, closes. SQLite calls block, so a batch is one short stretch.

import {
  CdcError,
  type Committed,
  type DestinationContext,
  type Finding,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type ResumePoint,
  type SchemaPreview,
  type TableSchema,
  type WriteResult,
} from '../../sdk/index.ts';
import { nextTurn } from '../../util/next-turn.ts';
import { fileIdentity, inTransaction, type SqliteDatabase, whileBusy } from '../../util/sqlite.ts';
import { checkFile } from './check.ts';
import type { SqliteConfig } from './config.ts';
import { openDatabase } from './connection.ts';
import { classify, isEventError, isOutcomeOpen, outcomeUnknown } from './errors.ts';
import { PointTable } from './points.ts';
import { previewSchema } from './preview.ts';
import { Targets } from './target.ts';
import { BatchWriter } from './writer.ts';

interface Open {
  readonly db: SqliteDatabase;
  /** Which file it is. */
  readonly identity: string | null;
  readonly points: PointTable;
  readonly targets: Targets;
  readonly writer: BatchWriter;
}

export class SqliteDestination implements PointHoldingDestination {
  readonly #config: SqliteConfig;
  readonly #ctx: DestinationContext;
  #open: Open | null = null;
  /** What this run claimed: batches are written under it. */
  #claimed: { readonly lane: LaneId; readonly epoch: number } | null = null;

  constructor(config: SqliteConfig, ctx: DestinationContext) {
    this.#config = config;
    this.#ctx = ctx;
  }

  check(): AsyncIterable<Finding> {
    return checkFile(this.#config);
  }

  committed(lane: LaneId): Promise<Committed> {
    return this.#call(({ points }) => points.read(lane));
  }

  async claim(lane: LaneId, epoch: number): Promise<void> {
    await this.#call(({ db, points }) =>
      inTransaction(db, 'immediate', () => {
        points.create();
        points.claim(lane, epoch);
      }),
    );
    this.#claimed = { lane, epoch };
  }

  setPoints(lane: LaneId, epoch: number, list: readonly ResumePoint[]): Promise<void> {
    return this.#call(({ db, points }) =>
      inTransaction(db, 'immediate', () => {
        points.replace(lane, epoch, list);
      }),
    );
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const claimed = this.#claimed;
    if (claimed === null) throw new CdcError('INTERNAL_UNEXPECTED', 'a batch was written before the destination was claimed');
    return this.#call((open) => this.#store(open, batch, claimed), signal);
  }

  /** One transaction: rows and point, or nothing. The point first, so that a fenced process finds that out before anything else. */
  #store({ db, points, targets, writer }: Open, batch: LaneBatch, { lane, epoch }: { lane: LaneId; epoch: number }): WriteResult {
    let discarded: number;
    db.exec('BEGIN IMMEDIATE');
    try {
      points.advance(lane, epoch, batch);
      discarded = writer.apply(batch);
    } catch (error) {
      // Some errors (disk full, I/O) have rolled back already.
      if (db.inTransaction) db.exec('ROLLBACK');
      targets.forget();
      if (!isEventError(error)) throw error;
      return { kind: 'refused', failed: this.#probe(db, targets, () => writer.findFailures(batch)) };
    }
    this.#commit(db, targets);
    return { kind: 'stored', ...(discarded === 0 ? {} : { discarded }) };
  }

  #commit(db: SqliteDatabase, targets: Targets): void {
    try {
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      targets.forget();
      if (!isOutcomeOpen(error)) throw error;
      // A new connection finds out from the journal what became of it; the engine reads the point back.
      db.close();
      this.#open = null;
      throw outcomeUnknown(error, this.#config.path);
    }
  }

  #probe<T>(db: SqliteDatabase, targets: Targets, work: () => T): T {
    db.exec('BEGIN IMMEDIATE');
    try {
      return work();
    } finally {
      if (db.inTransaction) db.exec('ROLLBACK');
      targets.forget();
    }
  }

  async #call<T>(work: (open: Open) => T, signal?: AbortSignal): Promise<T> {
    try {
      await nextTurn();
      // What is written to a file that was removed or replaced is seen by nobody.
      if (this.#open !== null && fileIdentity(this.#config.path) !== this.#open.identity) await this.close();
      this.#open ??= await this.#connect();
      const open = this.#open;
      return await whileBusy(this.#ctx.clock, this.#config.busy_timeout, () => work(open), signal);
    } catch (error) {
      throw classify(error, this.#config.path);
    }
  }

  async #connect(): Promise<Open> {
    const db = await openDatabase(this.#config);
    const targets = new Targets(db, {
      config: this.#config,
      evolution: this.#ctx.schemaEvolution,
      logger: this.#ctx.logger,
      where: `destination "${this.#ctx.name}"`,
    });
    return {
      db,
      identity: fileIdentity(this.#config.path),
      points: new PointTable(db),
      targets,
      writer: new BatchWriter(db, this.#config, targets),
    };
  }

  previewSchema(source: string, tables: readonly TableSchema[]): AsyncIterable<SchemaPreview> {
    return previewSchema(this.#config, this.#ctx.schemaEvolution, source, tables);
  }

  async close(): Promise<void> {
    this.#open?.db.close();
    this.#open = null;
  }
}
