// The SQLite source in mode `polling`: rows are asked for by a growing watermark, each table a partition of its own. Nothing
// is written to the database. What polling cannot see by design is said in the capabilities (index.ts).

import { basename } from 'node:path';
import { type Page, pollRounds } from '../../polling/rounds.ts';
import { Settling } from '../../polling/settling.ts';
import {
  type ChangeBatch,
  ChangeEvent,
  type ComponentContext,
  type Finding,
  formatTableId,
  type Lag,
  type PartitionPositions,
  type ReadContext,
  type Source,
  type SourceDescription,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import { matchesTable } from './capture.ts';
import type { Reject } from './changes.ts';
import { checkPolling } from './check.ts';
import type { SqliteSourceConfig, WatermarkConfig } from './config.ts';
import { SourceConnection } from './connection.ts';
import { describeRow, hasNullKey, misfitError, nullKeyError, SqliteRow, Vetting } from './decode.ts';
import { capturesNothing, noSuchTable, notATime, unorderableText } from './errors.ts';
import { tableNames } from './introspect.ts';
import { PollQuery } from './poll-query.ts';
import { compareTuples, formatPoll, type PollPlace, parsePoll, pollPositions } from './position.ts';
import { TextCheck } from './text-check.ts';
import type { Stored } from './types.ts';

/** One table on its way. */
interface Target {
  query: PollQuery;
  /** For which version of the database's schema the query was made. */
  schemaVersion: number;
  place: PollPlace | null;
  /** Where to stop; `null` = never. A table that was empty at the start of a one_time run has nothing to stop at. */
  readonly until: readonly Stored[] | 'empty' | null;
  readonly settling: Settling<readonly Stored[]>;
}

export class PollingSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = pollPositions;
  readonly #config: SqliteSourceConfig;
  readonly #watermark: WatermarkConfig;
  readonly #ctx: ComponentContext;
  readonly #connection: SourceConnection;
  readonly #vetting = new Vetting();
  /** Shape of each table and the version it has; both live as long as the process. */
  readonly #versions = new Map<string, { version: number; shape: string }>();

  constructor(config: SqliteSourceConfig, watermark: WatermarkConfig, ctx: ComponentContext) {
    this.#config = config;
    this.#watermark = watermark;
    this.#ctx = ctx;
    this.#connection = new SourceConnection(config.path, config.busy_timeout, ctx);
  }

  describe(): SourceDescription {
    return { connector: 'sqlite', database: basename(this.#config.path) };
  }

  check(): AsyncIterable<Finding> {
    return checkPolling(this.#connection, this.#config);
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const targets = await this.#open(ctx, signal),
      options = { clock: this.#ctx.clock, intervalMs: this.#config.poll_interval, reject: ctx.reject };
    yield* pollRounds(targets, (target) => this.#connection.read((db) => this.#page(db, target, ctx), signal), options, signal);
  }

  async end(): Promise<PartitionPositions> {
    const nowMs = this.#ctx.clock.now();
    return this.#connection.read((db) => {
      const ends = this.#queries(db).map((query) => ({ query, tuple: query.newest(null, nowMs) }));
      return Object.fromEntries(ends.flatMap(({ query, tuple }) => (tuple === null ? [] : [[query.partition, formatPoll({ tuple })]])));
    });
  }

  async acknowledge(): Promise<void> {}
  async acknowledged(): Promise<null> {
    return null;
  }
  async lag(): Promise<Lag> {
    return { events: null, bytes: null };
  }

  async tables(): Promise<TableId[]> {
    const queries = await this.#connection.read((db) => this.#queries(db));
    return queries.map((q) => q.plan.schema.id);
  }

  async schema(id: TableId): Promise<TableSchema> {
    const queries = await this.#connection.read((db) => this.#queries(db));
    const found = queries.find((q) => q.partition === id.table);
    if (found === undefined) throw noSuchTable(formatTableId(id), this.#connection.where);
    return found.plan.schema;
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  // -- tables ------------------------------------------------------------------------------------------------------------

  async #open(ctx: ReadContext, signal: AbortSignal): Promise<Target[]> {
    const { snapshot_mode: mode } = this.#config,
      nowMs = this.#ctx.clock.now();
    const found = await this.#connection.read(
      (db) => this.#queries(db).map((query) => ({ query, newest: query.newest(null, nowMs) })),
      signal,
    );
    if (found.length === 0) throw capturesNothing(this.#config.tables, this.#connection.where);
    const targets: Target[] = [];
    for (const { query, newest } of found) {
      const stored = await ctx.assign(query.partition);
      const place = stored !== null ? parsePoll(stored) : mode === 'never' && newest !== null ? { tuple: newest } : null;
      const end = ctx.until?.partitions[query.partition],
        stop = mode === 'initial_only' ? newest : end === undefined ? null : parsePoll(end).tuple;
      const until = ctx.until === null && mode !== 'initial_only' ? null : (stop ?? 'empty');
      targets.push({ query, schemaVersion: -1, place, until, settling: new Settling(this.#watermark.settle, isBehind) });
    }
    return targets;
  }

  #queries(db: SqliteDatabase): PollQuery[] {
    const { query, tables } = this.#config,
      { where } = this.#connection;
    if (query !== undefined) return [PollQuery.ofQuery(db, this.#config, query, this.#watermark, where)];
    return tableNames(db)
      .filter((name) => matchesTable(tables, name))
      .map((name) => this.#queryOf(db, name));
  }

  #queryOf(db: SqliteDatabase, name: string): PollQuery {
    const known = this.#versions.get(name),
      query = PollQuery.ofTable(db, name, known?.version ?? 1, this.#config, this.#watermark, this.#connection.where);
    const { columns, key } = query.plan.schema,
      shape = JSON.stringify([columns, key], (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v));
    if (known?.shape === shape) return query;
    const version = known === undefined ? 1 : known.version + 1;
    this.#versions.set(name, { version, shape });
    return version === 1 ? query : PollQuery.ofTable(db, name, version, this.#config, this.#watermark, this.#connection.where);
  }

  // -- rows --------------------------------------------------------------------------------------------------------------

  #page(db: SqliteDatabase, target: Target, ctx: ReadContext): Page {
    const schemaVersion = Number(db.pragma('schema_version', { simple: true }));
    if (schemaVersion !== target.schemaVersion) {
      target.query = this.#queries(db).find((q) => q.partition === target.query.partition) ?? target.query;
      target.schemaVersion = schemaVersion;
    }
    const { query } = target,
      nowMs = this.#ctx.clock.now();
    if (target.until === 'empty') return { batch: this.#batch(query, [], 0, null), rejects: [], isDone: true };
    const settled = query.timeAt === null ? target.settling.upTo(query.newest(target.place, nowMs), nowMs) : 'by_time';
    if (settled === null) return { batch: this.#batch(query, [], 0, null), rejects: [], isDone: false };
    const bound = settled === 'by_time' || settled === 'all' ? target.until : lesser(settled, target.until);
    const read = this.#readRows(db, target, bound, ctx, nowMs);
    // All up to the end is read, unless a row is held back or something was settled only before the end.
    const isDone =
      target.until !== null && read.atEnd && (settled === 'by_time' || settled === 'all' || compareTuples(settled, target.until) >= 0);
    return { batch: this.#batch(query, read.events, read.bytes, read.seen > 0 ? target.place : null), rejects: read.rejects, isDone };
  }

  #readRows(db: SqliteDatabase, target: Target, bound: readonly Stored[] | null, ctx: ReadContext, nowMs: number) {
    const { query } = target,
      { plan, timeAt } = query,
      events: ChangeEvent[] = [],
      rejects: Reject[] = [],
      texts = new TextCheck(db);
    const dueMs = nowMs - this.#watermark.settle;
    let bytes = 0,
      atEnd = true,
      place = target.place;
    const rows: { row: Stored[]; timeMs: number | null; isClean: boolean }[] = [];
    // First all rows, then the events: while the driver steps through rows it does nothing else.
    for (const row of query.rows(target.place, bound, ctx.maxBatchEvents)) {
      const stored = timeAt === null ? nowMs : (row[timeAt] as number | null),
        timeMs = stored === null ? null : Math.round(stored);
      // Not only this row waits, but all behind it: places only grow.
      if (timeMs !== null && timeAt !== null && timeMs > dueMs) {
        atEnd = false;
        break;
      }
      this.#vetting.start();
      this.#vetting.vet(plan, row, 0);
      if (rows.length > 0 && bytes + this.#vetting.bytes > ctx.maxBatchBytes) {
        atEnd = false;
        break;
      }
      bytes += this.#vetting.bytes;
      rows.push({ row, timeMs, isClean: this.#vetting.misfits.length === 0 });
    }
    const exact = (column: number, index: number): boolean => {
      const { sql, parameters } = query.bytesOf(column, target.place, bound, index);
      return texts.isExact(rows[index]?.row[column] as string, sql, parameters);
    };
    for (const [index, { row, timeMs, isClean }] of rows.entries()) {
      place = nextPlace(
        query,
        place,
        query.tupleAt.map((i) => row[i] as Stored),
      );
      const error = this.#problem(query, row, timeMs, isClean, (column) => exact(column, index));
      if (error !== null)
        rejects.push({
          input: describeRow(plan, 'u', row, 0),
          at: `${query.partition}, ${pollPositions.describe(formatPoll(place))}`,
          error,
        });
      else {
        events.push(
          new ChangeEvent({
            op: 'u',
            table: plan.schema,
            source: this.#ctx.name,
            partition: query.partition,
            position: formatPoll(place),
            sourceTsMs: timeMs as number,
            after: new SqliteRow(plan, row, 0),
          }),
        );
      }
    }
    target.place = place;
    return { events, rejects, bytes, seen: rows.length, atEnd: atEnd && rows.length < ctx.maxBatchEvents };
  }

  /** Why the row cannot be told as an event; `null` when it can. */
  #problem(
    query: PollQuery,
    row: readonly Stored[],
    timeMs: number | null,
    isClean: boolean,
    isExact: (column: number) => boolean,
  ): Error | null {
    const { plan } = query,
      { where } = this.#connection;
    if (timeMs === null) return notATime(query.partition, this.#watermark.column, where);
    if (isClean) return hasNullKey(plan, row, 0) ? nullKeyError(plan, where) : null;
    this.#vetting.start();
    this.#vetting.vet(plan, row, 0);
    for (const misfit of this.#vetting.misfits) {
      const value = row[misfit.column] as Stored;
      if (misfit.doubtfulText) {
        if (isExact(misfit.column)) continue;
        // Its text is not what the database compares: reading on behind it could loop or skip.
        if (query.tupleAt.includes(misfit.column)) throw unorderableText(query.partition, where);
      }
      return misfitError(plan, misfit, value, where);
    }
    return hasNullKey(plan, row, 0) ? nullKeyError(plan, where) : null;
  }

  #batch(query: PollQuery, events: ChangeEvent[], bytes: number, place: PollPlace | null): ChangeBatch {
    return { events, bytes, source: this.#ctx.name, partition: query.partition, resume: place === null ? null : formatPoll(place) };
  }
}

const isBehind = (a: readonly Stored[], b: readonly Stored[]): boolean => compareTuples(a, b) > 0;

function lesser(a: readonly Stored[], b: readonly Stored[] | null): readonly Stored[] {
  return b === null || compareTuples(a, b) <= 0 ? a : b;
}

/** For `:last_sync` the greatest watermark that is less than the row's own is kept. */
function nextPlace(query: PollQuery, place: PollPlace | null, tuple: readonly Stored[]): PollPlace {
  if (!query.carriesBefore) return { tuple };
  if (place === null) return { tuple, before: query.beforeAll };
  const isSame = compareTuples(place.tuple.slice(0, 1), tuple.slice(0, 1)) === 0;
  return { tuple, before: isSame ? (place.before ?? query.beforeAll) : (place.tuple[0] as Stored) };
}
