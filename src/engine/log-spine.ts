// Source to log: chain, middleware, append, and the wait for room. One batch at a time passes the chain, in order of arrival.

import type { ChangeLog, LogPlace } from '../log/change-log.ts';
import { CdcError, type ChangeBatch, type ChangeEvent, type ResumePoint, type SnapshotProgress, toCdcError } from '../sdk/index.ts';
import type { DeadLetter, EngineDeps } from './api.ts';
import type { Checkpointer } from './checkpointer.ts';
import { aroundNext } from './guard.ts';
import type { NamedMiddleware } from './lane-options.ts';
import type { LaneSet } from './lane-set.ts';
import { putDeadLetters } from './parking.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { type Codecs, movePlace } from './places.ts';
import type { Spine } from './source-reader.ts';
import { saveChain } from './stateful.ts';
import type { ChainFailure, TransformChain } from './transform-chain.ts';

const NO_PROGRESS: readonly SnapshotProgress[] = [];

export interface LogSpineOptions {
  readonly config: PipelineConfig;
  readonly deps: EngineDeps;
  readonly log: ChangeLog;
  readonly codecs: Codecs;
  readonly chain: TransformChain;
  readonly middleware: readonly NamedMiddleware[];
  readonly lanes: LaneSet;
  readonly checkpointer: Checkpointer;
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
  #ingesting: Promise<void> = Promise.resolve();
  /** The stateful chain's state is taken with the next batch. */
  #captureDue = true;
  #filtered = 0;
  #parked = 0;

  constructor(options: LogSpineOptions) {
    this.#o = options;
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

  /** Before each checkpoint: what stateful transformers hold is to be saved with the next batch. */
  requestCapture(): void {
    this.#captureDue = true;
  }

  async ingest(batch: ChangeBatch, signal: AbortSignal): Promise<void> {
    if (this.#o.chain.isEmpty && this.#o.middleware.length === 0) this.#append(batch, batch.events);
    else {
      const turn = this.#ingesting.then(() => this.#transform(batch));
      this.#ingesting = turn.catch(() => {});
      await turn;
    }
    await this.#makeRoom(signal);
  }

  async #transform(batch: ChangeBatch): Promise<void> {
    const { chain, deps, hard } = this.#o;
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
    if (!isLog && resume !== null) checkpointer.addReceipt({ endSeq, source, partition, position: resume });
    this.#capture(endSeq);
    this.#o.onProgress();
    lanes.wake();
    if (onSchemaChange !== null) for (const event of events) if (event.op === 's') onSchemaChange(event);
  }

  #capture(seq: number): void {
    const { stateful } = this.#o.chain;
    if (stateful.length === 0 || !this.#captureDue) return;
    this.#captureDue = false;
    this.#o.checkpointer.addState(seq, { point: this.#o.pointAt(seq, this.tail), state: saveChain(stateful) });
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

  /** Waits while the log is full (invariant 5). Optional lanes that alone hold it back are detached. */
  async #makeRoom(signal: AbortSignal): Promise<void> {
    const { log, lanes } = this.#o;
    while (log.full && !signal.aborted) {
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

  async settled(signal: AbortSignal): Promise<void> {
    const { log, lanes, checkpointer } = this.#o,
      seq = log.lastSeq;
    while (lanes.required.some((l) => l.doneSeq < seq) && !signal.aborted) await lanes.moved.wait(signal);
    lanes.requestProgress();
    if (!signal.aborted) await checkpointer.checkpoint();
  }

  // ---- dead letters ------------------------------------------------------------------------------------------------------

  async reject(source: string, input: string | Uint8Array, at: string, error: Error): Promise<void> {
    const reason = toCdcError(error, 'SOURCE_DATA_INVALID', { where: `source "${source}"` });
    await this.#park([this.#letter(`${source}/${at}`, { stage: 'decode', component: source, error: reason, event: null, input, at })]);
  }

  async #parkFailures(failures: readonly ChainFailure[]): Promise<void> {
    await this.#park(
      failures.map(({ event, component, error }) => {
        const at = this.#o.codecs[event.source]?.describe(event.position) ?? event.position;
        return this.#letter(`${component}/${event.id}`, { stage: 'transform', component, error, event, input: null, at });
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
    await putDeadLetters({ ...deps, retry: config.retry }, letters, hard);
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
