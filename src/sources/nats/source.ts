// The source as the engine sees it: a durable consumer of JetStream, or subjects of core NATS, over one connection.

import { openMessageDecoder } from '../../formats/create.ts';
import type { MessageDecoder } from '../../formats/messages.ts';
import {
  type ChangeBatch,
  type Finding,
  type Lag,
  type PartitionPositions,
  type ReadContext,
  type Source,
  type SourceContext,
  type SourceDescription,
  sortablePositions,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import { describeServers } from '../../systems/nats/config.ts';
import { Connections, type Session } from '../../systems/nats/connections.ts';
import { problemOf } from '../../systems/nats/driver-errors.ts';
import { findings } from './check.ts';
import { type NatsSourceConfig, subjectsOf } from './config.ts';
import { DurableConsumer } from './consumer.ts';
import { CoreReading } from './core.ts';
import { ACK, GIVE_BACK, IN_PROGRESS } from './delivered.ts';
import { classify } from './errors.ts';
import { EXPIRES_MS } from './pull.ts';
import { Reading } from './reading.ts';
import { Receipts } from './receipts.ts';

/** In the source's store. */
const JOINED = 'nats/joined',
  /** The last session has given back what it had. */
  GIVEN_BACK = 'nats/given-back';
/** Longer than what is given back stays away. */
const GIVEN_BACK_MS = 200;
/** Between two looks whether unfinished messages were finished by who has them. */
const POLL_MS = 200;
const NANOS_PER_MS = 1_000_000;

interface Joined {
  readonly stream: string;
  readonly ackWaitMs: number;
  readonly maxRequest: number;
  readonly expiresMs: number;
}

export async function createSource(config: NatsSourceConfig, ctx: SourceContext): Promise<NatsSource> {
  return new NatsSource(config, ctx, await openMessageDecoder(config, ctx));
}

export class NatsSource implements Source {
  readonly ordering = 'queue';
  readonly exclusive = false;
  readonly positions = sortablePositions('receipt');
  readonly #config: NatsSourceConfig;
  readonly #ctx: SourceContext;
  readonly #decoder: MessageDecoder;
  readonly #connections: Connections;
  readonly #consumer: DurableConsumer;
  readonly #receipts: Receipts;
  #reading: Reading | null = null;
  /** The stream that is read; `null`: not known yet, or core NATS. */
  #stream: string | null = null;
  /** When the consumer was made: one of the same name may take its place. */
  #made: string | null = null;

  constructor(config: NatsSourceConfig, ctx: SourceContext, decoder: MessageDecoder) {
    this.#config = config;
    this.#ctx = ctx;
    this.#decoder = decoder;
    this.#connections = new Connections(config, `cdc-run:${ctx.pipeline}:${ctx.name}`);
    this.#consumer = new DurableConsumer(config, ctx.pipeline);
    // Later sessions are greater, and two of the same moment differ.
    this.#receipts = new Receipts(ctx.clock.now() * 1000 + Math.floor(ctx.random() * 1000));
  }

  describe(): SourceDescription {
    return { connector: 'nats', database: null };
  }

  check(): AsyncIterable<Finding> {
    return findings(this.#config, this.#connections, this.#consumer, this.#where);
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    if (signal.aborted) return;
    const over = new AbortController();
    try {
      const session = await this.#use((s) => Promise.resolve(s));
      if (await this.#isCore(session)) {
        yield* this.#coreBatches(session, ctx, signal);
        return;
      }
      const { stream, ackWaitMs, ...limits } = await this.#join(session);
      await ctx.assign(stream);
      await this.#awaitUnfinished(session, ackWaitMs, signal);
      const { max_deliveries: maxDeliveries } = this.#config,
        { name: source, clock } = this.#ctx;
      const shared = { source, receipts: this.#receipts, decoder: this.#decoder, clock };
      this.#reading = new Reading({ ...shared, ...limits, stream, consumer: this.#consumer.name, maxDeliveries }, session, ctx, signal);
      void this.#keepUnfinished(ackWaitMs, AbortSignal.any([signal, over.signal]));
      yield* this.#reading.batches();
    } catch (error) {
      if (signal.aborted) return;
      const classified = classify(error, this.#server, this.#where);
      if (classified.code === 'SOURCE_UNREACHABLE') this.#connections.forget();
      throw classified;
    } finally {
      over.abort();
    }
  }

  /** A queue has no end: a one_time run stops when it is empty. */
  async end(): Promise<PartitionPositions> {
    return {};
  }

  /** The last one is confirmed by the server, and those before it came over the same connection. */
  async acknowledge(upTo: PartitionPositions): Promise<void> {
    const covered = this.#receipts.upTo(this.#stream === null ? undefined : upTo[this.#stream]),
      last = covered.at(-1);
    if (last === undefined) return;
    await this.#use(async ({ connected: { nc } }) => {
      for (const [, reply] of covered.slice(0, -1)) nc.publish(reply, ACK);
      await nc.request(last[1], ACK, { timeout: this.#config.request_timeout });
    });
    this.#receipts.forget(covered);
  }

  async acknowledged(): Promise<PartitionPositions | null> {
    return null;
  }

  async lag(): Promise<Lag> {
    const stream = this.#stream;
    if (stream === null) return { events: null, bytes: null };
    const info = await this.#use(({ connected: { jsm } }) => jsm.consumers.info(stream, this.#consumer.name));
    return { events: info.num_pending + info.num_ack_pending, bytes: null };
  }

  async schema({ table }: TableId): Promise<TableSchema> {
    return this.#decoder.table(subjectsOf(this.#config)[0] ?? table);
  }

  /** What is unfinished goes back at once, not only when its time is over. */
  async close(): Promise<void> {
    const unfinished = this.#receipts.replies();
    this.#receipts.clear();
    try {
      if (unfinished.length > 0)
        await this.#use(async ({ connected: { nc } }) => {
          for (const reply of unfinished) nc.publish(reply, GIVE_BACK);
          await nc.flush();
        });
      if (this.#stream !== null) await this.#ctx.store.set(GIVEN_BACK, Buffer.from('1'));
    } catch (error) {
      this.#ctx.logger.debug('unfinished messages could not be given back', { error: (error as Error).message });
    }
    await Promise.all([this.#connections.close(), this.#decoder.close()]);
  }

  get #where(): string {
    return `source "${this.#ctx.name}"`;
  }

  get #server(): string {
    return describeServers(this.#config);
  }

  async #isCore({ connected: { jsm } }: Session): Promise<boolean> {
    if (this.#config.mode !== 'auto') return this.#config.mode === 'core';
    try {
      await jsm.getAccountInfo();
      return false;
    } catch (error) {
      const { kind } = problemOf(error);
      if (kind !== 'no_jetstream' && kind !== 'away') throw error;
      this.#ctx.logger.warn('the server has no JetStream: messages that are published while we do not listen are lost', {
        server: this.#server,
      });
      return true;
    }
  }

  #coreBatches(session: Session, ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const { queue_group: group, max_ack_pending: maxWaiting } = this.#config,
      { name: source, clock, logger } = this.#ctx;
    const options = { source, subjects: subjectsOf(this.#config), group: group ?? null, maxWaiting, decoder: this.#decoder, clock, logger };
    return new CoreReading(options, this.#receipts, session, ctx, signal).batches();
  }

  /**
   * Makes the consumer if it is not there. One that we have seen and that is gone begins at the first message there is, whatever
   * `initial_position` says: messages may have come since it was removed.
   */
  async #join(session: Session): Promise<Joined> {
    const { store, logger } = this.#ctx,
      joined = `${JOINED}/${this.#consumer.name}`,
      wasThere = (await store.get(joined)) !== null;
    const { info, isNew } = await this.#consumer.prepare(session, wasThere || this.#config.initial_position === 'earliest' ? 'all' : 'new');
    if (isNew && wasThere)
      logger.warn('the consumer was gone: it begins anew at the first message', { stream: info.stream_name, consumer: info.name });
    // Receipts of a consumer that is gone finish nothing in the new one, and its numbers may stand for other messages there.
    if (isNew || info.created !== this.#made) this.#receipts.clear();
    this.#made = info.created;
    if (!wasThere) await store.set(joined, Buffer.from('1'));
    this.#stream = info.stream_name;
    const { ack_wait, max_batch = 0, max_expires = 0 } = info.config;
    return {
      stream: info.stream_name,
      ackWaitMs: (ack_wait ?? this.#config.ack_wait * NANOS_PER_MS) / NANOS_PER_MS,
      maxRequest: max_batch > 0 ? max_batch : Number.POSITIVE_INFINITY,
      expiresMs: max_expires > 0 ? Math.min(EXPIRES_MS, max_expires / NANOS_PER_MS) : EXPIRES_MS,
    };
  }

  /**
   * Invariant 4: what a process that was killed, or a connection that was cut, had unfinished comes again only when its time is over,
   * and would come behind newer changes of the same rows. So nothing new is asked for until then.
   */
  async #awaitUnfinished(session: Session, ackWaitMs: number, signal: AbortSignal): Promise<void> {
    const { clock, logger, store } = this.#ctx,
      { jsm } = session.connected,
      stream = this.#stream as string;
    const countOf = async (): Promise<number> =>
      (await jsm.consumers.info(stream, this.#consumer.name)).num_ack_pending - this.#receipts.size;
    const wasGivenBack = Buffer.from((await store.get(GIVEN_BACK)) ?? '').toString() === '1',
      count = await countOf();
    if (wasGivenBack) await store.set(GIVEN_BACK, Buffer.from('0'));
    if (count <= 0) return;
    if (wasGivenBack) {
      await clock.sleep(GIVEN_BACK_MS, signal);
      return;
    }
    logger.info('messages are unfinished elsewhere: they come first, once their time is over', { count, wait_ms: ackWaitMs });
    const until = clock.now() + ackWaitMs + GIVEN_BACK_MS;
    while (!signal.aborted && clock.now() < until && (await countOf()) > 0) await clock.sleep(POLL_MS, signal);
  }

  /** While a destination is slow, or the reader waits for room: nothing is delivered again. */
  async #keepUnfinished(ackWaitMs: number, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#ctx;
    while (!signal.aborted) {
      await clock.sleep(ackWaitMs / 3, signal);
      const unfinished = [...this.#receipts.replies(), ...(this.#reading?.waiting() ?? [])];
      if (signal.aborted || unfinished.length === 0) continue;
      try {
        await this.#use(async ({ connected: { nc } }) => {
          for (const reply of unfinished) nc.publish(reply, IN_PROGRESS);
          await nc.flush();
        });
      } catch (error) {
        logger.debug('unfinished messages could not be kept', { error: (error as Error).message });
      }
    }
  }

  async #use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.#connections.use(null, work);
    } catch (error) {
      const classified = classify(error, this.#server, this.#where);
      if (classified.code === 'SOURCE_UNREACHABLE') this.#connections.forget();
      throw classified;
    }
  }
}
