// The source as the engine sees it. A queue: what is handed over is acknowledged on the connection that delivered it, and only once every
// required destination has it; what is not comes again.

import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { openMessageDecoder } from '../../formats/create.ts';
import type { Message, MessageDecoder } from '../../formats/messages.ts';
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
import type { SessionOptions } from '../../systems/mqtt/client.ts';
import { describeEndpoint, type Endpoint, endpointOf } from '../../systems/mqtt/endpoint.ts';
import { findings } from './check.ts';
import { filtersOf, type MqttSourceConfig } from './config.ts';
import { eventOf, messageOf } from './decode.ts';
import { classify } from './errors.ts';
import { isShared } from './filters.ts';
import { type Delivery, Session } from './session.ts';
import { leave, subscribe } from './subscribe.ts';

/** What an event costs beside its bytes. */
const OVERHEAD_BYTES = 300;
/** How long the broker may take to see the last acknowledgements. */
const CLOSE_MS = 2000;
/** All topics of a session come over one connection, in order. */
const PARTITION = 'session';
/** In the source's store. */
const CLIENT = 'mqtt/client',
  FILTERS = 'mqtt/filters';

export async function createSource(config: MqttSourceConfig, ctx: SourceContext): Promise<MqttSource> {
  return new MqttSource(config, ctx, await openMessageDecoder(config, ctx), config.client_id ?? (await ownName(ctx)));
}

/** The same after a restart, so that the session goes on; another for another process. */
async function ownName({ store }: SourceContext): Promise<string> {
  const known = await store.get(CLIENT);
  if (known !== null) return Buffer.from(known).toString();
  // Brokers of 3.1.1 need not take more than 23 characters.
  const name = `cdc-run-${randomBytes(6).toString('hex')}`;
  await store.set(CLIENT, Buffer.from(name));
  return name;
}

export class MqttSource implements Source {
  readonly ordering = 'queue';
  readonly exclusive: boolean;
  readonly positions = sortablePositions('receipt');
  readonly #config: MqttSourceConfig;
  readonly #ctx: SourceContext;
  readonly #decoder: MessageDecoder;
  readonly #endpoint: Endpoint;
  readonly #options: SessionOptions;
  #session: Session | null = null;
  #lastSession = 0;

  constructor(config: MqttSourceConfig, ctx: SourceContext, decoder: MessageDecoder, clientId: string) {
    this.#config = config;
    this.#ctx = ctx;
    this.#decoder = decoder;
    this.#endpoint = endpointOf(config);
    // Two sessions have each message both, unless the broker shares it out.
    this.exclusive = !filtersOf(config).every(isShared);
    this.#options = {
      clientId,
      clean: config.clean,
      expirySeconds: Math.min(0xffff_fffe, Math.ceil(config.session_expiry / 1000)),
      receiveMaximum: config.receive_maximum,
    };
  }

  describe(): SourceDescription {
    return { connector: 'mqtt', database: null };
  }

  check(): AsyncIterable<Finding> {
    return findings(this.#config, this.#endpoint, (error) => classify(error, describeEndpoint(this.#endpoint), this.#where));
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    if (signal.aborted) return;
    try {
      const session = await this.#joined();
      await ctx.assign(PARTITION);
      while (!signal.aborted) {
        const some = session.peek(ctx.maxBatchEvents, ctx.maxBatchBytes);
        if (some.length > 0) {
          const batch = await this.#batch(session, some, ctx, signal);
          session.drop(some.length);
          yield batch;
          continue;
        }
        const before = session.arrived;
        await session.wait(signal, ctx.until === null ? null : this.#config.idle_timeout);
        if (ctx.until !== null && session.arrived === before) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      // While a schema registry is away the connection goes on: what it has delivered is decoded by the next reading.
      if (this.#session?.isOpen === false) this.#session = null;
      throw classify(error, describeEndpoint(this.#endpoint), this.#where);
    }
  }

  /** Topics have no end: a one_time run stops when nothing has come for a while. */
  async end(): Promise<PartitionPositions> {
    return {};
  }

  /** Invariant 1: the engine calls once every required destination has what the receipt covers. */
  async acknowledge(upTo: PartitionPositions): Promise<void> {
    this.#session?.acknowledge(upTo[PARTITION]);
  }

  async acknowledged(): Promise<PartitionPositions | null> {
    return null;
  }

  /** Brokers do not tell clients what waits for them. */
  async lag(): Promise<Lag> {
    return { events: null, bytes: null };
  }

  async schema(table: TableId): Promise<TableSchema> {
    return this.#decoder.table(table.table);
  }

  async close(): Promise<void> {
    const session = this.#session,
      over = new AbortController();
    this.#session = null;
    if (session !== null) {
      await Promise.race([session.close(), this.#ctx.clock.sleep(CLOSE_MS, over.signal)]);
      session.forget();
    }
    over.abort();
    await this.#decoder.close();
  }

  get #where(): string {
    return `source "${this.#ctx.name}"`;
  }

  /** The connection, which a new reading goes on with as long as it lives: acknowledgements still under way are of it. */
  async #joined(): Promise<Session> {
    if (this.#session?.isOpen) return this.#session;
    this.#session = null;
    const { clock, random } = this.#ctx;
    // Later sessions are greater, and two of the same moment differ.
    this.#lastSession = Math.max(this.#lastSession + 1, clock.now() * 1000 + Math.floor(random() * 1000));
    const { session, opened } = await Session.open(this.#endpoint, { ...this.#options, number: this.#lastSession, clock });
    try {
      await this.#subscribe(opened.client, opened.sessionPresent);
      session.bound();
      this.#session = session;
      return session;
    } catch (error) {
      session.forget();
      throw error;
    }
  }

  async #subscribe(client: MqttClient, sessionPresent: boolean): Promise<void> {
    const { store, logger } = this.#ctx,
      { clean, qos } = this.#config,
      filters = filtersOf(this.#config),
      known = await store.get(FILTERS),
      before = known === null ? [] : (JSON.parse(Buffer.from(known).toString()) as string[]);
    if (known !== null && !sessionPresent && !clean)
      logger.warn('the broker has forgotten our session: what came while we were away is lost', {
        client: this.#options.clientId,
        fix: 'Raise session_expiry, and what the broker keeps for clients that are away.',
      });
    // Stored first: what was subscribed to and is not any more must be known after a crash.
    await store.set(FILTERS, Buffer.from(JSON.stringify([...new Set([...before, ...filters])])));
    const granted = await subscribe(client, filters, {
      qos,
      ignoresRetained: this.#config.retain === 'ignore',
      version: this.#endpoint.version,
    });
    if (granted < qos) logger.warn('the broker gives a lower quality of service than was asked for', { asked: qos, granted });
    await leave(
      client,
      before.filter((filter) => !filters.includes(filter)),
    );
    await store.set(FILTERS, Buffer.from(JSON.stringify(filters)));
  }

  async #batch(session: Session, deliveries: readonly Delivery[], ctx: ReadContext, signal: AbortSignal): Promise<ChangeBatch> {
    const ignoresRetained = this.#config.retain === 'ignore';
    const taken = deliveries.filter(({ packet }) => !(ignoresRetained && packet.retain)),
      messages = taken.map(({ packet }) => messageOf(packet)),
      decoded = await this.#decoder.decode(messages, signal),
      nowMs = this.#ctx.clock.now(),
      events: ChangeEvent[] = [];
    let bytes = 0;
    for (let i = 0; i < taken.length; i++) {
      const delivery = taken[i] as Delivery,
        { packet } = delivery,
        said = decoded[i] ?? null;
      bytes += packet.payload.length + packet.topic.length + OVERHEAD_BYTES;
      const position = session.receiptOf(delivery);
      // Invariant 3: the dead letter is durable before a receipt covers the message. It is known by the receipt: all else may come again.
      if (said instanceof CdcError) await ctx.reject(packet.payload, `a message of the topic ${packet.topic}, delivery ${position}`, said);
      else if (said !== null) {
        const place = { source: this.#ctx.name, partition: PARTITION, position, nowMs };
        events.push(eventOf(packet, messages[i] as Message, said, place));
      }
    }
    const last = deliveries.at(-1),
      resume: Position | null = last === undefined ? null : session.receiptOf(last);
    return { events, source: this.#ctx.name, partition: PARTITION, resume, bytes };
  }
}
