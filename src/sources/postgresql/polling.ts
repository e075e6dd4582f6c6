// The PostgreSQL source in mode `polling`: rows are asked for by a growing watermark, each table a partition of its own. Nothing
// is made at the server: no slot, no publication. What polling cannot see by design is said in the capabilities (index.ts).

import { comparePollPlaces, formatPollPlace, pollPositions, pollTexts, watermarkBefore } from '../../polling/places.ts';
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
import { ChunkReader } from './chunks.ts';
import { type PostgresqlSourceConfig, tablePatterns } from './config.ts';
import { error, ok } from './findings.ts';
import { columnFilter, tableFilter } from './names.ts';
import { type PollInput, settledBefore } from './poll-input.ts';
import { PollQuery } from './poll-query.ts';
import { PollTable } from './poll-table.ts';
import { checkSource } from './preflight.ts';
import { keyOf, type ReadRow } from './read-rows.ts';
import { SchemaHistory } from './schema-history.ts';
import { SchemaTracker } from './schemas.ts';
import { Server } from './server.ts';
import type { CatalogTable } from './system-catalog.ts';

const EVENT_BYTES = 300;
/** As of `watermark.settle`, where a query says the rest. */
const DEFAULT_SETTLE_MS = 5000;

/** One table, or the query, on its way. */
interface Target {
  readonly partition: string;
  readonly input: PollInput;
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
  readonly #settleMs: number;
  readonly #ctx: SourceContext;
  readonly #server: Server;
  #tracker: SchemaTracker | null = null;
  #reader: ChunkReader | null = null;

  constructor(config: PostgresqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv) {
    this.#config = config;
    this.#settleMs = config.watermark?.settle ?? DEFAULT_SETTLE_MS;
    this.#ctx = ctx;
    this.#server = new Server(config, ctx, env);
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
    for (const [partition, input] of await this.#inputs()) {
      const newest = await this.#newest(input);
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

  async #open(ctx: ReadContext, signal: AbortSignal): Promise<Target[]> {
    const { snapshot_mode: mode } = this.#config,
      targets: Target[] = [];
    for (const [partition, input] of await this.#inputs()) {
      signal.throwIfAborted();
      const stored = await ctx.assign(partition),
        newest = mode === 'initial' && ctx.until === null ? null : await this.#newest(input);
      if (stored !== null && pollTexts(stored)?.length !== input.order.length)
        throw new CdcError('STATE_CORRUPT', `"${stored}" is no place of the table ${partition} with this watermark and key.`, {
          where: this.#server.place.where,
          fix: 'Set `watermark` as it was, or begin anew with `cdc-run forget`.',
        });
      const stop = mode === 'initial_only' ? newest : (ctx.until?.partitions[partition] ?? null);
      targets.push({
        partition,
        input,
        settling: new Settling(this.#settleMs, (a, b) => (comparePollPlaces(a, b) ?? 1) > 0),
        place: stored ?? (mode === 'never' ? newest : null),
        until: ctx.until === null && mode !== 'initial_only' ? null : (stop ?? 'empty'),
      });
    }
    return targets;
  }

  /** Of all that has a watermark of now or earlier, settled or not. */
  #newest(input: PollInput): Promise<Position | null> {
    return this.#server.use(null, async (session) => {
      const before = input.settles === 'by_time' ? await settledBefore(session, input.settles, -1, this.#server.place.where) : null,
        texts = await input.newest(session, before);
      return texts === null ? null : formatPollPlace(texts, input.kinds);
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

  async #page(target: Target, ctx: ReadContext, signal: AbortSignal): Promise<Page> {
    const { input, until } = target,
      nothing = (isDone: boolean): Page => ({ batch: this.#batch(target, [], 0, null), rejects: [], isDone });
    if (until === 'empty') return nothing(true);
    const server = this.#server;
    // In this order: what ends in between is seen by the later snapshot.
    const before = await server.use(signal, (session) => settledBefore(session, input.settles, this.#settleMs, server.place.where));
    const settled = before === null ? await this.#settledPlace(target, signal) : 'all';
    if (settled === null) return nothing(false);
    const bound = settled === 'all' || (until !== null && pollPositions.covers(settled, until)) ? until : settled;
    const range = {
      before,
      after: textsOf(target.place),
      lastSync: target.place === null ? null : watermarkBefore(target.place),
      upTo: textsOf(bound),
      maxRows: ctx.maxBatchEvents,
      maxBytes: ctx.maxBatchBytes,
    };
    const read = await server.use(signal, (session) => input.rows(session, range));
    const events: ChangeEvent[] = [];
    for (const row of read.rows) events.push(await this.#event(target, row));
    // All up to the end is read, unless a part of it was held back.
    const isDone = until !== null && read.end && (before === null ? bound === until : this.#isBelow(until, before, input));
    const resume = events.length > 0 ? target.place : null;
    return { batch: this.#batch(target, events, read.bytes + events.length * EVENT_BYTES, resume), rejects: [], isDone };
  }

  async #settledPlace(target: Target, signal: AbortSignal): Promise<Position | 'all' | null> {
    const { input, settling } = target;
    const texts = await this.#server.use(signal, (session) => input.newest(session, null));
    return settling.upTo(texts === null ? null : formatPollPlace(texts, input.kinds), this.#ctx.clock.now());
  }

  /** Is the watermark of the place below the bound? */
  #isBelow(place: Position, bound: string, { kinds }: PollInput): boolean {
    const [watermark = ''] = JSON.parse(place) as string[];
    return comparePollPlaces(JSON.stringify([watermark]), JSON.stringify([`${kinds[0]}${bound}`])) === -1;
  }

  /** The place of the target moves on to the row. */
  async #event(target: Target, image: ReadRow): Promise<ChangeEvent> {
    const { partition, input } = target,
      { schema } = await (await this.#track()).appear(image.origin.shape, '' as Position),
      texts = keyOf(image, input.order);
    if (texts === null) throw new CdcError('INTERNAL_UNEXPECTED', `a row of ${partition} came without its watermark`);
    const position = formatPollPlace(texts, input.kinds, input.carriesBefore ? lastSyncAt(texts, target.place) : null);
    target.place = position;
    const [watermark = ''] = JSON.parse(texts) as string[];
    const ms = input.settles === 'by_time' ? Date.parse(asIso(watermark)) : Number.NaN;
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

/** The watermark before that of the row: a query must give the rows again that share the last one. `null`: there is none. */
function lastSyncAt(texts: string, place: Position | null): string | null {
  if (place === null) return null;
  const [watermark] = JSON.parse(texts) as string[],
    [last] = pollTexts(place) ?? [];
  return watermark === last ? watermarkBefore(place) : (last ?? null);
}

const textsOf = (place: Position | null): string | null => (place === null ? null : JSON.stringify(pollTexts(place)));

/** `2024-05-01 10:00:00.5+00` → `2024-05-01T10:00:00.5Z`; a date stays as it is. */
const asIso = (text: string): string => (text.includes(' ') ? `${text.replace(' ', 'T').replace(/\+00$/, '')}Z` : text);
