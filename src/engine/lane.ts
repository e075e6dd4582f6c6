// A lane: a destination's own way through the change log. It collects a batch, has it delivered, and remembers what is
// confirmed. Nothing here decides about the source; how a batch is delivered is in delivery.ts, what comes between two batches
// in lane-interruptions.ts.

import type { LogReader } from '../log/change-log.ts';
import { type ResumePoint, toCdcError } from '../sdk/index.ts';
import type { ReplayRequest } from '../state/store.ts';
import { Notifier } from '../util/signal.ts';
import type { LaneStatus } from './api.ts';
import { Batcher, type Collected } from './batcher.ts';
import { Delivery } from './delivery.ts';
import type { PausedLane } from './errands.ts';
import { type InterruptedLane, LaneInterruptions } from './lane-interruptions.ts';
import { cutLoad, type Load, loadOf, pointOnly, settle } from './lane-load.ts';
import { type LaneOptions, LaneRecord, type RunningLane } from './lane-options.ts';

export class Lane implements RunningLane {
  readonly name: string;
  readonly required: boolean;
  readonly #o: LaneOptions;
  readonly #batcher: Batcher;
  readonly #delivery: Delivery;
  readonly #reader: LogReader;
  readonly #interruptions: LaneInterruptions;
  readonly #record = new LaneRecord();
  readonly #wake = new Notifier();
  /** Stop once the log's end is reached. */
  #draining = false;
  /** Stop after what is under way, once everything up to here is done; `null`: go on. */
  #until: number | null = null;
  /** Asked to stop while nothing can be delivered. */
  #givenUp = false;
  #progressDue = false;
  #linger: AbortController | null = null;
  #nextSeq: number;
  /** The end of the last batch that was begun. */
  #begun = 0;
  /** Processed up to here; what the destination holds may be less, by what has nothing to write only. */
  #done: { seq: number; point: ResumePoint };
  /** What would be found after a crash. */
  #durable: { seq: number; point: ResumePoint };

  constructor(options: LaneOptions) {
    this.#o = options;
    this.name = options.config.name;
    this.required = options.config.required;
    const { log, codecs, queues, config, point, entry } = options;
    this.#batcher = new Batcher({
      log,
      codecs,
      queues,
      maxEvents: config.batch.maxEvents,
      maxBytes: config.batch.maxBytes,
      own: point,
      start: entry.place,
      slot: options.worker,
    });
    this.#delivery = new Delivery(options, this.#record);
    this.#reader = log.reader(entry.seq);
    this.#nextSeq = entry.seq + 1;
    this.#done = this.#durable = { seq: entry.seq, point };
    this.#interruptions = new LaneInterruptions(this.#interrupted());
  }

  #interrupted(): InterruptedLane {
    return {
      options: this.#o,
      record: this.#record,
      delivery: this.#delivery,
      worker: this,
      place: () => this.#done.seq,
      isAhead: () => this.#batcher.isAhead,
      held: () => this.#durable.point,
      heldSeq: () => this.#durable.seq,
      rewritten: (held) => this.#rewritten(held),
      transformed: (batch, signal) => this.#transformed(batch, signal),
      writeProgress: (signal) => this.#writeProgress(signal),
      isReady: (signal) => this.#isReady(signal),
      isStopping: () => this.#until !== null,
      isGivenUp: () => this.#givenUp,
      giveUp: () => {
        this.#givenUp = true;
      },
      lookUp: () => this.lookUp(),
    };
  }

  get doneSeq(): number {
    return this.#done.seq;
  }
  get durablePoints(): readonly ResumePoint[] {
    return [this.#durable.point];
  }
  get durablePoint(): ResumePoint {
    return this.#durable.point;
  }
  get releasedSeq(): number {
    return this.#reader.releasedSeq;
  }
  /** See `MeetingWorker`. One that entered the log by position has perhaps had more than it has read. */
  get goal(): number {
    return Math.max(this.#begun, this.#done.seq, this.#batcher.isAhead ? this.#o.log.readableSeq : 0);
  }
  get isDue(): boolean {
    return this.#interruptions.isDue;
  }
  get isEnding(): boolean {
    return this.#until !== null;
  }
  /** What state is to know of a replay. */
  get replay(): ReplayRequest | null {
    return this.#interruptions.replay;
  }
  get delivered(): number {
    return this.#record.delivered;
  }
  get parked(): number {
    return this.#record.parked;
  }

  status(): LaneStatus {
    const { breaker, batchEvents: batchSize, parking } = this.#delivery,
      queued = this.#o.log.lastSeq - this.#done.seq,
      replay = this.#interruptions.replayStatus();
    const now = { queued, point: this.#durable.point, breaker, batchSize, parkedKeys: parking.keys, replay };
    return this.#record.status(this.#o.config, now);
  }

  wake(): void {
    if (this.#linger !== null && this.#waiting() >= this.#delivery.batchEvents) this.#linger.abort();
    this.#wake.notify();
  }

  requestProgress(): void {
    if (this.#done.seq === this.#durable.seq) return;
    this.#progressDue = true;
    this.#wake.notify();
  }

  beginReplay(request: ReplayRequest): void {
    this.#interruptions.beginReplay(request);
  }

  pause<T>(work: (lane: PausedLane) => Promise<T>): Promise<T> {
    return this.#interruptions.pause(work);
  }

  /** There is something else to do than to wait for events. */
  lookUp(): void {
    this.#linger?.abort();
    this.#wake.notify();
  }

  /** `until`: what the furthest worker has done. */
  finish(until = this.#done.seq): void {
    this.#until = until;
    this.#interruptions.end();
    this.lookUp();
  }

  drain(): void {
    this.#draining = true;
    this.lookUp();
  }

  stop(): void {
    this.#delivery.stop();
    this.#interruptions.end();
  }

  release(): void {
    this.#reader.close();
    this.#interruptions.release();
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#record.state = 'running';
    signal.addEventListener('abort', () => this.#linger?.abort(), { once: true });
    try {
      await this.#delivery.parking.load(signal);
      while (!signal.aborted && !this.#givenUp && (this.#until === null || this.#done.seq < this.#until)) {
        if (await this.#interruptions.take(signal)) continue;
        await this.#gather();
        const batch = await this.#batcher.collect(this.#nextSeq, this.#delivery.batchEvents, this.#bound());
        if (batch !== null) await this.#process(batch, signal);
        else if (this.#waiting() > 0)
          continue; // it came while the batch was looked for
        else if (this.#progressDue || (this.#draining && this.#done.seq !== this.#durable.seq)) await this.#writeProgress(signal);
        else if (this.#draining) break;
        // Asked to end while the batch was looked for: the notice was for nobody.
        else if (this.#until === null) await this.#wake.wait(signal);
      }
      if (this.#until !== null && !signal.aborted && !this.#givenUp) await this.#writeProgress(signal);
      this.#record.state = 'stopped';
    } catch (error) {
      this.#record.failed(toCdcError(error));
      throw error;
    } finally {
      this.#interruptions.end();
    }
  }

  /** Where it stops for now: at the end, or where the workers meet. */
  #bound(): number | null {
    return this.#until ?? this.#interruptions.bound;
  }

  #waiting(): number {
    return this.#o.log.readableSeq + 1 - this.#nextSeq;
  }

  /** With a batch timeout: wait for a full batch, but not longer than that after its first event. */
  async #gather(): Promise<void> {
    const { timeoutMs } = this.#o.config.batch,
      full = this.#delivery.batchEvents;
    if (timeoutMs === 0 || this.#draining || this.#bound() !== null || this.#waiting() <= 0 || this.#waiting() >= full) return;
    this.#linger = new AbortController();
    await this.#o.clock.sleep(timeoutMs, this.#linger.signal);
    this.#linger = null;
  }

  async #process(batch: Collected, signal: AbortSignal): Promise<void> {
    this.#begun = batch.lastSeq;
    if (batch.isBarrier && !(await this.#reachBarrier(batch, signal))) return;
    const load = await this.#transformed(batch, signal);
    if (signal.aborted) return;
    if (load.events.length === 0) this.#advance(load, !this.#o.holdsPoint);
    else await this.#deliver(load, signal);
  }

  async #reachBarrier({ lastSeq }: Collected, signal: AbortSignal): Promise<boolean> {
    const { worker } = this.#o;
    const isReached = worker === null || (await worker.barriers.reach(worker.index, this.#nextSeq - 1, lastSeq, signal));
    if (!isReached) this.#givenUp = true;
    return isReached;
  }

  /** Part by part, if it must be: a part of the load moves the point as a batch of its own would. */
  async #deliver(load: Load, signal: AbortSignal): Promise<void> {
    for (let rest: Load | null = load; rest !== null; ) {
      if (!(await this.#isReady(signal))) return;
      const { head, tail } = cutLoad(rest, this.#delivery.limit, this.#o);
      const outcome = await this.#delivery.attempt(head, this.#pointAt(head), this.#durable.point, signal);
      if (outcome === 'stopped') return;
      if (outcome === 'again') {
        settle(rest, head);
        continue;
      }
      this.#advance(head, outcome === 'stored' || !this.#o.holdsPoint);
      rest = tail;
    }
  }

  #rewritten(point: ResumePoint): void {
    const isDone = this.#done === this.#durable;
    this.#durable = { seq: this.#durable.seq, point };
    if (isDone) this.#done = this.#durable;
  }

  async #isReady(signal: AbortSignal): Promise<boolean> {
    if (await this.#delivery.ready(signal)) return true;
    this.#givenUp = true;
    return false;
  }

  #advance(load: Load, isDurable: boolean): void {
    this.#done = { seq: load.lastSeq, point: this.#pointAt(load) };
    if (isDurable) this.#durable = this.#done;
    this.#nextSeq = load.lastSeq + 1;
    this.#reader.release(load.lastSeq);
    this.#o.onProgress();
  }

  /** Nothing but the point: filtered and idle lanes move too (invariant 2). */
  async #writeProgress(signal: AbortSignal): Promise<void> {
    this.#progressDue = false;
    const { seq, point } = this.#done;
    if (seq === this.#durable.seq) return;
    const load = pointOnly(seq, point);
    while (await this.#isReady(signal)) {
      const outcome = await this.#delivery.attempt(load, point, this.#durable.point, signal);
      if (outcome === 'stopped') return;
      if (outcome === 'again') continue;
      this.#durable = { seq, point };
      this.#o.onProgress();
      return;
    }
  }

  async #transformed(batch: Collected, signal: AbortSignal): Promise<Load> {
    const { transform } = this.#o;
    if (transform === null || batch.events.length === 0) return loadOf(batch);
    const { batch: changed, failures } = await transform.run(batch);
    // Invariant 3: parked before anything of the batch moves the point.
    for (const { component, refused } of failures) await this.#delivery.parking.park(refused, 'lane_transform', component, signal);
    return loadOf(changed);
  }

  #pointAt({ lastSeq, place }: Load): ResumePoint {
    return { epoch: this.#o.epoch, log: { id: this.#o.log.id, seq: lastSeq }, ...place };
  }
}
