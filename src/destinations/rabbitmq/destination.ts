// The destination as the engine sees it. At-least-once: a batch is stored once the server has confirmed all of it; after any doubt it is
// sent again, and readers know repeats by their message id.

import { openRecordEncoder } from '../../formats/create.ts';
import type { RecordEncoder } from '../../formats/messages.ts';
import {
  CdcError,
  type Committed,
  type Destination,
  type DestinationContext,
  type Finding,
  type LaneBatch,
  type WriteResult,
} from '../../sdk/index.ts';
import { NameTemplate } from '../../systems/name-template.ts';
import { type Connection, Connections } from '../../systems/rabbitmq/connection.ts';
import { sizeLimitOf } from '../../systems/rabbitmq/driver-errors.ts';
import { describeEndpoint, endpointOf } from '../../systems/rabbitmq/endpoint.ts';
import { declare } from '../../systems/rabbitmq/topology.ts';
import { findings } from './check.ts';
import { type RabbitmqConfig, routingKeyOf, topologyOf } from './config.ts';
import { encodeMessages, type OutgoingMessage, rejected } from './encode.ts';
import { type Circumstances, classify, stopped } from './errors.ts';
import { Publisher } from './publisher.ts';

/** How long a server that blocks publishers is waited for before the lane is told. */
const BLOCKED_PATIENCE_MS = 5000;

export async function createDestination(config: RabbitmqConfig, ctx: DestinationContext): Promise<RabbitmqDestination> {
  return new RabbitmqDestination(config, ctx, await openRecordEncoder(config, ctx));
}

export class RabbitmqDestination implements Destination {
  readonly #config: RabbitmqConfig;
  readonly #ctx: DestinationContext;
  readonly #encoder: RecordEncoder;
  readonly #routingKey: NameTemplate;
  readonly #connections: Connections;
  readonly #circumstances: Circumstances;
  #publisher: Publisher | null = null;
  #maxBytes: number | null;

  constructor(config: RabbitmqConfig, ctx: DestinationContext, encoder: RecordEncoder) {
    const endpoint = endpointOf(config);
    this.#config = config;
    this.#ctx = ctx;
    this.#encoder = encoder;
    this.#routingKey = new NameTemplate(routingKeyOf(config), '.');
    this.#connections = new Connections(endpoint, `cdc-run:${ctx.pipeline}:${ctx.name}`);
    this.#circumstances = { server: describeEndpoint(endpoint), where: `destination "${ctx.name}"`, declares: config.declare };
    this.#maxBytes = config.max_message_size ?? null;
  }

  async *check(): AsyncIterable<Finding> {
    yield* findings(this.#config, this.#connections.endpoint, async (work) => {
      try {
        return await work(await this.#connections.get());
      } catch (error) {
        throw classify(error, this.#circumstances);
      }
    });
  }

  committed(): Promise<Committed> {
    return Promise.resolve({ kind: 'untracked' });
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const topicOf = (event: Parameters<NameTemplate['of']>[0], topic: string): string => this.#routingKey.of(event, topic),
      { records, failed: unformatted } = await this.#encoder.encode(batch, topicOf, signal);
    if (unformatted.length > 0) return { kind: 'refused', failed: unformatted };
    const { persistent, mandatory } = this.#config,
      { messages, failed } = encodeMessages(batch, records, {
        routingKey: this.#routingKey,
        contentType: this.#encoder.contentType,
        persistent,
        mandatory,
        maxBytes: this.#maxBytes,
      });
    if (failed.length > 0) return { kind: 'refused', failed };
    if (messages.length === 0) return { kind: 'stored' };
    return this.#untilAborted(signal, () => this.#deliver(messages));
  }

  async close(): Promise<void> {
    this.#publisher = null;
    await Promise.all([this.#connections.close(), this.#encoder.close()]);
  }

  async #deliver(messages: readonly OutgoingMessage[]): Promise<WriteResult> {
    const exchange = this.#config.exchange ?? '';
    let returned = await (await this.#ready()).publish(exchange, messages);
    if (returned.size > 0 && (await this.#mended())) {
      // What follows the first one is sent again, too: in order.
      const first = messages.findIndex((m) => returned.has(m.event));
      returned = await (await this.#ready()).publish(exchange, messages.slice(first));
    }
    if (returned.size === 0) return { kind: 'stored' };
    return this.#unroutable(messages, returned);
  }

  /** Our queue may have been deleted: was it, and is there a new one now? */
  async #mended(): Promise<boolean> {
    if (!this.#config.declare || this.#config.queue === undefined) return false;
    const { connection } = await this.#ready(),
      there = await declare(connection, topologyOf(this.#config));
    if (!there.queue)
      this.#ctx.logger.warn('the queue was gone, with what was in it: it was made anew', {
        queue: this.#config.queue,
        fix: 'Find out who deleted it.',
      });
    return !there.queue;
  }

  #unroutable(messages: readonly OutgoingMessage[], returned: ReadonlySet<number>): WriteResult {
    const { exchange, on_unroutable: then } = this.#config,
      keys = new Map(messages.map((m) => [m.event, m.routingKey])),
      fix = exchange === undefined ? 'Make the queue.' : `Bind a queue to the exchange ${exchange}.`;
    const say = (key: string | undefined): string =>
      `No queue takes the routing key "${key}" at ${exchange === undefined ? 'the default exchange' : `the exchange ${exchange}`}.`;
    if (then === 'wait') {
      const [first = 0] = returned;
      throw new CdcError('DESTINATION_MISCONFIGURED', say(keys.get(first)), {
        where: this.#circumstances.where,
        retriable: true,
        fix,
      });
    }
    return {
      kind: 'partial',
      written: [...keys.keys()].filter((event) => !returned.has(event)),
      failed: [...returned].map((index) => ({ index, error: rejected(say(keys.get(index)), fix) })),
    };
  }

  /** A publisher on a connection that the server takes messages from. */
  async #ready(): Promise<Publisher> {
    if (!this.#publisher?.isOpen) {
      this.#publisher = null;
      const connection = await this.#connections.get();
      if (this.#config.declare) await declare(connection, topologyOf(this.#config));
      this.#publisher = await Publisher.open(connection);
      this.#tellBlocks(connection);
    }
    await this.#unblocked(this.#publisher.connection);
    return this.#publisher;
  }

  /** Backpressure: the lane waits, and is told why when that takes long. */
  async #unblocked(connection: Connection): Promise<void> {
    if (connection.blocked === null) return;
    const over = new AbortController(),
      unwatch = connection.watch(() => over.abort());
    await this.#ctx.clock.sleep(BLOCKED_PATIENCE_MS, over.signal);
    unwatch();
    if (connection.blocked === null) return;
    throw new CdcError('DESTINATION_FULL', `RabbitMQ at ${this.#circumstances.server} takes no messages now: ${connection.blocked}.`, {
      where: this.#circumstances.where,
      retriable: true,
      fix: 'Free memory or disk space of the server, or raise its limits (vm_memory_high_watermark, disk_free_limit).',
    });
  }

  /** A batch that is under way just waits: the log says for what. */
  #tellBlocks(connection: Connection): void {
    let was: string | null = null;
    const unwatch = connection.watch(() => {
      const { blocked, isOpen } = connection;
      if (blocked !== null && was === null) this.#ctx.logger.warn('the server takes no messages now', { reason: blocked });
      if (blocked === null && was !== null && isOpen) this.#ctx.logger.info('the server takes messages again');
      was = blocked;
      if (!isOpen) unwatch();
    });
  }

  /** After any failure the connection is thrown away: nothing of the batch may be sent behind our back. */
  async #untilAborted(signal: AbortSignal, work: () => Promise<WriteResult>): Promise<WriteResult> {
    const { where } = this.#circumstances;
    if (signal.aborted) throw stopped(where);
    let abort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(stopped(where));
    });
    signal.addEventListener('abort', abort, { once: true });
    const working = work();
    try {
      return await Promise.race([working, aborted]);
    } catch (error) {
      working.catch(() => undefined);
      this.#giveUp();
      this.#maxBytes ??= sizeLimitOf(error);
      throw this.#learned(error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #giveUp(): void {
    this.#publisher = null;
    this.#connections.forget();
  }

  /** Once the server has told its limit, the next call names the messages that are above it. */
  #learned(error: unknown): CdcError {
    if (sizeLimitOf(error) === null) return classify(error, this.#circumstances);
    return new CdcError('DESTINATION_FAILED', `RabbitMQ at ${this.#circumstances.server} refuses a message: ${(error as Error).message}`, {
      where: this.#circumstances.where,
      retriable: true,
      cause: error,
    });
  }
}
