// The MySQL source in mode `polling`: rows are asked for by a growing watermark, each table a partition of its own. It needs neither
// a binary log nor its privileges. What polling cannot see by design is said in the capabilities (index.ts).

import { comparePollPlaces, formatPollPlace, pollPositions, pollTexts } from '../../polling/places.ts';
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
import { checkPolling } from './check-polling.ts';
import { type MysqlSourceConfig, tablePatterns } from './config.ts';
import { columnFilter, tableFilter } from './names.ts';
import { afterNow, PollBound } from './poll-bound.ts';
import { type PollRow, PollTable } from './poll-table.ts';
import { SchemaHistory } from './schema-history.ts';
import { nameOfTable, SchemaTracker } from './schemas.ts';
import { Server } from './server.ts';

const EVENT_BYTES = 300;
/** As of `watermark.settle`. */
const DEFAULT_SETTLE_MS = 5000;

/** One table on its way. */
interface Target {
  readonly partition: string;
  readonly input: PollTable;
  readonly settling: Settling<Position>;
  place: Position | null;
  /** Where to stop; `null` = never. A table that was empty at the start of a one_time run has nothing to stop at. */
  readonly until: Position | 'empty' | null;
}

export class PollingSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = pollPositions;
  readonly #config: MysqlSourceConfig;
  readonly #settleMs: number;
  readonly #ctx: SourceContext;
  readonly #server: Server;
  readonly #bound: PollBound;
  #tracker: SchemaTracker | null = null;

  constructor(config: MysqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv) {
    this.#config = config;
    this.#settleMs = config.watermark?.settle ?? DEFAULT_SETTLE_MS;
    this.#ctx = ctx;
    this.#server = new Server(config, ctx, env);
    this.#bound = new PollBound(this.#settleMs, ctx.clock);
  }

  describe(): SourceDescription {
    return { connector: this.#config.url?.startsWith('mariadb:') === true ? 'mariadb' : 'mysql', database: null };
  }

  check(): AsyncIterable<Finding> {
    return checkPolling(this.#server, this.#config, () => this.#inputs());
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

  async #inputs(): Promise<Map<string, PollTable>> {
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
    return new Map(tables.map((table) => [nameOfTable(table), new PollTable(table, watermark, where)]));
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
  #newest(input: PollTable): Promise<Position | null> {
    return this.#server.use(null, async (session) => {
      const before = input.time === null ? null : await afterNow(session, input.time),
        texts = await input.newest(session, before);
      return texts === null ? null : formatPollPlace(texts, input.kinds);
    });
  }

  async #track(): Promise<SchemaTracker> {
    const { watermark, columns } = this.#config,
      ordering = [watermark?.column ?? '', ...[watermark?.key ?? []].flat()],
      isColumn = columnFilter(columns);
    // Versions count within this process, as nothing is kept of older ones: positions do not depend on them.
    this.#tracker ??= new SchemaTracker({
      history: await SchemaHistory.load(forgetfulStore),
      catalog: this.#server.catalog,
      queries: this.#server,
      where: this.#server.place.where,
      isTable: tableFilter(tablePatterns(this.#config), this.#server.home),
      isColumn: (database, table, column) => ordering.includes(column) || isColumn(database, table, column),
    });
    return this.#tracker;
  }

  // -- rows --------------------------------------------------------------------------------------------------------------

  async #page(target: Target, ctx: ReadContext, signal: AbortSignal): Promise<Page> {
    const { input, until } = target,
      nothing = (isDone: boolean): Page => ({ batch: this.#batch(target, [], 0, null), rejects: [], isDone });
    if (until === 'empty') return nothing(true);
    const server = this.#server,
      { time } = input;
    // In this order: what ends in between is seen by the later snapshot.
    const before = time === null ? null : await server.use(signal, (session) => this.#bound.before(session, time));
    const settled = before === null ? await this.#settledPlace(target, signal) : 'all';
    if (settled === null) return nothing(false);
    const bound = settled === 'all' || (until !== null && pollPositions.covers(settled, until)) ? until : settled;
    const range = {
      before,
      after: textsOf(target.place),
      upTo: textsOf(bound),
      maxRows: ctx.maxBatchEvents,
      maxBytes: ctx.maxBatchBytes,
    };
    const tracker = await this.#track(),
      isMariadb = (await server.facts()).flavor === 'mariadb';
    const read = await server.use(signal, (session) => input.rows(session, tracker, isMariadb, range, server.place.where));
    const events: ChangeEvent[] = [];
    for (const row of read.rows) events.push(await this.#event(target, row, tracker));
    // All up to the end is read, unless a part of it was held back.
    const isDone = until !== null && read.end && (before === null ? bound === until : isBelow(until, before, input));
    const resume = events.length > 0 ? target.place : null;
    return { batch: this.#batch(target, events, read.bytes + events.length * EVENT_BYTES, resume), rejects: [], isDone };
  }

  async #settledPlace(target: Target, signal: AbortSignal): Promise<Position | 'all' | null> {
    const { input, settling } = target;
    const texts = await this.#server.use(signal, (session) => input.newest(session, null));
    return settling.upTo(texts === null ? null : formatPollPlace(texts, input.kinds), this.#ctx.clock.now());
  }

  /** The place of the target moves on to the row. */
  async #event(target: Target, { row, texts }: PollRow, tracker: SchemaTracker): Promise<ChangeEvent> {
    const { partition, input } = target,
      { schema } = await tracker.appear(row.shape.now, '' as Position),
      position = formatPollPlace(texts, input.kinds),
      [watermark = ''] = JSON.parse(texts) as string[];
    target.place = position;
    const ms = input.time?.zone === 'utc' ? Date.parse(`${watermark.replace(' ', 'T')}Z`) : Number.NaN;
    return new ChangeEvent({
      op: 'u',
      table: schema,
      source: this.#ctx.name,
      partition,
      position,
      sourceTsMs: Number.isNaN(ms) ? this.#ctx.clock.now() : ms,
      after: row.row,
    });
  }

  #batch({ partition }: Target, events: ChangeEvent[], bytes: number, resume: Position | null): ChangeBatch {
    return { events, bytes, source: this.#ctx.name, partition, resume };
  }
}

/** Is the watermark of the place below the bound? */
function isBelow(place: Position, bound: string, { kinds }: PollTable): boolean {
  const [watermark = ''] = JSON.parse(place) as string[];
  return comparePollPlaces(JSON.stringify([watermark]), JSON.stringify([`${kinds[0]}${bound}`])) === -1;
}

const textsOf = (place: Position | null): string | null => (place === null ? null : JSON.stringify(pollTexts(place)));
