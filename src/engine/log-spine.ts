// Source to log: chain, middleware, append, and the wait for room. One batch at a time passes the chain, in order of arrival.

import { createHash } from 'node:crypto';
import type { ChangeLog, LogPlace } from '../log/change-log.ts';
import { CdcError, type ChangeBatch, type ChangeEvent, type ResumePoint, type SnapshotProgress, toCdcError } from '../sdk/index.ts';
import type { DeadLetter, EngineDeps } from './api.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { Deduplicator } from './deduplication.ts';
import { aroundNext } from './guard.ts';
import type { NamedMiddleware } from './lane-options.ts';
import type { LaneSet } from './lane-set.ts';
import { putDeadLetters } from './parking.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { type Codecs, movePlace } from './places.ts';
import { isFarAhead, readAheadOf } from './read-ahead.ts';
import { withoutQuotes } from './sensitive.ts';
import type { Spine } from './source-reader.ts';
import { saveChain } from './stateful.ts';
import type { ChainFailure, TransformChain } from './transform-chain.ts';

const NO_PROGRESS: readonly SnapshotProgress[] = [];

export interface LogSpineOptions {
  /** Where the sources resume. */
  readonly start: LogPlace;
  readonly config: PipelineConfig;
  readonly deps: EngineDeps;
  readonly log: ChangeLog;
  readonly codecs: Codecs;
  readonly chain: TransformChain;
  readonly middleware: readonly NamedMiddleware[];
  readonly lanes: LaneSet;
  readonly checkpointer: Checkpointer;
  /** `null` without a deduplication window. */
  readonly deduplicator: Deduplicator | null;
  /** Aborts when everything is to end at once. */
  readonly hard: AbortSignal;
  pointAt(seq: number, place: LogPlace): ResumePoint;
  onProgress(): void;
  onError(component: string, error: CdcError): void;
  /** `null` when nobody wants to know. */
  readonly onSchemaChange: ((change: ChangeEvent) => void) | null;
}

export class LogSpine implements Spine {
  readonly #o: LogSpineOptions;
  /** Behind the log's end only where a stateful chain takes in again what it held: its output is there already. */
  #taken: LogPlace;
  /** Partitions of which the chain takes in again what the log has. */
  readonly #retaking: Set<string>;
  readonly #readAhead: number;
  #ingesting: Promise<void> = Promise.resolve();
  /** The stateful chain's state is taken with the next batch. */
  #captureDue = true;
  #filtered = 0;
  #parked = 0;

  constructor(options: LogSpineOptions) {
    this.#o = options;
    this.#taken = options.start;
    this.#readAhead = readAheadOf(options.config.destinations);
    this.#retaking = new Set(
      Object.entries(options.log.tail.sources).flatMap(([source, positions]) =>
        Object.keys(positions).flatMap((partition) =>
          positions[partition] === options.start.sources[source]?.[partition] ? [] : [`${source}/${partition}`],
        ),
      ),
    );
  }

  get tail(): LogPlace {
    return this.#o.log.tail;
  }
  get filtered(): number {
    return this.#filtered;
  }
  get parked(): number {
    return this.#parked;
  }

  get taken(): LogPlace {
    return this.#taken;
  }

  /** Before each checkpoint: what stateful transformers hold is to be saved with the next batch. */
  requestCapture(): void {
    this.#captureDue = true;
  }

  async ingest(batch: ChangeBatch, signal: AbortSignal): Promise<void> {
    const { again, rest } = this.#split(batch);
    if (again !== null) await this.#takeAgain(again);
    if (rest !== null) await this.#ingest(rest, signal);
  }

  /** What is in the log already, and the rest: only where a stateful chain takes in again what it held. */
  #split(batch: ChangeBatch): { again: ChangeBatch | null; rest: ChangeBatch | null } {
    const { log, codecs } = this.#o,
      { source, partition, resume, snapshots = NO_PROGRESS } = batch;
    const id = `${source}/${partition}`,
      codec = codecs[source],
      end = log.tail.sources[source]?.[partition];
    if (!this.#retaking.has(id) || codec === undefined || end === undefined) return { again: null, rest: batch };
    if (resume === null)
      return snapshots.length > 0 && snapshots.every((s) => hasChunk(log.tail, s))
        ? { again: batch, rest: null }
        : { again: null, rest: batch };
    if (codec.covers(resume, end)) this.#retaking.delete(id);
    if (codec.covers(end, resume)) {
      const joins = snapshots.filter((s) => s.joining && !hasChunk(log.tail, s));
      return { again: batch, rest: joins.length === 0 ? null : { ...batch, events: [], bytes: 0, resume: null, snapshots: joins } };
    }
    const first = batch.events.findIndex((e) => e.snapshot !== false || !codec.covers(end, e.position)),
      at = first < 0 ? batch.events.length : first;
    if (at === 0) return { again: null, rest: batch };
    return {
      again: { events: batch.events.slice(0, at), resume: end, bytes: 0, source, partition },
      rest: { ...batch, events: batch.events.slice(at) },
    };
  }

  /** A stateful chain takes in what its saved state lacks; what comes out of it is in the log (the chain is deterministic). */
  async #takeAgain(batch: ChangeBatch): Promise<void> {
    await this.#inTurn(async () => {
      await this.#o.chain.run(batch.events);
      this.#take(batch, this.tail);
    });
  }

  /** One batch at a time passes the chain, in order of arrival. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#ingesting.then(work);
    this.#ingesting = turn.catch(() => {});
    return turn;
  }

  #take({ source, partition, resume, snapshots }: ChangeBatch, after: LogPlace): void {
    this.#taken = this.#o.chain.stateful.length === 0 ? after : movePlace(this.#taken, source, partition, resume, snapshots);
  }

  async #ingest(batch: ChangeBatch, signal: AbortSignal): Promise<void> {
    if (this.#o.chain.isEmpty && this.#o.middleware.length === 0) {
      const fresh = this.#withoutRepeats(batch);
      this.#append(fresh, fresh.events);
    } else await this.#inTurn(() => this.#transform(batch));
    await this.#makeRoom(signal);
  }

  /** What was delivered within the window is dropped; its receipt stays with the batch. No await lies between this and the append of another batch. */
  #withoutRepeats(batch: ChangeBatch): ChangeBatch {
    const fresh = this.#o.deduplicator?.fresh(batch.events) ?? batch.events;
    if (fresh === batch.events) return batch;
    const dropped = batch.events.length - fresh.length;
    this.#filtered += dropped;
    this.#o.deps.logger.debug(`${dropped} event(s) were delivered before and are dropped`, { source: batch.source });
    return { ...batch, events: [...fresh] };
  }

  async #transform(arrived: ChangeBatch): Promise<void> {
    const { chain, deps, hard } = this.#o;
    const batch = this.#withoutRepeats(arrived);
    const { events, failures, filtered } = await chain.run(batch.events);
    this.#filtered += filtered;
    // Invariant 3: parked before the batch is appended, since from then on it may be acknowledged.
    await this.#parkFailures(failures);
    if (hard.aborted) return;
    let next = async (): Promise<void> => {
      this.#append(batch, events);
    };
    for (const { name, timeoutMs, middleware } of [...this.#o.middleware].reverse()) {
      const around = middleware.aroundBatch?.bind(middleware);
      if (around === undefined) continue;
      const inner = next;
      next = () => aroundNext(deps.clock, name, timeoutMs, (n) => around({ source: batch.source, events }, n), inner);
    }
    await next();
  }

  #append(batch: ChangeBatch, events: readonly ChangeEvent[]): void {
    const { log, codecs, checkpointer, lanes, onSchemaChange } = this.#o;
    const { source, partition, bytes, resume, snapshots = NO_PROGRESS } = batch,
      isLog = source in codecs;
    const after = movePlace(log.tail, source, partition, isLog ? resume : null, snapshots);
    const whole = isSnapshot(events[0]) || isSnapshot(events.at(-1));
    const { endSeq } = log.append({ source, partition, events, bytes, snapshots, after, whole });
    this.#take(isLog ? batch : { ...batch, resume: null }, after);
    if (!isLog && resume !== null) checkpointer.addReceipt({ endSeq, source, partition, position: resume });
    this.#o.deduplicator?.appended(endSeq, batch.events);
    this.#capture(endSeq);
    this.#o.onProgress();
    lanes.wake();
    if (onSchemaChange !== null) for (const event of events) if (event.op === 's') onSchemaChange(event);
  }

  #capture(seq: number): void {
    const { stateful } = this.#o.chain;
    if (stateful.length === 0 || !this.#captureDue) return;
    this.#captureDue = false;
    this.#o.checkpointer.addState(seq, { point: this.#o.pointAt(seq, this.#taken), state: saveChain(stateful) });
  }

  /** At the end of a finite run stateful transformers give out what they hold. */
  async flush(): Promise<void> {
    const { chain, log, lanes } = this.#o;
    if (chain.stateful.length === 0) return;
    const { events, failures } = await chain.flush('end');
    await this.#parkFailures(failures);
    const [first] = events;
    // Whole: these events carry positions of held inputs, at which no lane may stand.
    if (first !== undefined)
      log.append({
        source: first.source,
        partition: first.partition,
        events,
        bytes: 0,
        snapshots: NO_PROGRESS,
        after: log.tail,
        whole: true,
      });
    this.#captureDue = true;
    this.#capture(log.lastSeq);
    lanes.wake();
  }

  /** Waits while the log is full (invariant 5), or all lanes are far behind one in memory. Optional lanes that alone hold it back are detached. */
  async #makeRoom(signal: AbortSignal): Promise<void> {
    const { log, lanes } = this.#o;
    while ((log.full || this.#isFarAhead()) && !signal.aborted) {
      const laggards = lanes.laggards(log);
      for (const lane of laggards) {
        await lanes.detach(lane, 'it fell behind by more than the log may hold').catch(async (error: unknown) => {
          if (!toCdcError(error).retriable) throw error;
          await this.#o.deps.clock.sleep(this.#o.config.retry.initialDelayMs, signal);
        });
      }
      if (laggards.length === 0) await lanes.moved.wait(signal);
    }
  }

  #isFarAhead(): boolean {
    const { log, lanes, checkpointer } = this.#o;
    return !checkpointer.isDurable && isFarAhead(log, lanes.active, this.#readAhead);
  }

  async settled(signal: AbortSignal): Promise<void> {
    const { log, lanes, checkpointer } = this.#o,
      seq = log.lastSeq;
    if (checkpointer.isDurable) await log.synced(signal);
    else while (lanes.required.some((l) => l.doneSeq < seq) && !signal.aborted) await lanes.moved.wait(signal);
    lanes.requestProgress();
    if (!signal.aborted) await checkpointer.checkpoint();
  }

  async ended(signal: AbortSignal): Promise<void> {
    const seq = this.#o.log.lastSeq;
    await this.settled(signal);
    if (!signal.aborted) await this.#o.checkpointer.ended(seq);
  }

  // ---- dead letters ------------------------------------------------------------------------------------------------------

  async reject(source: string, input: string | Uint8Array, at: string, error: Error): Promise<void> {
    const given = toCdcError(error, 'SOURCE_DATA_INVALID', { where: `source "${source}"` }),
      hides = this.#o.chain.hidesColumns;
    const reason = hides ? withoutQuotes(given) : given;
    // Invariant 3: `at` may come again, as of a file that was rotated or a topic that was made anew, and another input is another letter.
    // Of what is hidden so few bits tell the two apart that they tell nothing else.
    const print = createHash('sha256')
        .update(input)
        .digest('hex')
        .slice(0, hides ? 4 : 16),
      letter = this.#letter(`${source}/${at}/${print}`, { stage: 'decode', component: source, error: reason, event: null, input, at });
    await this.#park([hides ? { ...letter, sensitive: 'all' } : letter]);
  }

  async #parkFailures(failures: readonly ChainFailure[]): Promise<void> {
    await this.#park(
      failures.map(({ event, component, error, sensitive }) => {
        const at = this.#o.codecs[event.source]?.describe(event.position) ?? event.position;
        const letter = this.#letter(`${component}/${event.id}`, { stage: 'transform', component, error, event, input: null, at });
        return sensitive.length === 0 ? letter : { ...letter, sensitive };
      }),
    );
  }

  #letter(id: string, what: Pick<DeadLetter, 'stage' | 'component' | 'error' | 'event' | 'input' | 'at'>): DeadLetter {
    const nowMs = this.#o.deps.clock.now(),
      pipeline = this.#o.config.name;
    return { id: `${pipeline}/${id}`, pipeline, lane: null, attempts: 1, firstMs: nowMs, lastMs: nowMs, ...what };
  }

  async #park(letters: readonly DeadLetter[]): Promise<void> {
    const [first] = letters,
      { config, deps, hard } = this.#o;
    if (first === undefined) return;
    await putDeadLetters({ ...deps, deadLetters: deps.deadLettersOf(null), retry: config.retry }, letters, hard);
    if (hard.aborted) throw new CdcError('DLQ_UNAVAILABLE', 'the pipeline was ended while dead letters were written', { retriable: true });
    this.#parked += letters.length;
    this.#o.onError(first.component, first.error);
    deps.logger.warn(`${letters.length} event(s) went to the dead letter queue`, {
      stage: first.stage,
      component: first.component,
      code: first.error.code,
      error: first.error.message,
      first: first.at,
    });
  }
}

function isSnapshot(event: ChangeEvent | undefined): boolean {
  return event !== undefined && event.snapshot !== false;
}

function hasChunk(place: LogPlace, { source, table, run, chunk }: SnapshotProgress): boolean {
  const there = place.snapshots.find((s) => s.source === source && s.table === table && s.run === run);
  return there !== undefined && (there.state !== 'running' || chunk <= there.chunk);
}
