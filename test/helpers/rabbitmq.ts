// A real RabbitMQ for integration tests: where it is, why it is not there, names of a test's own, and what queues hold.

import { type Channel, type ChannelModel, connect, type GetMessage } from 'amqplib';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import type { RabbitmqConfig } from '../../src/destinations/rabbitmq/config.ts';
import type { RabbitmqSourceConfig } from '../../src/sources/rabbitmq/config.ts';

/** `null` when there is a server. Otherwise the reason to skip, printed once; where `CI` is set a missing server is an error. */
export async function skipReason(): Promise<string | null> {
  if ((await serviceUrl('rabbitmq')) !== null) return null;
  const reason = 'no RabbitMQ for tests: run `npm run services up rabbitmq`, or set CDC_TEST_RABBITMQ_URL';
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return reason;
}

let last = 0;

/** A place of its own: names, and a channel; what was made under the names goes with its `await using` scope. */
export class RabbitPlace implements AsyncDisposable {
  readonly url: string;
  readonly queue: string;
  readonly exchange: string;
  readonly channel: Channel;
  readonly #model: ChannelModel;

  private constructor(url: string, name: string, model: ChannelModel, channel: Channel) {
    this.url = url;
    this.queue = name;
    this.exchange = `${name}.exchange`;
    this.#model = model;
    this.channel = channel;
  }

  static async open(url?: string): Promise<RabbitPlace> {
    const at = url ?? (await serviceUrl('rabbitmq')) ?? '',
      model = await connect(at),
      channel = await model.createChannel();
    model.on('error', () => {});
    channel.on('error', () => {});
    return new RabbitPlace(at, `cdc_test_${process.pid}_${++last}_${Date.now()}`, model, channel);
  }

  async makeQueue(type: 'quorum' | 'classic' = 'quorum', more: Record<string, unknown> = {}): Promise<void> {
    await this.channel.assertQueue(this.queue, { durable: true, arguments: { 'x-queue-type': type, ...more } });
  }

  /** All that waits in the queue, taken out. */
  async drain(queue = this.queue): Promise<GetMessage[]> {
    const all: GetMessage[] = [];
    for (;;) {
      const message = await this.channel.get(queue, { noAck: true });
      if (message === false) return all;
      all.push(message);
    }
  }

  /** Messages that wait in the queue. */
  async count(queue = this.queue): Promise<number> {
    return (await this.channel.checkQueue(queue)).messageCount;
  }

  /** On a channel of its own, which the server closes if there is none. */
  async has(queue: string): Promise<boolean> {
    const channel = await this.#model.createChannel();
    channel.on('error', () => {});
    return channel.checkQueue(queue).then(
      () => true,
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const channel = await this.#model.createChannel().catch(() => null);
    channel?.on('error', () => {});
    await channel?.deleteQueue(this.queue).catch(() => undefined);
    const other = await this.#model.createChannel().catch(() => null);
    other?.on('error', () => {});
    await other?.deleteExchange(this.exchange).catch(() => undefined);
    await this.#model.close().catch(() => undefined);
  }
}

const CONNECTION = { connection_timeout: 2000, heartbeat: 10_000, exchange_type: 'topic', queue_type: 'quorum', declare: true };

/** As the loader hands it over. */
export function rabbitmqSourceConfig(url: string, queue: string, changes: Partial<RabbitmqSourceConfig> = {}): RabbitmqSourceConfig {
  const own = { prefetch: 1000, max_deliveries: null, table_from: 'queue', envelope: 'row' };
  return { url, queue, ...CONNECTION, ...own, ...changes } as RabbitmqSourceConfig;
}

/** As the loader hands it over. */
export function rabbitmqConfig(url: string, changes: Partial<RabbitmqConfig> = {}): RabbitmqConfig {
  const own = { persistent: true, mandatory: true, on_unroutable: 'dead_letter', on_schema_error: 'wait' };
  return { url, ...CONNECTION, ...own, ...changes } as RabbitmqConfig;
}
