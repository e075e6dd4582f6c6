// The SQLite source in mode `trigger`: registers itself in the database, keeps the triggers in step, and reads the change
// table and the tables in short transactions. See capture.ts and snapshot.ts for what makes it exact.

import { basename } from 'node:path';
import {
  CdcError,
  type ChangeBatch,
  type ComponentContext,
  type Finding,
  formatTableId,
  type Lag,
  type PartitionPositions,
  type Position,
  type ReadContext,
  type Source,
  type SourceDescription,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import { type CapturedTable, capturedTables, installCapture, matchesTable, missingCapture, recordGap, recordJoin } from './capture.ts';
import {
  acknowledgePlace,
  addConsumer,
  assertFormat,
  type Consumer,
  consumers,
  createChangeTables,
  deleteDone,
  hasChangeTables,
  holdsPlace,
  lastNumber,
  lastPlace,
  moveFloor,
  skipNumbers,
  updateConsumer,
} from './change-tables.ts';
import { checkTriggers } from './check.ts';
import type { SqliteSourceConfig } from './config.ts';
import { SourceConnection } from './connection.ts';
import { planRows } from './decode.ts';
import { capturesNothing, noSuchTable, positionGone } from './errors.ts';
import { readTable, tableNames } from './introspect.ts';
import { type ChangePlace, changePositions, FIRST_PLACE, formatPlace, LOG_PARTITION, parsePlace } from './position.ts';
import { LogSession } from './session.ts';
import { CHANGES } from './triggers.ts';

/** Changes deleted in one transaction: short enough that an application hardly waits for the lock. */
const DELETE_CHUNK = 2_000;

export class TriggerSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = changePositions;
  readonly #config: SqliteSourceConfig;
  readonly #ctx: ComponentContext;
  readonly #connection: SourceConnection;
  readonly #consumer: string;
  #session: LogSession | null = null;
  /** Saves a write when the same place is acknowledged again. */
  #acknowledged = -1;

  constructor(config: SqliteSourceConfig, ctx: ComponentContext) {
    this.#config = config;
    this.#ctx = ctx;
    this.#connection = new SourceConnection(config.path, config.busy_timeout, ctx);
    this.#consumer = `${ctx.pipeline}/${ctx.name}`;
  }

  describe(): SourceDescription {
    return { connector: 'sqlite', database: basename(this.#config.path) };
  }

  check(): AsyncIterable<Finding> {
    return checkTriggers(this.#connection, this.#config, this.#consumer, this.#ctx.clock.now());
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const stored = await ctx.assign(LOG_PARTITION);
    const session = await this.#open(ctx, stored);
    this.#session = session;
    while (!signal.aborted && !session.isDone(ctx.until)) {
      const outputs = await this.#connection.read((db) => session.step(db), signal);
      if (outputs === null) {
        await this.#connection.write((db) => {
          this.#lookAfterTriggers(db);
          session.load(db);
        }, signal);
        continue;
      }
      for (const { batch, rejects } of outputs) {
        // Invariant 3: parked before a place behind it can be confirmed.
        for (const { input, at, error } of rejects) await ctx.reject(input, at, error);
        if (signal.aborted) return;
        yield batch;
        if (signal.aborted) return;
      }
      if (outputs.length === 0 && !session.isDone(ctx.until)) await this.#ctx.clock.sleep(this.#config.poll_interval, signal);
    }
  }

  async end(): Promise<PartitionPositions> {
    const last = await this.#connection.read((db) => (hasChangeTables(db) ? lastPlace(db) : FIRST_PLACE));
    return { [LOG_PARTITION]: formatPlace(last) };
  }

  async acknowledge(upTo: PartitionPositions): Promise<void> {
    const place = parsePlace(upTo[LOG_PARTITION] ?? '');
    if (place === null || place.id === this.#acknowledged) return;
    const nowMs = this.#ctx.clock.now();
    await this.#connection.write((db) => {
      if (hasChangeTables(db)) acknowledgePlace(db, this.#consumer, place, nowMs);
    });
    while (await this.#connection.write((db) => hasChangeTables(db) && deleteDone(db, DELETE_CHUNK)));
    this.#acknowledged = place.id;
  }

  async acknowledged(): Promise<PartitionPositions | null> {
    const text = await this.#connection.read((db) => (hasChangeTables(db) ? (this.#self(db)?.acknowledged ?? null) : null));
    return text === null ? null : { [LOG_PARTITION]: text as Position };
  }

  async lag(): Promise<Lag> {
    const place = this.#session?.place;
    if (place === undefined) return { events: null, bytes: null };
    const last = await this.#connection.read((db) => lastNumber(db));
    return { events: Math.max(0, last - place.id), bytes: null };
  }

  tables(): Promise<TableId[]> {
    return this.#connection.read((db) =>
      tableNames(db)
        .filter((name) => matchesTable(this.#config.tables, name))
        .map((table) => ({ database: null, schema: null, table })),
    );
  }

  async schema(id: TableId): Promise<TableSchema> {
    return this.#connection.read((db) => {
      const captured = hasChangeTables(db) ? capturedTables(db).find((t) => t.active && t.name === id.table) : undefined;
      // As it is now, which the triggers may not have been told yet.
      const table = readTable(db, id.table) ?? captured?.table ?? null;
      if (table === null || !matchesTable(this.#config.tables, id.table)) throw noSuchTable(formatTableId(id), this.#connection.where);
      return planRows(table, captured?.version ?? 1, this.#config.columns, this.#config.types).schema;
    });
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  // -- the start of a reading --------------------------------------------------------------------------------------------

  /** Registers, installs, and finds out where to begin, in one write transaction: no change can fall between the three. */
  #open(ctx: ReadContext, stored: Position | null): Promise<LogSession> {
    const from = stored === null ? null : parsePlace(stored);
    if (stored !== null && from === null)
      throw new CdcError('STATE_CORRUPT', `"${stored}" is no position of this source.`, {
        where: this.#connection.where,
        fix: 'Restore the state.',
      });
    return this.#connection.write((db) => {
      const consumer = this.#register(db),
        start = from === null ? this.#floorPlace(db, consumer) : this.#verify(db, consumer, from);
      const session = new LogSession({
        name: this.#ctx.name,
        consumer: this.#consumer,
        config: this.#config,
        ctx,
        from: start,
        newest: lastPlace(db),
        isNew: from === null,
        clock: this.#ctx.clock,
        random: this.#ctx.random,
      });
      session.load(db);
      if (session.tables.length === 0) throw capturesNothing(this.#config.tables, this.#connection.where);
      return session;
    });
  }

  #register(db: SqliteDatabase): Consumer {
    if (!hasChangeTables(db)) {
      if (!this.#config.install_triggers) this.#throwMissing(db);
      createChangeTables(db);
    }
    assertFormat(db, this.#connection.where);
    const known = this.#self(db),
      { tables } = this.#config,
      nowMs = this.#ctx.clock.now();
    const captured = new Set(
      capturedTables(db)
        .filter((t) => t.active)
        .map((t) => t.no),
    );
    if (known === undefined) addConsumer(db, this.#consumer, tables, nowMs);
    else updateConsumer(db, this.#consumer, tables, nowMs);
    this.#lookAfterTriggers(db);
    // What was recorded before a consumer came is not for it: it reads the rows.
    if (known === undefined) moveFloor(db, this.#consumer, lastNumber(db));
    else
      for (const t of this.#tables(db)) if (captured.has(t.no) && !matchesTable(known.patterns, t.name)) recordJoin(db, t, this.#consumer);
    return this.#self(db) as Consumer;
  }

  /** What this source captures now. */
  #tables(db: SqliteDatabase): CapturedTable[] {
    return capturedTables(db).filter((t) => t.active && matchesTable(this.#config.tables, t.name));
  }

  #self(db: SqliteDatabase): Consumer | undefined {
    return consumers(db).find((c) => c.name === this.#consumer);
  }

  #lookAfterTriggers(db: SqliteDatabase): void {
    if (this.#config.install_triggers) installCapture(db, this.#connection.where);
    else if (missingCapture(db, this.#config.tables).length > 0) this.#throwMissing(db);
  }

  #throwMissing(db: SqliteDatabase): never {
    throw new CdcError('SOURCE_MISCONFIGURED', `The database is not ready: ${missingCapture(db, this.#config.tables).join(', ')}.`, {
      where: this.#connection.where,
      fix: 'Set `install_triggers: true`, at least for one start.',
    });
  }

  /** The oldest change that is kept for this consumer; everything is read from there when no place was stored. */
  #floorPlace(db: SqliteDatabase, { floor }: Consumer): ChangePlace {
    const ts = db.prepare(`SELECT ts FROM ${CHANGES} WHERE id = ?`).pluck().get(floor);
    return { id: floor, ts: Number(ts ?? 0) };
  }

  /** Can reading go on behind this change? Another database, a restored one or an emptied change table cannot serve it. */
  #verify(db: SqliteDatabase, { floor }: Consumer, from: ChangePlace): ChangePlace {
    const problem =
      from.id < floor
        ? `the changes up to ${floor} are deleted`
        : from.id > lastNumber(db)
          ? `the database has ${lastNumber(db)} changes only: it was replaced, or restored from a backup`
          : holdsPlace(db, from)
            ? null
            : 'the database has another change in its place: it was replaced, or restored from a backup';
    if (problem === null) return from;
    if (this.#config.snapshot_mode !== 'when_needed')
      throw positionGone(`Reading cannot go on behind ${changePositions.describe(formatPlace(from))}: ${problem}.`, this.#connection.where);
    this.#beginAnew(db, from);
    return from;
  }

  /** All tables are read again, under numbers that have not been used: destinations know positions up to `from`. */
  #beginAnew(db: SqliteDatabase, from: ChangePlace): void {
    skipNumbers(db, from.id);
    for (const table of this.#tables(db)) recordGap(db, table);
    moveFloor(db, this.#consumer, from.id);
    this.#ctx.logger.warn('the history of the database is lost: all tables are read again', { behind: formatPlace(from) });
  }
}
