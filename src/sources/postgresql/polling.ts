// The PostgreSQL source in mode `polling`: rows are asked for by a growing watermark, each table a partition of its own. Nothing
// is made at the server: no slot, no publication. What polling cannot see by design is said in the capabilities (index.ts).

import { type Page, pollRounds } from '../../polling/rounds.ts';
import { Settling } from '../../polling/settling.ts';
import {
  CdcError,
  type ChangeBatch,
  ChangeEvent,
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
import type { RangeJob } from '../../snapshot/types.ts';
import { ChunkReader } from './chunks.ts';
import { type PostgresqlSourceConfig, tablePatterns } from './config.ts';
import { columnFilter, tableFilter } from './names.ts';
import { newestRow, type PollTable, pollTable, readable, settledBefore, type Watermark } from './poll-table.ts';
import { comparePollPlaces, formatPollPlace, pollPositions, pollTexts } from './polling-position.ts';
import { checkSource } from './preflight.ts';
import { keyOf, type ReadRow } from './read-rows.ts';
import { SchemaHistory } from './schema-history.ts';
import { SchemaTracker } from './schemas.ts';
import { Server } from './server.ts';
import type { CatalogTable } from './system-catalog.ts';

const EVENT_BYTES = 300;

/** One table on its way. */
interface Target {
  readonly partition: string;
  readonly table: PollTable;
  readonly settling: Settling<Position>;
  place: Position | null;
  /** Where to stop; `null` = never. A table that was empty at the start of a one_time run has nothing to stop at. */
  readonly until: Position | 'empty' | null;
}

export class PollingSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = pollPositions;
  readonly #config: PostgresqlSourceConfig;
  readonly #watermark: Watermark;
  readonly #ctx: SourceContext;
  readonly #server: Server;
  #tracker: SchemaTracker | null = null;
  #reader: ChunkReader | null = null;

  constructor(config: PostgresqlSourceConfig, watermark: Watermark, ctx: SourceContext, env: NodeJS.ProcessEnv) {
    this.#config = config;
    this.#watermark = watermark;
    this.#ctx = ctx;
    this.#server = new Server(config, ctx, env);
  }

  describe(): SourceDescription {
    return { connector: 'postgresql', database: this.#server.database };
  }

  check(): AsyncIterable<Finding> {
    return checkSource(this.#server, this.#config);
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    try {
      const targets = await this.#open(ctx, signal),
        options = { clock: this.#ctx.clock, intervalMs: this.#config.poll_interval, reject: ctx.reject };
      yield* pollRounds(targets, (target) => this.#page(target, ctx, signal), options, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw this.#server.error(error);
    }
  }

  async end(): Promise<PartitionPositions> {
    const ends: { [partition: string]: Position } = {};
    for (const [partition, table] of await this.#tables()) {
      const newest = await this.#newest(table);
      if (newest !== null) ends[partition] = newest;
    }
    return ends;
  }

  async acknowledge(): Promise<void> {}
  async acknowledged(): Promise<null> {
    return null;
  }
  async lag(): Promise<Lag> {
    return { events: null, bytes: null };
  }

  async schema(id: TableId): Promise<TableSchema> {
    const found = (await this.#captured()).find((t) => t.schema === id.schema && t.table === id.table);
    if (found === undefined)
      throw new CdcError('SOURCE_MISCONFIGURED', `There is no captured table ${formatTableId(id)}.`, {
        where: this.#server.place.where,
        fix: 'Look at `tables`.',
      });
    const tracker = await this.#track();
    return (await tracker.appear(await tracker.fromCatalog(found), '' as Position)).schema;
  }

  async close(): Promise<void> {
    await this.#server.connections.close();
  }

  // -- tables ------------------------------------------------------------------------------------------------------------

  #captured(): Promise<CatalogTable[]> {
    return this.#server.catalog.tables(tableFilter(tablePatterns(this.#config)));
  }

  async #tables(): Promise<Map<string, PollTable>> {
    const { where } = this.#server.place,
      tables = await this.#captured();
    if (tables.length === 0)
      throw new CdcError('SOURCE_MISCONFIGURED', `No table matches ${tablePatterns(this.#config).join(', ')}.`, {
        where,
        fix: 'Correct `tables`, or create the tables first.',
      });
    return this.#server.use(null, async (session) => {
      const found = new Map<string, PollTable>();
      for (const t of tables)
        found.set(formatTableId({ database: null, schema: t.schema, table: t.table }), await pollTable(session, t, this.#watermark, where));
      return found;
    });
  }

  async #open(ctx: ReadContext, signal: AbortSignal): Promise<Target[]> {
    const { snapshot_mode: mode } = this.#config,
      targets: Target[] = [];
    for (const [partition, table] of await this.#tables()) {
      signal.throwIfAborted();
      const stored = await ctx.assign(partition),
        newest = mode === 'initial' && ctx.until === null ? null : await this.#newest(table);
      if (stored !== null && pollTexts(stored)?.length !== table.chunk.key.length)
        throw new CdcError('STATE_CORRUPT', `"${stored}" is no place of the table ${partition} with this watermark and key.`, {
          where: this.#server.place.where,
          fix: 'Set `watermark` as it was, or begin anew with `cdc-run forget`.',
        });
      const stop = mode === 'initial_only' ? newest : (ctx.until?.partitions[partition] ?? null);
      targets.push({
        partition,
        table,
        settling: new Settling(this.#watermark.settle, (a, b) => (comparePollPlaces(a, b) ?? 1) > 0),
        place: stored ?? (mode === 'never' ? newest : null),
        until: ctx.until === null && mode !== 'initial_only' ? null : (stop ?? 'empty'),
      });
    }
    return targets;
  }

  /** Of all that has a watermark of now or earlier, settled or not. */
  #newest(table: PollTable): Promise<Position | null> {
    return this.#server.use(null, async (session) => {
      const before = table.settles === 'by_time' ? await settledBefore(session, table, -1) : null,
        texts = await newestRow(session, table, before);
      return texts === null ? null : formatPollPlace(texts, table.kinds);
    });
  }

  async #track(): Promise<SchemaTracker> {
    // Versions count within this process, as nothing is kept of older ones: positions do not depend on them.
    this.#tracker ??= new SchemaTracker({
      database: this.#server.database ?? '',
      history: await SchemaHistory.load(forgetfulStore),
      catalog: this.#server.catalog,
      isTable: tableFilter(tablePatterns(this.#config)),
      isColumn: columnFilter(this.#config.columns),
    });
    return this.#tracker;
  }

  // -- rows --------------------------------------------------------------------------------------------------------------

  async #page(target: Target, ctx: ReadContext, signal: AbortSignal): Promise<Page> {
    const { table, until } = target,
      nothing = (isDone: boolean): Page => ({ batch: this.#batch(target, [], 0, null), rejects: [], isDone });
    if (until === 'empty') return nothing(true);
    const { server, tracker } = { server: this.#server, tracker: await this.#track() };
    // Bytes that are not UTF-8 are refused by the server then: polling has no letters for them.
    this.#reader ??= new ChunkReader({ tracker, where: server.place.where, sends: () => () => true, isRaw: false });
    const reader = this.#reader;
    // In this order: what ends in between is seen by the later snapshot.
    const before = await server.use(signal, (session) => settledBefore(session, table, this.#watermark.settle));
    const settled = before === null ? await this.#settledPlace(target, signal) : 'all';
    if (settled === null) return nothing(false);
    const bound = settled === 'all' || (until !== null && pollPositions.covers(settled, until)) ? until : settled;
    const job: RangeJob = {
      kind: 'range',
      id: 0,
      attempt: 0,
      table: target.partition,
      where: readable(table, before),
      after: textsOf(target.place),
      upTo: textsOf(bound),
      maxRows: ctx.maxBatchEvents,
      maxBytes: ctx.maxBatchBytes,
    };
    const read = await server.use(signal, (session) => reader.read(session, table.chunk, job, () => true));
    if (read === null) return nothing(false);
    const events: ChangeEvent[] = [];
    for (let i = 0; i < read.rows.count; i++) events.push(await this.#event(target, read.rows.row(i), tracker));
    target.place = events.at(-1)?.position ?? target.place;
    // All up to the end is read, unless a part of it was held back.
    const isDone = until !== null && read.end && (before === null ? bound === until : this.#isBelow(until, before, table));
    return {
      batch: this.#batch(target, events, read.bytes + events.length * EVENT_BYTES, events.length > 0 ? target.place : null),
      rejects: [],
      isDone,
    };
  }

  async #settledPlace(target: Target, signal: AbortSignal): Promise<Position | 'all' | null> {
    const { table, settling } = target;
    const texts = await this.#server.use(signal, (session) => newestRow(session, table, null));
    return settling.upTo(texts === null ? null : formatPollPlace(texts, table.kinds), this.#ctx.clock.now());
  }

  /** Is the watermark of the place below the bound? */
  #isBelow(place: Position, bound: string, { kinds }: PollTable): boolean {
    const [watermark = ''] = JSON.parse(place) as string[];
    return comparePollPlaces(JSON.stringify([watermark]), JSON.stringify([`${kinds[0]}${bound}`])) === -1;
  }

  async #event({ partition, table }: Target, image: ReadRow, tracker: SchemaTracker): Promise<ChangeEvent> {
    const { schema } = await tracker.appear(image.origin.shape, '' as Position),
      texts = keyOf(image, table.chunk.key);
    if (texts === null) throw new CdcError('INTERNAL_UNEXPECTED', `a row of ${partition} came without its watermark`);
    const position = formatPollPlace(texts, table.kinds);
    const [watermark = ''] = JSON.parse(texts) as string[];
    const ms = table.settles === 'by_time' ? Date.parse(asIso(watermark)) : Number.NaN;
    return new ChangeEvent({
      op: 'u',
      table: schema,
      source: this.#ctx.name,
      partition,
      position,
      sourceTsMs: Number.isNaN(ms) ? this.#ctx.clock.now() : ms,
      after: image,
    });
  }

  #batch({ partition }: Target, events: ChangeEvent[], bytes: number, resume: Position | null): ChangeBatch {
    return { events, bytes, source: this.#ctx.name, partition, resume };
  }
}

const textsOf = (place: Position | null): string | null => (place === null ? null : JSON.stringify(pollTexts(place)));

/** `2024-05-01 10:00:00.5+00` → `2024-05-01T10:00:00.5Z`; a date stays as it is. */
const asIso = (text: string): string => (text.includes(' ') ? `${text.replace(' ', 'T').replace(/\+00$/, '')}Z` : text);
