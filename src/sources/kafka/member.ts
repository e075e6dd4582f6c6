// A member of the group while one reading lasts: puts partitions at their places when they are given to us, turns what is fetched
// into batches for the engine, commits what was delivered. All decisions about places are ours: the library would take what the
// group has, and "earliest" where it finds nothing.

import type { MessageDecoder } from '../../formats/messages.ts';
import {
  CdcError,
  type ChangeBatch,
  type ChangeEvent,
  type Clock,
  type Logger,
  type PartitionPositions,
  type ReadContext,
} from '../../sdk/index.ts';
import type {
  CommittedOffset,
  Consumer,
  FetchedBatch,
  FetchedRecord,
  KafkaClient,
  PartitionEnds,
  TopicPartition,
} from '../../systems/kafka/client.ts';
import { troubleOf } from '../../systems/kafka/driver-errors.ts';
import { withAdmin } from '../../systems/kafka/with-admin.ts';
import type { KafkaSourceConfig } from './config.ts';
import { bytesOf, EVENT_BYTES, eventOf, messageOf } from './decode.ts';
import { diverged, noOffset, positionGone } from './errors.ts';
import { Handoff } from './handoff.ts';
import { offsetOf, partitionName, positionOf } from './position.ts';
import { startOf } from './start.ts';

/** How long a broker may hold back an answer that would be empty: as long takes a stop. */
const MAX_WAIT_MS = 400;
/** Members are told to divide anew within this of a change. */
const HEARTBEAT_MS = 1000;

export interface MemberOptions {
  readonly config: KafkaSourceConfig;
  readonly client: KafkaClient;
  readonly decoder: MessageDecoder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly source: string;
  readonly where: string;
  readonly group: string;
  /** What our commits say. */
  readonly id: string;
  readonly topics: readonly string[];
  readonly ctx: ReadContext;
  readonly signal: AbortSignal;
}

/** A partition that is ours. */
interface Assigned {
  readonly at: TopicPartition;
  readonly name: string;
  /** The next offset to read; `null`: not placed yet. */
  next: bigint | null;
  placed: Promise<void>;
  /** What was committed last, as the next offset. */
  committed: bigint;
  /** Passed without a record, and not told yet. */
  skipped: bigint | null;
  /** one_time: the last offset to read, `null` when there is none. */
  readonly until: bigint | null;
}

export class Member {
  readonly #o: MemberOptions;
  readonly #consumer: Consumer;
  readonly #handoff = new Handoff<ChangeBatch>();
  #assigned = new Map<string, Assigned>();
  /** Nothing is read any more; we stay in the group, so that what is delivered yet can be committed. */
  #isParked = false;
  /** Until others have read what is theirs. */
  #isWaiting = false;

  constructor(options: MemberOptions) {
    this.#o = options;
    const { config, group: groupId, topics } = options;
    this.#consumer = options.client.consumer({
      groupId,
      topics,
      sessionTimeoutMs: config.session_timeout,
      rebalanceTimeoutMs: config.rebalance_timeout,
      heartbeatMs: Math.min(HEARTBEAT_MS, config.session_timeout / 3),
      maxBytesPerPartition: config.fetch_max_bytes,
      maxWaitMs: MAX_WAIT_MS,
      metadataMaxAgeMs: config.metadata_max_age,
      readsUncommitted: config.isolation_level === 'read_uncommitted',
    });
  }

  /** Batches until the signal aborts or the ends are reached. */
  async *batches(): AsyncGenerator<ChangeBatch> {
    const { signal } = this.#o,
      onAbort = (): void => this.#handoff.end();
    if (signal.aborted) return;
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#consumer
        .run({
          assigned: (partitions) => this.#take(partitions),
          batch: (batch) => this.#batch(batch),
          skipped: (at, lastOffset) => this.#skip(at, lastOffset),
          crashed: (error) => this.#handoff.fail(error),
        })
        .catch((error: unknown) => this.#handoff.fail(error));
      for (let batch = await this.#handoff.take(); batch !== null; batch = await this.#handoff.take()) yield batch;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#park();
    }
  }

  /** Commits what is delivered of the partitions that are ours. */
  async acknowledge(upTo: PartitionPositions): Promise<void> {
    const due: { state: Assigned; offset: bigint }[] = [];
    for (const [name, position] of Object.entries(upTo)) {
      const state = this.#assigned.get(name),
        offset = offsetOf(position) + 1n;
      // Another member's is not ours to commit, and none goes back.
      if (state !== undefined && state.next !== null && offset > state.committed) due.push({ state, offset });
    }
    if (due.length === 0) return;
    try {
      await this.#consumer.commit(due.map(({ state, offset }) => ({ ...state.at, offset, metadata: this.#o.id })));
      for (const { state, offset } of due) state.committed = offset;
    } catch (error) {
      // While the group divides its partitions nobody commits: the next checkpoint comes soon.
      if (troubleOf(error) !== 'rebalance') throw error;
      this.#o.logger.debug('the group divides its partitions: what was delivered is committed later');
    }
  }

  /** Messages that are there and not read yet, of our partitions. */
  behind(ends: ReadonlyMap<string, PartitionEnds>): bigint {
    let sum = 0n;
    for (const { name, next } of this.#assigned.values()) {
      const high = ends.get(name)?.high ?? 0n;
      if (next !== null && high > next) sum += high - next;
    }
    return sum;
  }

  /** Leaves the group. */
  async leave(): Promise<void> {
    this.#park();
    await this.#consumer.disconnect();
  }

  #park(): void {
    this.#isParked = true;
    this.#handoff.end();
    this.#pause(this.#assigned.values());
  }

  #pause(states: Iterable<Assigned>): void {
    const places = [...states].map((s) => s.at);
    if (places.length === 0) return;
    try {
      this.#consumer.pause(places);
    } catch (error) {
      this.#o.logger.debug('the consumer had ended before', { error: String(error) });
    }
  }

  // -- places ------------------------------------------------------------------------------------------------------------

  /** At once, where a place is known: the next fetch would begin with what the group has committed. */
  #take(partitions: readonly TopicPartition[]): void {
    const before = this.#assigned,
      fresh: Assigned[] = [];
    this.#assigned = new Map();
    for (const at of partitions) {
      const name = partitionName(at),
        known = before.get(name);
      if (known !== undefined) {
        this.#assigned.set(name, known);
        if (known.next !== null) this.#consumer.seek(at, known.next);
        continue;
      }
      const end = this.#o.ctx.until?.partitions[name],
        until = this.#o.ctx.until === null || end === undefined ? null : offsetOf(end);
      const state: Assigned = { at, name, next: null, placed: Promise.resolve(), committed: 0n, skipped: null, until };
      this.#assigned.set(name, state);
      fresh.push(state);
    }
    const lost = [...before.keys()].filter((name) => !this.#assigned.has(name));
    this.#o.logger.info('the group has divided its partitions', { given: fresh.map((s) => s.name), taken: lost, all: this.#assigned.size });
    if (this.#isParked) {
      this.#pause(this.#assigned.values());
      return;
    }
    const placing = this.#place(fresh);
    for (const state of fresh) state.placed = placing;
    placing.catch((error: unknown) => this.#handoff.fail(error));
  }

  async #place(fresh: readonly Assigned[]): Promise<void> {
    const { ctx, group, config, id, where } = this.#o,
      topics = [...new Set(fresh.map((s) => s.at.topic))];
    const facts =
      topics.length === 0
        ? null
        : await withAdmin(this.#o.client, async (admin) => {
            const ends = new Map<string, PartitionEnds>();
            for (const topic of topics)
              for (const e of await admin.ends(topic)) ends.set(partitionName({ topic, partition: e.partition }), e);
            return { ends, committed: await admin.committed(group, topics) };
          });
    for (const state of fresh) {
      const committed = facts?.committed.find((c) => partitionName(c) === state.name) ?? null,
        { low = 0n, high = 0n } = facts?.ends.get(state.name) ?? {};
      const start = startOf({ stored: await ctx.assign(state.name), committed, member: id, low, high, reset: config.auto_offset_reset });
      if (start.kind === 'unknown') throw noOffset(state.at, group, where);
      if (start.kind === 'gone') throw positionGone(state.at, start.next, low, where);
      // What is not committed may have been read before.
      if (start.kind === 'diverged' && config.isolation_level === 'read_committed') throw diverged(state.at, start.next, high, where);
      if (this.#assigned.get(state.name) !== state) continue; // taken away meanwhile
      state.next = start.next;
      state.committed = ownCommit(committed, id);
      this.#consumer.seek(state.at, start.next);
      if (start.kind === 'at' && start.isFresh) this.#tell(state, start.next - 1n);
    }
    this.#finishIfDone();
  }

  /** Only progress: the place is stored with the next checkpoint. */
  #tell(state: Assigned, offset: bigint): void {
    const isPending = state.skipped !== null;
    state.skipped = offset;
    if (isPending) return;
    this.#handoff.put(() => {
      const at = state.skipped as bigint;
      state.skipped = null;
      return this.#changeBatch(state, [], at, 0);
    });
  }

  #skip(at: TopicPartition, lastOffset: bigint): void {
    const state = this.#assigned.get(partitionName(at));
    if (state === undefined || state.next === null || lastOffset < state.next || this.#isParked) return;
    state.next = lastOffset + 1n;
    this.#tell(state, lastOffset);
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#o.ctx.until === null || [...this.#assigned.values()].some(({ next }) => next === null)) return;
    const open = this.#open();
    if (open.length === 0) this.#handoff.finish();
    else if (open.every(([name]) => !this.#assigned.has(name))) this.#waitForOthers().catch((error: unknown) => this.#handoff.fail(error));
  }

  /** one_time: partitions that are not read to their ends, and the last offset of each. */
  #open(): [name: string, last: bigint][] {
    return Object.entries(this.#o.ctx.until?.partitions ?? {}).flatMap(([name, end]): [string, bigint][] => {
      const next = this.#assigned.get(name)?.next ?? null,
        last = offsetOf(end);
      return next === null || next <= last ? [[name, last]] : [];
    });
  }

  /** What is left is another member's: it commits that, or has died, and then it comes to us. */
  async #waitForOthers(): Promise<void> {
    const { client, clock, group, logger, signal, topics } = this.#o;
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    logger.info('waits for partitions that another member of the group has', { partitions: this.#open().map(([name]) => name) });
    try {
      while (!this.#isParked && !signal.aborted) {
        const open = this.#open();
        if (open.some(([name]) => this.#assigned.has(name))) return;
        const committed = await withAdmin(client, (admin) => admin.committed(group, topics));
        const nextOf = new Map(committed.map((c) => [partitionName(c), c.offset]));
        if (open.every(([name, last]) => (nextOf.get(name) ?? 0n) > last)) {
          this.#handoff.finish();
          return;
        }
        await clock.sleep(HEARTBEAT_MS, signal);
      }
    } finally {
      this.#isWaiting = false;
    }
  }

  // -- records -----------------------------------------------------------------------------------------------------------

  async #batch(batch: FetchedBatch): Promise<void> {
    const state = this.#assigned.get(partitionName(batch));
    if (state === undefined || this.#isParked) return;
    try {
      await this.#alive(batch, state.placed);
      if (batch.isStale() || this.#isParked || state.next === null) return;
      // The library goes to "earliest" by itself when a place is gone.
      if (batch.fetchedOffset !== state.next) throw positionGone(state.at, state.next, batch.fetchedOffset, this.#o.where);
      await this.#giveAll(state, batch);
    } catch (error) {
      if (troubleOf(error) === 'rebalance') throw error;
      this.#pause([state]);
      this.#handoff.fail(error);
    }
  }

  async #giveAll(state: Assigned, batch: FetchedBatch): Promise<void> {
    const { until } = state,
      { records } = batch;
    for (let from = 0; from < records.length; ) {
      const to = this.#chunkEnd(records, from),
        isLast = to === records.length,
        last = isLast ? batch.lastOffset : BigInt((records[to - 1] as FetchedRecord).offset);
      const { events, bytes } = await this.#decode(state, records.slice(from, to), batch);
      const isGiven = await this.#give(state, batch, this.#changeBatch(state, events, last, bytes));
      if (!isGiven) return;
      from = to;
      if (batch.isStale()) return;
      if (until !== null && state.next !== null && state.next > until) break;
    }
    this.#finishIfDone();
  }

  /** As many as the engine takes at once. */
  #chunkEnd(records: readonly FetchedRecord[], from: number): number {
    const { maxBatchEvents, maxBatchBytes } = this.#o.ctx;
    let bytes = 0,
      to = from;
    while (to < records.length && to - from < maxBatchEvents) {
      bytes += bytesOf(records[to] as FetchedRecord) + EVENT_BYTES;
      if (bytes > maxBatchBytes && to > from) break;
      to++;
    }
    return to;
  }

  async #decode(
    state: Assigned,
    records: readonly FetchedRecord[],
    batch: FetchedBatch,
  ): Promise<{ events: ChangeEvent[]; bytes: number }> {
    const { decoder, ctx, signal, source, config } = this.#o,
      messages = records.map((record) => messageOf(batch.topic, record));
    const decoded = await this.#alive(batch, decoder.decode(messages, signal));
    const events: ChangeEvent[] = [];
    let bytes = 0;
    for (let i = 0; i < records.length; i++) {
      const what = decoded[i],
        record = records[i] as FetchedRecord;
      if (what === null || what === undefined) continue;
      if (what instanceof CdcError) {
        // Invariant 3: durable in the dead letter queue before the place moves beyond it.
        const at = `topic "${batch.topic}", partition ${batch.partition}, offset ${record.offset}`;
        await this.#alive(batch, ctx.reject(record.value ?? record.key ?? new Uint8Array(), at, what));
        continue;
      }
      bytes += bytesOf(record) + EVENT_BYTES;
      events.push(eventOf(what, record, messages[i]?.headers ?? null, { source, partition: state.name }, config.watermark));
    }
    return { events, bytes };
  }

  #changeBatch({ name: partition }: Assigned, events: ChangeEvent[], lastOffset: bigint, bytes: number): ChangeBatch {
    return { events, source: this.#o.source, partition, resume: positionOf(lastOffset), bytes };
  }

  /** Waits until the engine has room. `false`: it was not taken. */
  async #give(state: Assigned, batch: FetchedBatch, change: ChangeBatch): Promise<boolean> {
    const next = offsetOf(change.resume as NonNullable<ChangeBatch['resume']>) + 1n;
    const offered = this.#handoff.put(() => {
      state.next = next;
      return change;
    });
    try {
      const isTaken = await this.#alive(batch, offered.taken);
      if (isTaken && !batch.isStale()) batch.resolve(next - 1n);
      return isTaken;
    } finally {
      offered.withdraw();
    }
  }

  /** Waits for something while the group is told that we live. */
  async #alive<T>(batch: FetchedBatch, work: Promise<T>): Promise<T> {
    const { clock } = this.#o;
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => undefined);
    for (;;) {
      const timer = new AbortController();
      try {
        await Promise.race([done, clock.sleep(HEARTBEAT_MS, timer.signal)]);
      } finally {
        timer.abort();
      }
      if (isDone) return done;
      try {
        await batch.heartbeat();
      } catch (error) {
        if (troubleOf(error) === 'rebalance') await this.#handOver();
        throw error;
      }
    }
  }

  /** Partitions may go to other members: what was read of them is delivered and committed first, as far as there is time. */
  async #handOver(): Promise<void> {
    const { ctx, clock, config, signal } = this.#o,
      timer = new AbortController();
    if (signal.aborted) return;
    const all = Promise.all([...this.#assigned.keys()].map((name) => ctx.revoke(name)));
    try {
      // Half of what the group waits: to join it again takes time, too.
      await Promise.race([all, clock.sleep(config.rebalance_timeout / 2, timer.signal)]);
    } finally {
      timer.abort();
    }
  }
}

/** What we have committed ourselves; 0: nothing, or others have. */
const ownCommit = (committed: CommittedOffset | null, id: string): bigint =>
  committed !== null && committed.metadata === id ? committed.offset : 0n;
