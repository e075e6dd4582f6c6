// The MySQL source in mode `binlog`: one stream, and what the engine asks beside it. The parts are in opening.ts (where reading goes
// on), reading.ts (packets into batches) and dump/ (the wire).

import {
  CdcError,
  type ChangeBatch,
  type Finding,
  formatTableId,
  type Lag,
  type PartitionPositions,
  type ReadContext,
  type Source,
  type SourceContext,
  type SourceDescription,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import { checkSource } from './check.ts';
import { type MysqlSourceConfig, tablePatterns } from './config.ts';
import type { Packets } from './dump/packets.ts';
import type { BinlogStream } from './dump/stream.ts';
import { StreamLost } from './dump/stream.ts';
import { sourceLag } from './lag.ts';
import { LogIdentity } from './log-identity.ts';
import { columnFilter, tableFilter } from './names.ts';
import { Opener, type Opening } from './opening.ts';
import { BinlogPositions, FIRST_HISTORY, PARTITION, parseFileName, placeAfter } from './position.ts';
import { endOf, LogReading } from './reading.ts';
import { SchemaHistory } from './schema-history.ts';
import { SchemaTracker } from './schemas.ts';
import { Server } from './server.ts';

/** A stream that is lost this soon, twice in a row, is most likely taken by another reader with our number. */
const QUICK_LOSS_MS = 10_000;

export class BinlogSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = new BinlogPositions();
  readonly #config: MysqlSourceConfig;
  readonly #ctx: SourceContext;
  readonly #server: Server;
  readonly #opener: Opener;
  #stream: BinlogStream | null = null;
  #reading: LogReading | null = null;
  #tracker: SchemaTracker | null = null;
  #quickLosses = 0;

  constructor(config: MysqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv) {
    this.#config = config;
    this.#ctx = ctx;
    this.#server = new Server(config, ctx, env);
    this.#opener = new Opener(this.#server, config, ctx);
  }

  describe(): SourceDescription {
    // Each table says its own: one source may read several.
    return { connector: 'mysql', database: null };
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
      this.#stream = opening.stream;
      const reading = await this.#begin(opening, ctx);
      // The start of the log is stored before anything is sent.
      if (opening.isNew) yield { events: [], source: this.#ctx.name, partition: PARTITION, resume: opening.from, bytes: 0 };
      yield* this.#follow(opening.stream, reading, ctx, running);
    } catch (error) {
      if (signal.aborted) return;
      throw this.#failure(error, begunMs);
    } finally {
      over.abort();
      this.#endStream();
    }
  }

  async *#follow(stream: BinlogStream, reading: LogReading, ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const end = this.#config.snapshot_mode === 'initial_only' ? null : endOf(ctx),
      hasEnd = ctx.until !== null;
    while (!signal.aborted) {
      if (hasEnd && (end === null || reading.hasReached(end))) return;
      const packets: Packets | null = await stream.next(signal);
      if (packets === null) continue;
      for await (const batch of reading.take(packets)) {
        yield batch;
        if (signal.aborted) return;
      }
    }
  }

  /** Two readers with one number would throw each other out for ever. */
  #failure(error: unknown, begunMs: number | null): Error {
    if (!(error instanceof StreamLost) || begunMs === null) return this.#server.error(error);
    const isQuick = this.#ctx.clock.now() - begunMs < QUICK_LOSS_MS;
    this.#quickLosses = isQuick ? this.#quickLosses + 1 : 0;
    if (this.#quickLosses < 2) return this.#server.error(error);
    return new CdcError('SOURCE_IN_USE', `The server ended the stream ${this.#quickLosses} times in a row, each soon after it began.`, {
      where: this.#server.place.where,
      fix: 'Look whether another replica has our number (SHOW REPLICAS), and set `server_id` to a free one.',
      retriable: true,
      cause: error,
    });
  }

  async end(): Promise<PartitionPositions> {
    const end = await this.#server.end(),
      name = parseFileName(end?.file ?? '');
    if (end === null || name === null) return {};
    return { [PARTITION]: placeAfter(await this.#historyNumber(), name, end.position, end.gtids) };
  }

  async #historyNumber(): Promise<number> {
    const known = await LogIdentity.load(this.#ctx.store, this.#server.place.where);
    return known?.history ?? FIRST_HISTORY;
  }

  /** The server keeps its log by age, whoever has read it. */
  acknowledge(): Promise<void> {
    return Promise.resolve();
  }

  acknowledged(): Promise<PartitionPositions | null> {
    return Promise.resolve(null);
  }

  async lag(): Promise<Lag> {
    const facts = await this.#server.facts(),
      place = this.#reading?.place ?? null;
    return this.#server.use(null, (session) => sourceLag(session, facts, place, this.positions, this.#historyNumber()));
  }

  async schema(id: TableId): Promise<TableSchema> {
    const tracker = this.#tracker ?? this.#track(await SchemaHistory.load(this.#ctx.store)),
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

  async close(): Promise<void> {
    this.#endStream();
    await this.#server.connections.close();
  }

  // -- one reading -------------------------------------------------------------------------------------------------------

  async #begin({ history, from, isNew, tables, done, identity }: Opening, ctx: ReadContext): Promise<LogReading> {
    const tracker = this.#track(history);
    if (isNew) await tracker.begin(tables, from);
    this.#tracker = tracker;
    const reading = new LogReading({
      source: this.#ctx.name,
      where: this.#server.place.where,
      tracker,
      ctx,
      behind: from,
      done,
      identity,
      emitTruncates: this.#config.on_truncate === 'emit',
      logger: this.#ctx.logger,
      snapshots: null,
      isTable: (database, table) => this.#isTable(database, table),
    });
    this.#reading = reading;
    return reading;
  }

  #track(history: SchemaHistory): SchemaTracker {
    return new SchemaTracker({
      history,
      catalog: this.#server.catalog,
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
