// The MySQL source in mode `binlog`: one stream, and what the engine asks beside it. The parts are in opening.ts (where reading goes
// on), reading.ts (packets into batches) and dump/ (the wire).

import {
  CdcError,
  type ChangeBatch,
  type Finding,
  formatTableId,
  type Lag,
  type PartitionPositions,
  type Position,
  type ReadContext,
  type SnapshotReceipt,
  type SnapshotRequest,
  type Source,
  type SourceContext,
  type SourceDescription,
  type SourcePlan,
  type TableId,
  type TableSchema,
  type TableSnapshot,
} from '../../sdk/index.ts';
import { Incoming } from '../../snapshot/incoming.ts';
import { SnapshotOrders } from '../../snapshot/orders.ts';
import { StoppedTables } from '../../streaming/stopped-tables.ts';
import { checkSource } from './check.ts';
import { type MysqlSourceConfig, tablePatterns } from './config.ts';
import type { BinlogStream } from './dump/stream.ts';
import type { Flavor } from './flavor.ts';
import { sourceLag } from './lag.ts';
import { LogIdentity } from './log-identity.ts';
import { columnFilter, tableFilter } from './names.ts';
import { Opener, type Opening } from './opening.ts';
import { planSource } from './plan.ts';
import { BinlogPositions, FIRST_HISTORY, PARTITION, parseFileName, parsePlace, placeAfter } from './position.ts';
import { PreparedTransactions } from './prepared.ts';
import { LogReading } from './reading.ts';
import { endOf } from './reading-options.ts';
import { loadHistory, type SchemaHistory } from './schema-history.ts';
import { nameOfTable, SchemaTracker, tableId } from './schemas.ts';
import { Server } from './server.ts';
import { checkCondition, tablesMeant } from './snapshot-request.ts';
import { numberOf, Snapshots } from './snapshots.ts';
import { chunkTable } from './tables-to-read.ts';

/** A stream that is lost this soon, twice in a row, is most likely taken by another reader with our number. */
const QUICK_LOSS_MS = 10_000;

export class BinlogSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = new BinlogPositions();
  readonly #config: MysqlSourceConfig;
  readonly #ctx: SourceContext;
  readonly #server: Server;
  readonly #flavor: Flavor;
  readonly #opener: Opener;
  #stream: BinlogStream | null = null;
  #reading: LogReading | null = null;
  #tracker: SchemaTracker | null = null;
  #snapshotting: Snapshots | null = null;
  #orders: Promise<SnapshotOrders> | null = null;
  #prepared: PreparedTransactions | null = null;
  #stopped: Promise<StoppedTables> | null = null;
  #quickLosses = 0;
  /** What is stored; `null` before the first. */
  #acknowledged: Position | null = null;

  constructor(config: MysqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv, flavor: Flavor) {
    this.#flavor = flavor;
    this.#config = config;
    this.#ctx = ctx;
    this.#server = new Server(config, ctx, env);
    this.#opener = new Opener(this.#server, config, ctx);
  }

  describe(): SourceDescription {
    // Each table says its own database.
    return { connector: this.#flavor.name, database: null };
  }

  check(): AsyncIterable<Finding> {
    return checkSource(this.#server, this.#config);
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const over = new AbortController(),
      running = AbortSignal.any([signal, over.signal]);
    let begunMs: number | null = null;
    try {
      this.#endStream();
      const opening = await this.#opener.open(await ctx.assign(PARTITION), signal);
      begunMs = this.#ctx.clock.now();
      await this.#flavor.learn(opening.facts.flavor);
      this.#stream = opening.stream;
      const { reading, snapshots } = await this.#begin(opening, ctx);
      // The start of the log is stored before anything is sent.
      if (opening.isNew) yield { events: [], source: this.#ctx.name, partition: PARTITION, resume: opening.from, bytes: 0 };
      snapshots.start(running);
      yield* this.#follow(opening.stream, reading, snapshots, ctx, running);
    } catch (error) {
      if (signal.aborted) return;
      throw this.#failure(error, begunMs);
    } finally {
      over.abort();
      this.#endStream();
    }
  }

  async *#follow(
    stream: BinlogStream,
    reading: LogReading,
    snapshots: Snapshots,
    ctx: ReadContext,
    signal: AbortSignal,
  ): AsyncIterable<ChangeBatch> {
    const isInitialOnly = this.#config.snapshot_mode === 'initial_only',
      end = isInitialOnly ? null : endOf(ctx),
      hasEnd = ctx.until !== null || isInitialOnly;
    const isDone = (): boolean => hasEnd && snapshots.isDone && (end === null || reading.hasReached(end));
    const incoming = new Incoming(stream, snapshots.changed, signal);
    while (!signal.aborted) {
      if (snapshots.hasDue && reading.isBetween) {
        for await (const batch of snapshots.due(reading)) {
          yield batch;
          if (signal.aborted) return;
        }
      }
      if (snapshots.failure) throw snapshots.failure;
      if (isDone()) return;
      const packets = await incoming.next();
      if (packets === null) continue;
      for await (const batch of reading.take(packets)) {
        yield batch;
        if (signal.aborted) return;
      }
    }
  }

  /** Two readers with one number would throw each other out for ever. */
  #failure(cause: unknown, begunMs: number | null): Error {
    const error = this.#server.error(cause),
      isLost = error instanceof CdcError && error.code === 'SOURCE_UNREACHABLE' && begunMs !== null;
    const isQuick = isLost && this.#ctx.clock.now() - begunMs < QUICK_LOSS_MS;
    this.#quickLosses = isQuick ? this.#quickLosses + 1 : 0;
    if (this.#quickLosses < 2) return error;
    return new CdcError('SOURCE_IN_USE', `The server ended the stream ${this.#quickLosses} times in a row, each soon after it began.`, {
      where: this.#server.place.where,
      fix: 'Look whether another replica has our number (SHOW REPLICAS), and set `server_id` to a free one.',
      retriable: true,
      cause,
    });
  }

  async end(): Promise<PartitionPositions> {
    const end = await this.#server.end(),
      name = parseFileName(end?.file ?? '');
    if (end === null || name === null) return {};
    return { [PARTITION]: placeAfter(await this.#historyNumber(name.base), name, end.position, end.gtids) };
  }

  /** Of the log that the server has now, also before a reading has begun at it. */
  async #historyNumber(base?: string): Promise<number> {
    const known = await LogIdentity.load(this.#ctx.store, this.#server.place.where);
    if (known === null) return FIRST_HISTORY;
    const isOther = base !== undefined && !known.isOf((await this.#server.facts()).identity, base);
    return isOther ? known.history + 1 : known.history;
  }

  /** The server keeps its log by age, whoever has read it. */
  async acknowledge(upTo: PartitionPositions): Promise<void> {
    const position = upTo[PARTITION];
    if (position === undefined) return;
    this.#acknowledged = position;
    await this.#prepared?.acknowledged(position);
    if (this.#orders !== null) await (await this.#orders).acknowledged(position);
    if (this.#stopped !== null) await (await this.#stopped).acknowledged((place) => this.positions.covers(position, place));
  }

  acknowledged(): Promise<PartitionPositions | null> {
    return Promise.resolve(null);
  }

  async lag(): Promise<Lag> {
    const facts = await this.#server.facts(),
      read = { place: this.#reading?.place ?? null, stored: this.#acknowledged, ages: this.#reading?.ages ?? null };
    return this.#server.use(null, (session) => sourceLag(session, facts, read, this.positions, this.#historyNumber()));
  }

  async schema(id: TableId): Promise<TableSchema> {
    const tracker = this.#tracker ?? this.#track(await loadHistory(this.#ctx.store)),
      database = id.database ?? id.schema ?? this.#server.home ?? '';
    if (this.#isTable(database, id.table)) {
      const found = await tracker.current(database, id.table);
      if (found !== null) return found.schema;
    }
    throw new CdcError('SOURCE_MISCONFIGURED', `There is no captured table ${formatTableId(id)}.`, {
      where: this.#server.place.where,
      fix: 'Look at `tables`.',
    });
  }

  async tables(): Promise<readonly TableId[]> {
    const found = await this.#server.catalog.tables((database, table) => this.#isTable(database, table));
    return found.map((t) => tableId(t.database, t.table));
  }

  async snapshot(request: SnapshotRequest): Promise<SnapshotReceipt> {
    const { catalog, place, home } = this.#server;
    const captured = await catalog.tables((database, table) => this.#isTable(database, table)),
      meant = tablesMeant(request.tables, captured, home, place.where);
    if (request.action === 'begin') await checkCondition(this.#server, meant, request);
    const tables = meant.map(nameOfTable),
      orders = await this.#loadOrders(),
      stopped = await this.#loadStopped();
    if (request.where !== null && tables.some((t) => stopped.has(t)))
      throw needsAllRows(
        tables.filter((t) => stopped.has(t)),
        place.where,
      );
    await orders.add({ ...request, tables });
    return { tables };
  }

  snapshots(): readonly TableSnapshot[] {
    return this.#snapshotting?.status() ?? [];
  }

  plan(): Promise<SourcePlan> {
    return planSource(this.#server, this.#config, this.#ctx.clock);
  }

  async close(): Promise<void> {
    this.#endStream();
    await this.#server.connections.close();
  }

  // -- one reading -------------------------------------------------------------------------------------------------------

  async #begin(opening: Opening, ctx: ReadContext): Promise<{ reading: LogReading; snapshots: Snapshots }> {
    const { history, from, isNew, tables, done, identity } = opening;
    const tracker = this.#track(history);
    if (isNew) await tracker.begin(tables, from);
    this.#tracker = tracker;
    const stopped = await this.#loadStopped();
    if (opening.isAnew) await stopped.clear();
    await stopped.settle((await this.#loadOrders()).ordered);
    const snapshots = await this.#snapshots(opening, tracker, ctx);
    this.#prepared = await PreparedTransactions.load(this.#ctx.store);
    const reading = new LogReading({
      prepared: this.#prepared,
      stopped,
      rowImage: this.#config.binlog_row_image,
      source: this.#ctx.name,
      where: this.#server.place.where,
      tracker,
      ctx,
      behind: from,
      done,
      identity,
      emitTruncates: this.#config.on_truncate === 'emit',
      logger: this.#ctx.logger,
      snapshots,
      isTable: (database, table) => this.#isTable(database, table),
    });
    this.#reading = reading;
    this.#snapshotting = snapshots;
    return { reading, snapshots };
  }

  async #snapshots({ tables, from, isAnew, facts, identity }: Opening, tracker: SchemaTracker, read: ReadContext): Promise<Snapshots> {
    const { snapshot, snapshot_mode: mode } = this.#config,
      { home, place } = this.#server,
      isInitial = tableFilter(snapshot.tables, home),
      orders = await this.#loadOrders(),
      stopped = await this.#loadStopped(),
      end = await this.end();
    orders.begin(from);
    return new Snapshots({
      server: this.#server,
      config: this.#config,
      ctx: this.#ctx,
      read,
      tracker,
      where: place.where,
      facts,
      // By file and place nobody knows which transactions were streamed before a restart.
      kind: facts.flavor === 'mariadb' ? 'place' : parsePlace(from)?.done != null ? 'gtids' : 'margin',
      marginMs: snapshot.margin,
      history: identity.history,
      clock: this.#ctx.clock,
      tables: tables.map((t) => chunkTable(t, this.#config, home)),
      isWanted: (t) => mode !== 'never' && isInitial(t.database, t.table),
      orders,
      stopped,
      from,
      repeatsUntil: numberOf(end[PARTITION] ?? ''),
      isAnew,
    });
  }

  #loadOrders(): Promise<SnapshotOrders> {
    this.#orders ??= SnapshotOrders.load(this.#ctx.store, this.#ctx.logger);
    return this.#orders;
  }

  #loadStopped(): Promise<StoppedTables> {
    this.#stopped ??= StoppedTables.load(this.#ctx.store);
    return this.#stopped;
  }

  #track(history: SchemaHistory): SchemaTracker {
    return new SchemaTracker({
      history,
      catalog: this.#server.catalog,
      queries: this.#server,
      where: this.#server.place.where,
      isTable: (database, table) => this.#isTable(database, table),
      isColumn: columnFilter(this.#config.columns),
    });
  }

  #filter: ((database: string, table: string) => boolean) | null = null;
  #isTable(database: string, table: string): boolean {
    this.#filter ??= tableFilter(tablePatterns(this.#config), this.#server.home);
    return this.#filter(database, table);
  }

  #endStream(): void {
    const stream = this.#stream;
    this.#stream = null;
    stream?.close();
  }
}

/** A part of the rows would leave out what was missed of the rest. */
function needsAllRows(tables: readonly string[], where: string): CdcError {
  return new CdcError('SOURCE_SNAPSHOT_REFUSED', `Changes of ${tables.join(', ')} were missed: all rows must be read again, not some.`, {
    where,
    fix: 'Leave --where out.',
  });
}
