// Reads rows of polled tables and queries in the order of their watermarks, page by page: where each begins and ends, what is held back
// until it has settled, which place each row has. How rows are asked for is the source's (`PollPorts`).

import {
  CdcError,
  type ChangeBatch,
  ChangeEvent,
  type Clock,
  type PartitionPositions,
  type Position,
  type ReadContext,
  type Row,
  type RowImage,
  type TableSchema,
} from '../sdk/index.ts';
import { comparePollPlaces, formatPollPlace, type OrderKind, pollPositions, pollTexts, watermarkBefore } from './places.ts';
import { type Page, pollRounds } from './rounds.ts';
import { Settling } from './settling.ts';

const EVENT_BYTES = 300;
/** As of `watermark.settle`, where a query says the rest. */
export const DEFAULT_SETTLE_MS = 5000;

/** What is polled: a table or a query. */
export interface PolledInput {
  /** What rows are read in the order of: the watermark, then the key. */
  readonly order: readonly unknown[];
  readonly kinds: readonly OrderKind[];
  /** Places carry the watermark before the last one. */
  readonly carriesBefore: boolean;
}

/** Places are JSON arrays of texts: watermark, then key. */
export interface PollRange {
  /** The first watermark that must not be read yet; `null`: none. */
  readonly before: string | null;
  readonly after: string | null;
  /** The watermark that was the last one before that of `after`; `null`: none was. */
  readonly lastSync: string | null;
  readonly upTo: string | null;
  readonly maxRows: number;
  readonly maxBytes: number;
}

export interface PolledRow {
  readonly texts: string;
  readonly table: TableSchema;
  readonly after: Row | RowImage;
}

export interface PolledRows {
  readonly rows: readonly PolledRow[];
  readonly bytes: number;
  /** There is nothing more in the range. */
  readonly end: boolean;
}

export interface PollPorts<Input extends PolledInput> {
  inputs(): Promise<ReadonlyMap<string, Input>>;
  /** The first watermark that must not be read yet; `null`: the watermark says nothing of it. */
  settledBefore(input: Input, signal: AbortSignal): Promise<string | null>;
  /** Texts of the newest row; of one that settles by time: of those with a watermark of now or earlier. `null`: there is none. */
  newest(input: Input, signal: AbortSignal | null): Promise<string | null>;
  rows(input: Input, range: PollRange, signal: AbortSignal): Promise<PolledRows>;
  /** Milliseconds since 1970; NaN: the watermark is no time. */
  timeOf(input: Input, watermark: string): number;
}

export interface PollOptions {
  readonly source: string;
  readonly where: string;
  readonly clock: Clock;
  readonly settleMs: number;
  readonly intervalMs: number;
  readonly mode: 'initial' | 'initial_only' | 'never' | 'when_needed';
}

/** One table, or the query, on its way. */
interface Target<Input> {
  readonly partition: string;
  readonly input: Input;
  readonly settling: Settling<Position>;
  place: Position | null;
  /** Where to stop; `null` = never. A table that was empty at the start of a one_time run has nothing to stop at. */
  readonly until: Position | 'empty' | null;
}

export class PollReader<Input extends PolledInput> {
  readonly #o: PollOptions;
  readonly #ports: PollPorts<Input>;

  constructor(options: PollOptions, ports: PollPorts<Input>) {
    this.#o = options;
    this.#ports = ports;
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncGenerator<ChangeBatch, void, undefined> {
    const { clock, intervalMs } = this.#o,
      targets = await this.#open(ctx, signal);
    yield* pollRounds(targets, (target) => this.#page(target, ctx, signal), { clock, intervalMs, reject: ctx.reject }, signal);
  }

  async end(): Promise<PartitionPositions> {
    const ends: { [partition: string]: Position } = {};
    for (const [partition, input] of await this.#ports.inputs()) {
      const newest = await this.#newest(input, null);
      if (newest !== null) ends[partition] = newest;
    }
    return ends;
  }

  async #open(ctx: ReadContext, signal: AbortSignal): Promise<Target<Input>[]> {
    const { mode, where, settleMs } = this.#o,
      targets: Target<Input>[] = [];
    for (const [partition, input] of await this.#ports.inputs()) {
      signal.throwIfAborted();
      const stored = await ctx.assign(partition),
        newest = mode === 'initial' && ctx.until === null ? null : await this.#newest(input, null);
      if (stored !== null && pollTexts(stored)?.length !== input.order.length)
        throw new CdcError('STATE_CORRUPT', `"${stored}" is no place of the table ${partition} with this watermark and key.`, {
          where,
          fix: 'Set `watermark` as it was, or begin anew with `cdc-run forget`.',
        });
      const stop = mode === 'initial_only' ? newest : (ctx.until?.partitions[partition] ?? null);
      targets.push({
        partition,
        input,
        settling: new Settling(settleMs, (a, b) => (comparePollPlaces(a, b) ?? 1) > 0),
        place: stored ?? (mode === 'never' ? newest : null),
        until: ctx.until === null && mode !== 'initial_only' ? null : (stop ?? 'empty'),
      });
    }
    return targets;
  }

  /** Settled or not. */
  async #newest(input: Input, signal: AbortSignal | null): Promise<Position | null> {
    const texts = await this.#ports.newest(input, signal);
    return texts === null ? null : formatPollPlace(texts, input.kinds);
  }

  async #page(target: Target<Input>, ctx: ReadContext, signal: AbortSignal): Promise<Page> {
    const { input, until, settling } = target,
      nothing = (isDone: boolean): Page => ({ batch: this.#batch(target, [], 0, null), rejects: [], isDone });
    if (until === 'empty') return nothing(true);
    // In this order: what ends in between is seen by the later snapshot.
    const before = await this.#ports.settledBefore(input, signal);
    const settled = before === null ? settling.upTo(await this.#newest(input, signal), this.#o.clock.now()) : 'all';
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
    const read = await this.#ports.rows(input, range, signal),
      events = read.rows.map((row) => this.#event(target, row));
    // All up to the end is read, unless a part of it was held back.
    const isDone = until !== null && read.end && (before === null ? bound === until : isBelow(until, before, input));
    const resume = events.length > 0 ? target.place : null;
    return { batch: this.#batch(target, events, read.bytes + events.length * EVENT_BYTES, resume), rejects: [], isDone };
  }

  /** The place of the target moves on to the row. */
  #event(target: Target<Input>, { texts, table, after }: PolledRow): ChangeEvent {
    const { partition, input } = target,
      position = formatPollPlace(texts, input.kinds, input.carriesBefore ? lastSyncAt(texts, target.place) : null),
      [watermark = ''] = JSON.parse(texts) as string[],
      ms = this.#ports.timeOf(input, watermark);
    target.place = position;
    const sourceTsMs = Number.isNaN(ms) ? this.#o.clock.now() : ms;
    return new ChangeEvent({ op: 'u', table, source: this.#o.source, partition, position, sourceTsMs, after });
  }

  #batch({ partition }: Target<Input>, events: ChangeEvent[], bytes: number, resume: Position | null): ChangeBatch {
    return { events, bytes, source: this.#o.source, partition, resume };
  }
}

/** The watermark before that of the row: a query must give the rows again that share the last one. `null`: there is none. */
function lastSyncAt(texts: string, place: Position | null): string | null {
  if (place === null) return null;
  const [watermark] = JSON.parse(texts) as string[],
    [last] = pollTexts(place) ?? [];
  return watermark === last ? watermarkBefore(place) : (last ?? null);
}

/** Is the watermark of the place below the bound? */
function isBelow(place: Position, bound: string, { kinds }: PolledInput): boolean {
  const [watermark = ''] = JSON.parse(place) as string[];
  return comparePollPlaces(JSON.stringify([watermark]), JSON.stringify([`${kinds[0]}${bound}`])) === -1;
}

const textsOf = (place: Position | null): string | null => (place === null ? null : JSON.stringify(pollTexts(place)));
