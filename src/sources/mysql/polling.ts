// The MySQL source in mode `polling`: rows are asked for by a growing watermark, each table a partition of its own. It needs neither
// a binary log nor its privileges. What polling cannot see by design is said in the capabilities (index.ts).

import { pollPositions } from '../../polling/places.ts';
import { DEFAULT_SETTLE_MS, PollReader } from '../../polling/reader.ts';
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
import { checkPolling } from './check-polling.ts';
import { type MysqlSourceConfig, tablePatterns } from './config.ts';
import type { Flavor } from './flavor.ts';
import { columnFilter, nameIn, tableFilter } from './names.ts';
import { afterNow, PollBound } from './poll-bound.ts';
import type { PollInput } from './poll-input.ts';
import { pollQuery } from './poll-query.ts';
import { pollTable } from './poll-table.ts';
import { loadHistory } from './schema-history.ts';
import { nameOfTable, SchemaTracker } from './schemas.ts';
import { Server } from './server.ts';

export class PollingSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = pollPositions;
  readonly #config: MysqlSourceConfig;
  readonly #server: Server;
  readonly #flavor: Flavor;
  readonly #polled: PollReader<PollInput>;
  /** Columns of watermarks and keys: read whatever `columns` says. */
  readonly #ordering = new Set<string>();
  #tracker: SchemaTracker | null = null;

  constructor(config: MysqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv, flavor: Flavor) {
    this.#flavor = flavor;
    this.#config = config;
    this.#server = new Server(config, ctx, env);
    const server = this.#server,
      settleMs = config.watermark?.settle ?? DEFAULT_SETTLE_MS,
      bound = new PollBound(settleMs, ctx.clock);
    this.#polled = new PollReader<PollInput>(
      {
        source: ctx.name,
        where: server.place.where,
        clock: ctx.clock,
        settleMs,
        intervalMs: config.poll_interval,
        mode: config.snapshot_mode,
      },
      {
        inputs: () => this.#inputs(),
        settledBefore: async ({ time }, signal) => (time === null ? null : server.use(signal, (session) => bound.before(session, time))),
        newest: (input, signal) =>
          server.use(signal, async (session) => input.newest(session, input.time === null ? null : await afterNow(session, input.time))),
        rows: (input, range, signal) => server.use(signal, (session) => input.rows(session, range)),
        timeOf: ({ time }, watermark) => (time?.zone === 'utc' ? Date.parse(`${watermark.replace(' ', 'T')}Z`) : Number.NaN),
      },
    );
  }

  describe(): SourceDescription {
    return { connector: this.#flavor.name, database: null };
  }

  check(): AsyncIterable<Finding> {
    return checkPolling(this.#server, this.#config, () => this.#inputs());
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    try {
      await this.#flavor.learn((await this.#server.freshFacts(signal)).flavor);
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
    return [...(await this.#inputs()).values()].map((input) => input.id);
  }

  async schema(id: TableId): Promise<TableSchema> {
    const name = nameOfTable({ database: id.database ?? id.schema ?? '', table: id.table }),
      found = (await this.#inputs()).get(name);
    if (found === undefined)
      throw new CdcError('SOURCE_MISCONFIGURED', `There is no captured table ${formatTableId(id)}.`, {
        where: this.#server.place.where,
        fix: 'Look at `tables`.',
      });
    return (await (await this.#track()).appear(found.table, '' as Position)).schema;
  }

  async close(): Promise<void> {
    await this.#server.connections.close();
  }

  // -- tables ------------------------------------------------------------------------------------------------------------

  async #inputs(): Promise<Map<string, PollInput>> {
    const { query } = this.#config,
      found = query === undefined ? await this.#tables() : [await this.#query(query)];
    for (const { order } of found) for (const { name } of order) this.#ordering.add(name);
    return new Map(found.map((input) => [nameOfTable(input.table), input]));
  }

  #query(query: string): Promise<PollInput> {
    const { catalog, home, place } = this.#server,
      [name = ''] = tablePatterns(this.#config),
      { database, table } = nameIn(name, home);
    const { watermark } = this.#config,
      options = { query, database, table, watermark, catalog, where: place.where, tracker: () => this.#track() };
    return this.#server.use(null, (session) => pollQuery(session, options));
  }

  async #tables(): Promise<PollInput[]> {
    const { where } = this.#server.place,
      { watermark } = this.#config,
      patterns = tablePatterns(this.#config),
      tables = await this.#server.catalog.tables(tableFilter(patterns, this.#server.home));
    if (tables.length === 0)
      throw new CdcError('SOURCE_MISCONFIGURED', `No table matches ${patterns.join(', ')}.`, {
        where,
        fix: 'Correct `tables` and `database`, or create the tables first.',
      });
    if (watermark === undefined)
      throw new CdcError('SOURCE_MISCONFIGURED', 'Polling needs a watermark.', { where, fix: 'Name the growing column: `watermark`.' });
    const isMariadb = async (): Promise<boolean> => (await this.#server.facts()).flavor === 'mariadb';
    return tables.map((table) => pollTable(table, watermark, { where, isMariadb, tracker: () => this.#track() }));
  }

  async #track(): Promise<SchemaTracker> {
    const isColumn = columnFilter(this.#config.columns);
    // Versions count within this process, as nothing is kept of older ones: positions do not depend on them.
    this.#tracker ??= new SchemaTracker({
      history: await loadHistory(forgetfulStore),
      catalog: this.#server.catalog,
      queries: this.#server,
      where: this.#server.place.where,
      isTable: tableFilter(tablePatterns(this.#config), this.#server.home),
      isColumn: (database, table, column) => this.#ordering.has(column) || isColumn(database, table, column),
    });
    return this.#tracker;
  }
}
