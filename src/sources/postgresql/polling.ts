// The PostgreSQL source in mode `polling`: rows are asked for by a growing watermark, each table a partition of its own. Nothing
// is made at the server: no slot, no publication. What polling cannot see by design is said in the capabilities (index.ts).

import { pollPositions } from '../../polling/places.ts';
import { DEFAULT_SETTLE_MS, type PolledRow, type PolledRows, type PollRange, PollReader } from '../../polling/reader.ts';
import {
  CdcError,
  type ChangeBatch,
  type Finding,
  forgetfulStore,
  formatTableId,
  type Lag,
  type PartitionPositions,
  type Position,
  type ReadContext,
  type Source,
  type SourceContext,
  type SourceDescription,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import { ChunkReader } from './chunks.ts';
import { type PostgresqlSourceConfig, tablePatterns } from './config.ts';
import { error, ok } from './findings.ts';
import { columnFilter, tableFilter } from './names.ts';
import { type PollInput, settledBefore } from './poll-input.ts';
import { PollQuery } from './poll-query.ts';
import { PollTable } from './poll-table.ts';
import { checkSource } from './preflight.ts';
import { keyOf } from './read-rows.ts';
import { loadHistory } from './schema-history.ts';
import { type CatalogShape, SchemaTracker } from './schemas.ts';
import { Server } from './server.ts';
import type { CatalogTable } from './system-catalog.ts';

export class PollingSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = pollPositions;
  readonly #config: PostgresqlSourceConfig;
  readonly #server: Server;
  readonly #polled: PollReader<PollInput>;
  #tracker: SchemaTracker | null = null;
  #reader: ChunkReader | null = null;

  constructor(config: PostgresqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv) {
    this.#config = config;
    this.#server = new Server(config, ctx, env);
    const server = this.#server,
      { where } = server.place,
      settleMs = config.watermark?.settle ?? DEFAULT_SETTLE_MS;
    this.#polled = new PollReader<PollInput>(
      { source: ctx.name, where, clock: ctx.clock, settleMs, intervalMs: config.poll_interval, mode: config.snapshot_mode },
      {
        inputs: () => this.#inputs(),
        settledBefore: (input, signal) => server.use(signal, (session) => settledBefore(session, input.settles, settleMs, where)),
        newest: (input, signal) =>
          server.use(signal, async (session) =>
            input.newest(session, input.settles === 'by_time' ? await settledBefore(session, input.settles, -1, where) : null),
          ),
        rows: (input, range, signal) => this.#rows(input, range, signal),
        timeOf: (input, watermark) => (input.settles === 'by_time' ? Date.parse(asIso(watermark)) : Number.NaN),
      },
    );
  }

  describe(): SourceDescription {
    return { connector: 'postgresql', database: this.#server.database };
  }

  async *check(): AsyncIterable<Finding> {
    let isFine = true;
    for await (const finding of checkSource(this.#server, this.#config)) {
      isFine &&= finding.level !== 'error';
      yield finding;
    }
    if (!isFine) return;
    try {
      for (const [name, { order }] of await this.#inputs()) yield ok('watermark', `${name} is read in the order of ${order.join(', ')}`);
    } catch (cause) {
      if (!(cause instanceof CdcError)) throw cause;
      yield error('watermark', cause.message, cause.fix ?? 'Correct `watermark`.', cause.code);
    }
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    try {
      yield* this.#polled.read(ctx, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw this.#server.error(error);
    }
  }

  end(): Promise<PartitionPositions> {
    return this.#polled.end();
  }

  async acknowledge(): Promise<void> {}
  async acknowledged(): Promise<null> {
    return null;
  }
  async lag(): Promise<Lag> {
    return { events: null, bytes: null };
  }

  async tables(): Promise<readonly TableId[]> {
    return [...(await this.#inputs()).values()].map((input) => ({ ...input.id, database: this.#server.database }));
  }

  async schema(id: TableId): Promise<TableSchema> {
    const found = (await this.#inputs()).get(formatTableId({ ...id, database: null }));
    if (found === undefined)
      throw new CdcError('SOURCE_MISCONFIGURED', `There is no captured table ${formatTableId(id)}.`, {
        where: this.#server.place.where,
        fix: 'Look at `tables`.',
      });
    const tracker = await this.#track();
    return (await tracker.appear(await tracker.fromCatalog(await found.catalogTable()), '' as Position)).schema;
  }

  async close(): Promise<void> {
    await this.#server.connections.close();
  }

  // -- tables ------------------------------------------------------------------------------------------------------------

  #captured(): Promise<CatalogTable[]> {
    return this.#server.catalog.tables(tableFilter(tablePatterns(this.#config)));
  }

  async #inputs(): Promise<Map<string, PollInput>> {
    const { query } = this.#config,
      found = query === undefined ? await this.#tables() : [await this.#query(query)];
    return new Map(found.map((input) => [formatTableId(input.id), input]));
  }

  #query(query: string): Promise<PollInput> {
    const { watermark } = this.#config,
      { place } = this.#server,
      [name = ''] = tablePatterns(this.#config);
    const options = { query, name, watermark, where: place.where, tracker: () => this.#track() };
    return this.#server.use(null, (session) => PollQuery.open(session, options));
  }

  async #tables(): Promise<PollInput[]> {
    const { where } = this.#server.place,
      { watermark } = this.#config,
      tables = await this.#captured();
    if (tables.length === 0)
      throw new CdcError('SOURCE_MISCONFIGURED', `No table matches ${tablePatterns(this.#config).join(', ')}.`, {
        where,
        fix: 'Correct `tables`, or create the tables first.',
      });
    if (watermark === undefined)
      throw new CdcError('SOURCE_MISCONFIGURED', 'Polling needs a watermark.', { where, fix: 'Name the growing column: `watermark`.' });
    return this.#server.use(null, async (session) => {
      const found: PollInput[] = [];
      for (const t of tables) found.push(await PollTable.open(session, t, watermark, where, () => this.#chunks()));
      return found;
    });
  }

  async #track(): Promise<SchemaTracker> {
    // Versions count within this process, as nothing is kept of older ones: positions do not depend on them.
    this.#tracker ??= new SchemaTracker({
      database: this.#server.database ?? '',
      history: await loadHistory(forgetfulStore),
      catalog: this.#server.catalog,
      isTable: tableFilter(tablePatterns(this.#config)),
      isColumn: columnFilter(this.#config.columns),
    });
    return this.#tracker;
  }

  // -- rows --------------------------------------------------------------------------------------------------------------

  async #chunks(): Promise<ChunkReader> {
    // Bytes that are not UTF-8 are refused by the server then: polling has no letters for them.
    this.#reader ??= new ChunkReader({
      tracker: await this.#track(),
      where: this.#server.place.where,
      sends: () => () => true,
      isRaw: false,
      mayBeStandby: true,
    });
    return this.#reader;
  }

  async #rows(input: PollInput, range: PollRange, signal: AbortSignal): Promise<PolledRows> {
    const { rows, bytes, end } = await this.#server.use(signal, (session) => input.rows(session, range)),
      tracker = await this.#track(),
      schemas = new Map<CatalogShape, TableSchema>(),
      found: PolledRow[] = [];
    for (const image of rows) {
      const { shape } = image.origin,
        table = schemas.get(shape) ?? (await tracker.appear(shape, '' as Position)).schema,
        texts = keyOf(image, input.order);
      schemas.set(shape, table);
      if (texts === null) throw new CdcError('INTERNAL_UNEXPECTED', `a row of ${formatTableId(input.id)} came without its watermark`);
      found.push({ texts, table, after: image });
    }
    return { rows: found, bytes, end };
  }
}

/** `2024-05-01 10:00:00.5+00` → `2024-05-01T10:00:00.5Z`; a date stays as it is. */
const asIso = (text: string): string => (text.includes(' ') ? `${text.replace(' ', 'T').replace(/\+00$/, '')}Z` : text);
