// A stretch of the log that a lane sends again before it goes on. It goes the lane's way to the destination (transformers,
// retry, breaker, rate limit, dead letters), drops nothing, and leaves the point where it is: every write has the point that
// the destination holds, under our epoch, so it is fenced like any other.

import type { LogBatch, LogReader } from '../log/change-log.ts';
import { type ChangeEvent, type ResumePoint, toCdcError } from '../sdk/index.ts';
import type { ReplayRequest } from '../state/store.ts';
import type { LaneStatus } from './api.ts';
import { Batcher, type Collected, type ReadableLog, type Stretch } from './batcher.ts';
import type { Delivery } from './delivery.ts';
import { cutLoad, type Load, settle } from './lane-load.ts';
import type { LaneOptions, LaneRecord } from './lane-options.ts';
import { lastCovered } from './replay-plan.ts';
import { waitBeforeRetry } from './retry.ts';
import { isTable } from './table-names.ts';

/** `done`: the lane may go on · `stopped`: asked to stop · `away`: asked to stop while nothing can be delivered. */
export type ReplayOutcome = 'done' | 'stopped' | 'away';

export interface ReplayingLane {
  readonly options: LaneOptions;
  readonly record: LaneRecord;
  readonly delivery: Delivery;
  /** The last record that it is done with. */
  place(): number;
  /** It entered the log by position: what its point covers stands behind that record, too. */
  isAhead(): boolean;
  /** What its destination holds. */
  held(): ResumePoint;
  /** It holds the same place under our epoch now. */
  rewritten(point: ResumePoint): void;
  transformed(batch: Collected, signal: AbortSignal): Promise<Load>;
  isStopping(): boolean;
}

export class LaneReplay {
  readonly #lane: ReplayingLane;
  #request: ReplayRequest | null = null;
  #reader: LogReader | null = null;
  /** The last record that the point of a lane covers which is ahead. */
  #covered = 0;
  /** All is sent, and state does not know it yet. */
  #ending = false;

  constructor(lane: ReplayingLane) {
    this.#lane = lane;
    if (lane.options.replay !== null) this.begin(lane.options.replay);
  }

  /** The lane has something to do before it goes on. */
  get isDue(): boolean {
    return this.#request !== null || this.#ending;
  }
  /** What state is to hold: a new object whenever it has come further. */
  get request(): ReplayRequest | null {
    return this.#request;
  }

  /** It is stored; the lane does it as soon as what is under way is done. */
  begin(request: ReplayRequest): void {
    this.#request = request;
    // From here on the log keeps what is still to be sent.
    this.#reader = this.#lane.options.log.reader(request.next - 1);
  }

  status(): LaneStatus['replay'] {
    if (this.#request === null) return null;
    const { from, next } = this.#request,
      total = Math.max(0, this.#end(this.#request) - from + 1);
    return { done: Math.min(next - from, total), total };
  }

  async run(signal: AbortSignal): Promise<ReplayOutcome> {
    const { options, record } = this.#lane,
      { lagMs } = record;
    const request = await this.#usable();
    if (request !== null) {
      const outcome = await this.#send(request, signal);
      // How late the last live event was: those of a replay are old, and nobody waits for them.
      record.lagMs = lagMs;
      if (outcome !== 'done') return outcome;
      options.logger.info(`replay to destination "${options.config.name}" is done`, { from: request.from, to: this.#end(request) });
    }
    return this.#finish(signal);
  }

  close(): void {
    this.#reader?.close();
    this.#reader = null;
  }

  /** `null`: it was asked of a log that is gone. What the log has forgotten is left out: all that is behind it still comes. */
  async #usable(): Promise<ReplayRequest | null> {
    const { codecs, config, joinedAt, log, logger } = this.#lane.options,
      request = this.#request;
    if (request === null) return null;
    if (this.#lane.isAhead()) this.#covered = await lastCovered(log, codecs, this.#lane.held().sources);
    const meant = { destination: config.name, from: request.from };
    if (request.log !== log.id) {
      logger.warn('the log that was to be replayed is gone: the replay is given up', meant);
      return null;
    }
    if (request.next < log.firstSeq) {
      logger.warn('the log no longer holds the beginning of the replay', { ...meant, next: request.next, first: log.firstSeq });
      this.#moveTo(request, log.firstSeq);
    }
    // With a record of this log it was checked when it was asked for; a place that an operator chose has none.
    const first = joinedAt.log?.id === log.id ? 0 : (await lastCovered(log, codecs, joinedAt.sources)) + 1;
    const moved = this.#request ?? request;
    if (moved.next >= first) return moved;
    logger.warn('the replay begins where the destination joined or was placed, not before', { ...meant, next: moved.next, first });
    return this.#moveTo(moved, first);
  }

  /** Not behind where the lane stands, also where it was put back since: that would be delivered twice. */
  #end({ to }: ReplayRequest): number {
    const stands = Math.max(this.#lane.place(), this.#covered);
    return Math.min(to ?? stands, stands, this.#lane.options.log.readableSeq);
  }

  async #send(request: ReplayRequest, signal: AbortSignal): Promise<ReplayOutcome> {
    const { delivery, isStopping } = this.#lane,
      end = this.#end(request);
    const batcher = await this.#batcher(request.next, end);
    for (let next = request.next; next <= end; ) {
      if (signal.aborted || isStopping()) return 'stopped';
      const batch = await batcher.collect(next, delivery.batchEvents);
      if (batch === null) break;
      const load = await this.#lane.transformed(onlyTables(batch, request.tables), signal);
      if (signal.aborted) return 'stopped';
      const outcome = await this.#deliver(load, signal);
      if (outcome !== 'done') return outcome;
      next = load.lastSeq + 1;
    }
    return 'done';
  }

  /** Nothing is dropped but rows of snapshots that other lanes had read for themselves, and what a chosen place covers. */
  async #batcher(next: number, end: number): Promise<Batcher> {
    const { log, codecs, queues, config, joinedAt } = this.#lane.options;
    const own = this.#lane.held().snapshots,
      before = next > end ? [] : ((await log.read(next))?.before.snapshots ?? []);
    const snapshots = before.filter((s) => own.some((o) => o.source === s.source && o.table === s.table && o.run === s.run));
    return new Batcher({
      log: upTo(log, end),
      codecs,
      queues,
      maxEvents: config.batch.maxEvents,
      maxBytes: config.batch.maxBytes,
      // Partitions mix in the log: of one there may be more that was skipped behind the first that is sent of another.
      own: { sources: joinedAt.log?.id === log.id ? {} : joinedAt.sources, snapshots },
      start: { sources: {}, snapshots: [] },
      slot: null,
    });
  }

  async #deliver(load: Load, signal: AbortSignal): Promise<ReplayOutcome> {
    const { delivery, options } = this.#lane;
    for (let rest: Load | null = load; rest !== null; ) {
      if (rest.events.length === 0) {
        this.#advance(rest.lastSeq);
        return 'done';
      }
      if (!(await delivery.ready(signal))) return 'away';
      const { head, tail } = cutLoad(rest, delivery.limit, options);
      const held = this.#lane.held();
      // Invariant 2: the place stays. What is stored of an earlier run becomes ours with the first write.
      const through = held.epoch === options.epoch ? held : { ...held, epoch: options.epoch };
      const outcome = await delivery.attempt(head, through, held, signal);
      if (outcome === 'stopped') return 'stopped';
      if (outcome === 'again') {
        settle(rest, head);
        continue;
      }
      if (outcome === 'stored' && through !== held) this.#lane.rewritten(through);
      this.#advance(head.lastSeq);
      rest = tail;
    }
    return 'done';
  }

  #advance(lastSeq: number): void {
    const request = this.#request;
    if (request !== null) this.#moveTo(request, lastSeq + 1);
    this.#reader?.release(lastSeq);
    this.#lane.options.onProgress();
  }

  #moveTo(request: ReplayRequest, next: number): ReplayRequest {
    this.#request = { ...request, next };
    return this.#request;
  }

  /** State knows of the end before the lane goes on, or a restart would repeat old events over newer ones. */
  async #finish(signal: AbortSignal): Promise<ReplayOutcome> {
    const { options, isStopping } = this.#lane,
      { clock, config, logger, random } = options;
    this.#ending = true;
    this.#request = null;
    this.close();
    for (let attempt = 1; ; attempt++) {
      try {
        await options.saveReplay(null);
        this.#ending = false;
        return 'done';
      } catch (cause) {
        const error = toCdcError(cause);
        if (!error.retriable) throw error;
        logger.warn('the end of the replay could not be saved, trying again', { code: error.code, error: error.message });
        await waitBeforeRetry(config.delivery.retry, attempt, random, clock, signal);
        if (signal.aborted || isStopping()) return 'stopped';
      }
    }
  }
}

function onlyTables(batch: Collected, tables: readonly string[]): Collected {
  if (tables.length === 0) return batch;
  const isWanted = ({ table }: ChangeEvent): boolean => tables.some((name) => isTable(table.id, name));
  const stretches = batch.stretches.map((s): Stretch => (s.kept.every(isWanted) ? s : { ...s, kept: s.kept.filter(isWanted) }));
  return { ...batch, events: stretches.flatMap((s) => s.kept), pieces: null, stretches };
}

/** The log as if it ended there. */
function upTo(log: ReadableLog, end: number): ReadableLog {
  return {
    readableSeq: end,
    read: (seq) => {
      const found = log.read(seq);
      return found instanceof Promise ? found.then((batch) => cut(batch, end)) : found && cut(found, end);
    },
  };
}

/** Never inside a snapshot chunk, or between an event and those derived from it. */
function cut(batch: LogBatch, end: number): LogBatch {
  const { events, firstSeq, whole } = batch;
  let count = end - firstSeq + 1;
  while (count < events.length && events[count]?.position === events[count - 1]?.position) count++;
  if (whole || count >= events.length) return batch;
  return { ...batch, events: events.slice(0, count), endSeq: firstSeq + count, snapshots: [] };
}
