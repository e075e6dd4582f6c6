// The PostgreSQL source in mode `wal`: one slot, one stream, and what the engine asks beside it. The parts are in opening.ts
// (where reading goes on), reading.ts (bytes into batches) and replication/ (the wire).

import {
  CdcError,
  type ChangeBatch,
  type Finding,
  formatTableId,
  type Lag,
  type PartitionPositions,
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
import { type PostgresqlSourceConfig, tablePatterns } from './config.ts';
import { SlotForecast, slotLag } from './lag.ts';
import { messageFilter, sendHeartbeats } from './messages.ts';
import { columnFilter, tableFilter } from './names.ts';
import { Opener, type Opening } from './opening.ts';
import { planSource } from './plan.ts';
import { confirmable, logPositions, PARTITION, parsePlace, positionAfter } from './position.ts';
import { checkSource } from './preflight.ts';
import { Publishing } from './publishing.ts';
import { endOf, LogReading } from './reading.ts';
import { dropSlot } from './replication/slot.ts';
import type { ReplicationStream } from './replication/stream.ts';
import { loadHistory, type SchemaHistory } from './schema-history.ts';
import { SchemaTracker } from './schemas.ts';
import { Server } from './server.ts';
import { checkCondition, nameOfTable, tablesMeant } from './snapshot-request.ts';
import { Snapshots } from './snapshots.ts';

import type { Catalog } from './system-catalog.ts';

import { chunkTable } from './tables-to-read.ts';

/** How often the server is asked where the log ends, while somebody waits for the stream to get there. */
const ASK_MS = 100;

export class WalSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = logPositions;
  readonly #config: PostgresqlSourceConfig;
  readonly #ctx: SourceContext;
  readonly #server: Server;
  readonly #publishing: Publishing;
  readonly #opener: Opener;
  /** Stays open behind the end of a reading: what is acknowledged then still goes out. */
  #stream: ReplicationStream | null = null;
  #reading: LogReading | null = null;
  #tracker: SchemaTracker | null = null;
  #orders: Promise<SnapshotOrders> | null = null;
  #snapshotting: Snapshots | null = null;
  #acknowledged = 0n;
  readonly #forecast = new SlotForecast();

  constructor(config: PostgresqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv) {
    this.#config = config;
    this.#ctx = ctx;
    this.#server = new Server(config, ctx, env);
    this.#publishing = new Publishing(this.#server, config, ctx, () => this.#loadOrders());
    this.#opener = new Opener(this.#server, config, ctx, this.#publishing);
  }

  describe(): SourceDescription {
    return { connector: 'postgresql', database: this.#server.database };
  }

  check(): AsyncIterable<Finding> {
    return checkSource(this.#server, this.#config);
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const over = new AbortController(),
      running = AbortSignal.any([signal, over.signal]);
    let hasBegun = false;
    try {
      await this.#endStream();
      const opening = await this.#opener.open(await ctx.assign(PARTITION), ctx.snapshots, signal);
      this.#stream = opening.stream;
      const { reading, snapshots } = await this.#begin(opening, ctx);
      // The start of the log is stored before anything is sent.
      if (opening.isNew) yield { events: [], source: this.#ctx.name, partition: PARTITION, resume: opening.from, bytes: 0 };
      hasBegun = true;
      snapshots.start(running);
      if (this.#config.heartbeat !== undefined) void sendHeartbeats(this.#server, this.#config.heartbeat, this.#ctx, running);
      void this.#ask(opening.stream, () => ctx.until !== null || !snapshots.isDone, running);
      yield* this.#follow(opening.stream, reading, snapshots, ctx, running);
    } catch (error) {
      if (signal.aborted) return;
      const failure = this.#server.error(error),
        isSetUp = !(failure instanceof CdcError) || failure.code !== 'SOURCE_MISCONFIGURED';
      // What the server says where the publication is gone is less than what we know: the next start decides.
      throw (hasBegun && !isSetUp && (await this.#publishing.look().catch(() => null))) || failure;
    } finally {
      over.abort();
    }
  }

  async *#follow(
    stream: ReplicationStream,
    reading: LogReading,
    snapshots: Snapshots,
    ctx: ReadContext,
    signal: AbortSignal,
  ): AsyncIterable<ChangeBatch> {
    const end = this.#config.snapshot_mode === 'initial_only' ? null : endOf(ctx),
      hasEnd = ctx.until !== null || this.#config.snapshot_mode === 'initial_only';
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
      const frames = await incoming.next();
      if (frames === null) continue;
      for await (const batch of reading.take(frames)) {
        yield batch;
        if (signal.aborted) return;
      }
    }
  }

  async end(): Promise<PartitionPositions> {
    return { [PARTITION]: positionAfter(await this.#server.end()) };
  }

  async acknowledge(upTo: PartitionPositions): Promise<void> {
    const position = upTo[PARTITION],
      place = parsePlace(position ?? '');
    if (position !== undefined && this.#orders !== null) await (await this.#orders).acknowledged(position);
    if (position !== undefined) await this.#publishing.acknowledged(position);
    if (place === null || place.commit <= this.#acknowledged) return;
    this.#acknowledged = place.commit;
    // Invariant 1: commits before this place are durable, and the slot is told of no more than that.
    this.#stream?.confirm(place.commit);
  }

  async acknowledged(): Promise<PartitionPositions | null> {
    const confirmed = await this.#opener.acknowledged();
    // What was said just now may not have reached the slot yet.
    const known = this.#acknowledged > (confirmed ?? 0n) ? this.#acknowledged : confirmed;
    return known === null ? null : { [PARTITION]: positionAfter(known) };
  }

  async lag(): Promise<Lag> {
    const found = await this.#server.use(null, (session) => slotLag(session, this.#server.slot));
    if (found === null) return { events: null, bytes: null };
    const left = this.#snapshotting === null ? null : await this.#publishing.look();
    if (left !== null) this.#snapshotting?.end(left);
    const place = this.#reading?.place,
      behind = place === undefined ? found.bytesBehind : found.currentLsn - confirmable(place);
    return {
      events: null,
      bytes: behind > 0n ? Number(behind) : 0,
      end: { [PARTITION]: positionAfter(found.currentLsn) },
      retention: this.#forecast.retention(found, this.#ctx.clock.now()),
    };
  }

  async tables(): Promise<readonly TableId[]> {
    const { catalog, database } = this.#server,
      found = await catalog.tables((schema, table) => this.#isTable(schema, table));
    return found.map(({ schema, table }) => ({ database, schema, table }));
  }

  async schema(id: TableId): Promise<TableSchema> {
    const { catalog } = this.#server,
      tracker = this.#tracker ?? this.#track(await loadHistory(this.#ctx.store), catalog);
    const known = tracker.latest(id);
    if (known !== null) return known;
    const [table] = await catalog.tables((schema, name) => schema === id.schema && name === id.table && this.#isTable(schema, name));
    if (table === undefined) throw noSuchTable(id, this.#server.place.where);
    return (await tracker.fromCatalog(table)).schema;
  }

  async snapshot(request: SnapshotRequest): Promise<SnapshotReceipt> {
    const { catalog, place } = this.#server;
    const captured = await catalog.tables((schema, table) => this.#isTable(schema, table)),
      meant = tablesMeant(request.tables, captured, place.where);
    if (request.action === 'begin') await checkCondition(this.#server, meant, request);
    const tables = meant.map(nameOfTable),
      orders = await this.#loadOrders();
    await orders.add({ ...request, tables });
    return { tables };
  }

  snapshots(): readonly TableSnapshot[] {
    return this.#snapshotting?.status() ?? [];
  }

  #loadOrders(): Promise<SnapshotOrders> {
    this.#orders ??= SnapshotOrders.load(this.#ctx.store, this.#ctx.logger);
    return this.#orders;
  }

  plan(): Promise<SourcePlan> {
    return planSource(this.#server, this.#config, this.#ctx.clock);
  }

  async close(): Promise<void> {
    await this.#endStream();
    if (this.#config.slot_drop_on_stop && this.#reading !== null) {
      await this.#server.use(null, (session) => dropSlot(session, this.#server.slot, this.#ctx.clock));
    }
    await this.#server.connections.close();
  }

  // -- one reading -------------------------------------------------------------------------------------------------------

  async #begin(opening: Opening, ctx: ReadContext): Promise<{ reading: LogReading; snapshots: Snapshots }> {
    const { history, from, isNew, tables, sends } = opening;
    const tracker = this.#track(history, this.#server.catalog);
    if (isNew) await tracker.begin(tables, from, sends);
    this.#tracker = tracker;
    const snapshots = await this.#snapshots(opening, tracker, ctx);
    const reading = new LogReading({
      source: this.#ctx.name,
      where: this.#server.place.where,
      database: this.#server.database ?? '',
      tracker,
      ctx,
      behind: from,
      emitTruncates: this.#config.on_truncate === 'emit',
      clock: this.#ctx.clock,
      isRaw: opening.isRaw,
      snapshots,
      isMessage: messageFilter(this.#config),
    });
    this.#reading = reading;
    this.#snapshotting = snapshots;
    return { reading, snapshots };
  }

  async #snapshots({ tables, from, stream, isAnew, sends, isRaw }: Opening, tracker: SchemaTracker, read: ReadContext): Promise<Snapshots> {
    const { snapshot, snapshot_mode: mode } = this.#config,
      isInitial = tableFilter(snapshot.tables),
      orders = await this.#loadOrders();
    orders.begin(from);
    return new Snapshots({
      server: this.#server,
      config: this.#config,
      ctx: this.#ctx,
      read,
      tracker,
      where: this.#server.place.where,
      tables: tables.map((t) => chunkTable(t, this.#config)),
      isWanted: (t) => mode !== 'never' && isInitial(t.schema, t.table),
      orders,
      publishing: this.#publishing,
      at: confirmable(from),
      repeatsUntil: await this.#server.end(),
      isAnew,
      isRaw,
      sends,
      onWaiting: () => stream.requestKeepalive(),
    });
  }

  #track(history: SchemaHistory, catalog: Catalog): SchemaTracker {
    return new SchemaTracker({
      database: this.#server.database ?? '',
      history,
      catalog,
      isTable: (schema, table) => this.#isTable(schema, table),
      isColumn: columnFilter(this.#config.columns),
    });
  }

  #isTable(schema: string, table: string): boolean {
    return tableFilter(tablePatterns(this.#config))(schema, table);
  }

  /** An idle server says by itself where its log ends only every half minute. */
  async #ask(stream: ReplicationStream, isWanted: () => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && isWanted()) {
      stream.requestKeepalive();
      await this.#ctx.clock.sleep(ASK_MS, signal);
    }
  }

  async #endStream(): Promise<void> {
    const stream = this.#stream;
    this.#stream = null;
    await stream?.close();
  }
}

function noSuchTable(id: TableId, where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `There is no captured table ${formatTableId(id)}.`, { where, fix: 'Look at `tables`.' });
}
