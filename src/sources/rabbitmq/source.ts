// The source as the engine sees it. A queue: what is handed over is acknowledged on the channel that delivered it, and only once every
// required destination has it; what is not comes again.

import type { ConsumeMessage } from 'amqplib';
import { openMessageDecoder } from '../../formats/create.ts';
import type { MessageDecoder } from '../../formats/messages.ts';
import {
  CdcError,
  type ChangeBatch,
  type ChangeEvent,
  type Finding,
  type Lag,
  type PartitionPositions,
  type Position,
  type ReadContext,
  type Source,
  type SourceContext,
  type SourceDescription,
  sortablePositions,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import { type Connection, Connections } from '../../systems/rabbitmq/connection.ts';
import { describeEndpoint, endpointOf } from '../../systems/rabbitmq/endpoint.ts';
import { declare, readyIn } from '../../systems/rabbitmq/topology.ts';
import { findings } from './check.ts';
import { type RabbitmqSourceConfig, topologyOf } from './config.ts';
import { deliveriesOf, eventOf, isOfStream, messageOf } from './decode.ts';
import { classify } from './errors.ts';
import { Session } from './session.ts';

/** What an event costs beside its bytes. */
const OVERHEAD_BYTES = 300;
/** Between two looks at a queue that a run shall empty. */
const EMPTY_POLL_MS = 50;
/** How long the server may take to see the last acknowledgements. */
const CLOSE_MS = 2000;
/** In the source's store: the queue was there once. */
const SEEN = 'rabbitmq/seen';

export async function createSource(config: RabbitmqSourceConfig, ctx: SourceContext): Promise<RabbitmqSource> {
  return new RabbitmqSource(config, ctx, await openMessageDecoder(config, ctx));
}

export class RabbitmqSource implements Source {
  readonly ordering = 'queue';
  readonly exclusive = false;
  readonly positions = sortablePositions('receipt');
  readonly #config: RabbitmqSourceConfig;
  readonly #ctx: SourceContext;
  readonly #decoder: MessageDecoder;
  readonly #connections: Connections;
  readonly #server: string;
  #session: Session | null = null;
  #lastSession = 0;

  constructor(config: RabbitmqSourceConfig, ctx: SourceContext, decoder: MessageDecoder) {
    const endpoint = endpointOf(config);
    this.#config = config;
    this.#ctx = ctx;
    this.#decoder = decoder;
    this.#connections = new Connections(endpoint, `cdc-run:${ctx.pipeline}:${ctx.name}`);
    this.#server = describeEndpoint(endpoint);
  }

  describe(): SourceDescription {
    return { connector: 'rabbitmq', database: null };
  }

  async *check(): AsyncIterable<Finding> {
    yield* findings(this.#config, this.#connections.endpoint, (work) => this.#use(work));
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    if (signal.aborted) return;
    try {
      const session = await this.#joined();
      await ctx.assign(this.#config.queue);
      while (!signal.aborted) {
        await session.gather(ctx.maxBatchEvents);
        const some = session.peek(ctx.maxBatchEvents, ctx.maxBatchBytes);
        if (some.length === 0) {
          if (ctx.until !== null && (await this.#isOver(session, signal))) return;
          if (ctx.until === null) await session.wait(signal);
          continue;
        }
        const batch = await this.#batch(session, some, ctx, signal);
        session.drop(some.length);
        yield batch;
      }
    } catch (error) {
      if (signal.aborted) return;
      const classified = classify(error, this.#server, this.#where);
      // While a schema registry is away the channel goes on: what it has delivered is decoded by the next reading.
      if (this.#session?.isOpen === false) void this.#leave();
      throw classified;
    }
  }

  /** A queue has no end: a one_time run stops when it is empty. */
  async end(): Promise<PartitionPositions> {
    return {};
  }

  /** Invariant 1: the engine calls once every required destination has what the receipt covers. */
  async acknowledge(upTo: PartitionPositions): Promise<void> {
    this.#session?.acknowledge(upTo[this.#config.queue]);
  }

  async acknowledged(): Promise<PartitionPositions | null> {
    return null;
  }

  async lag(): Promise<Lag> {
    const ready = await this.#use((connection) => readyIn(connection, this.#config.queue));
    return { events: ready + (this.#session?.unfinished ?? 0), bytes: null };
  }

  async schema(_table: TableId): Promise<TableSchema> {
    return this.#decoder.table(this.#config.queue);
  }

  async close(): Promise<void> {
    const left = new AbortController();
    await Promise.race([this.#leave(), this.#ctx.clock.sleep(CLOSE_MS, left.signal)]);
    left.abort();
    await Promise.all([this.#connections.close(), this.#decoder.close()]);
  }

  async #leave(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.close();
  }

  get #where(): string {
    return `source "${this.#ctx.name}"`;
  }

  /** The consumer, which a new reading goes on with as long as its channel lives: acknowledgements still under way are of it. */
  async #joined(): Promise<Session> {
    if (this.#session?.isOpen) return this.#session;
    void this.#leave();
    const connection = await this.#connections.get();
    try {
      if (this.#config.declare) await this.#declare(connection);
      const { clock, random } = this.#ctx,
        { queue, prefetch } = this.#config;
      // Later sessions are greater, and two of the same moment differ.
      this.#lastSession = Math.max(this.#lastSession + 1, clock.now() * 1000 + Math.floor(random() * 1000));
      this.#session = await Session.open(this.#lastSession, connection, { queue, prefetch, clock });
      return this.#session;
    } catch (error) {
      // What a consumer on it holds would be kept from others.
      connection.drop();
      throw error;
    }
  }

  async #declare(connection: Connection): Promise<void> {
    const { store, logger } = this.#ctx,
      { queue } = this.#config,
      seen = `${SEEN}/${queue}`,
      wasThere = (await store.get(seen)) !== null,
      there = await declare(connection, topologyOf(this.#config));
    if (wasThere && !there.queue)
      logger.warn('the queue was gone, with what was in it: it was made anew', { queue, fix: 'Find out who deleted it.' });
    if (!wasThere) await store.set(seen, Buffer.from('1'));
  }

  async #batch(session: Session, deliveries: readonly ConsumeMessage[], ctx: ReadContext, signal: AbortSignal): Promise<ChangeBatch> {
    const { queue, table_from: from } = this.#config;
    if (isOfStream(deliveries[0] as ConsumeMessage)) throw this.#noQueue();
    const messages = deliveries.map((d) => messageOf(d, from === 'queue' ? queue : d.fields.routingKey)),
      decoded = await this.#decoder.decode(messages, signal),
      nowMs = this.#ctx.clock.now(),
      events: ChangeEvent[] = [];
    let bytes = 0,
      resume: Position | null = null;
    for (let i = 0; i < deliveries.length; i++) {
      const delivery = deliveries[i] as ConsumeMessage,
        said = this.#givenUp(delivery) ?? decoded[i] ?? null;
      bytes += delivery.content.length + OVERHEAD_BYTES;
      resume = session.receiptOf(delivery);
      if (said instanceof CdcError) {
        // Invariant 3: the dead letter is durable before a receipt covers the message. It is known by the receipt: ids need not be there,
        // nor differ.
        await ctx.reject(delivery.content, `${describe(delivery, queue)}, delivery ${resume}`, said);
      } else if (said !== null) {
        const place = { source: this.#ctx.name, partition: queue, position: resume, nowMs };
        events.push(eventOf(delivery, messages[i] as (typeof messages)[number], said, place));
      }
    }
    return { events, source: this.#ctx.name, partition: queue, resume, bytes };
  }

  #noQueue(): CdcError {
    return new CdcError(
      'SOURCE_MISCONFIGURED',
      `The queue ${this.#config.queue} is a stream: what comes while nobody reads it would be lost.`,
      {
        where: this.#where,
        fix: 'Read a quorum queue that is bound to the same exchange.',
      },
    );
  }

  #givenUp(delivery: ConsumeMessage): CdcError | null {
    const { max_deliveries: most } = this.#config;
    if (most === null || !delivery.fields.redelivered) return null;
    const count = deliveriesOf(delivery);
    if (count <= most) return null;
    return new CdcError('SOURCE_DATA_INVALID', `The message was delivered ${count} times and never finished.`, {
      fix: 'Find out what it does to the pipeline; raise `max_deliveries` if it is innocent.',
    });
  }

  async #isOver(session: Session, signal: AbortSignal): Promise<boolean> {
    if (await session.isEmpty()) return true;
    await this.#ctx.clock.sleep(EMPTY_POLL_MS, signal);
    if (!session.isOpen) await session.wait(signal);
    return false;
  }

  async #use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#connections.get());
    } catch (error) {
      throw classify(error, this.#server, this.#where);
    }
  }
}

function describe({ fields, properties }: ConsumeMessage, queue: string): string {
  const id: unknown = properties.messageId,
    named = typeof id === 'string' && id !== '' ? `, id ${id}` : '';
  return `a message of ${queue}, routing key "${fields.routingKey}"${named}`;
}
