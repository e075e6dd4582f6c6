// RabbitMQ: both ways against a bare loop of the same client library with the same settings (a quorum queue, persistent, mandatory,
// confirms, 1,000 messages at once; prefetch of 2,000, one acknowledgement per 1,000, or of what has come together in a source's batch),
// in turns, on a server of its own; PerfTest, the vendor's tool, beside them if Maven has it. 400-byte values; both readers parse keys and
// values and acknowledge behind that, over a connection that is there before they begin. CPU of this process per message, and rates by
// the clock, which the server shares.

import { type Channel, type ConsumeMessage, connect } from 'amqplib';
import { descriptor as destinationType } from '../../src/destinations/rabbitmq/index.ts';
import { testContext } from '../../src/sdk/testing/reading.ts';
import { descriptor as sourceType } from '../../src/sources/rabbitmq/index.ts';
import { OwnRabbitmq } from '../../test/helpers/own-rabbitmq.ts';
import { perfTest } from '../../test/helpers/perf-test.ts';
import { rabbitmqConfig, rabbitmqSourceConfig } from '../../test/helpers/rabbitmq.ts';
import { BATCH, BUDGET, compare, context, measure, prepare, readMessages, type Sample, writeBatches } from './lib.ts';

const BATCHES = Number(process.argv[2] ?? 50),
  QUEUE = 'bench',
  PREFETCH = 2 * BATCH;
const { events, records, valueBytes, at: batchAt } = prepare();
const batches = Array.from({ length: BATCHES }, (_, n) => batchAt(n));

async function withChannel<T>(url: string, work: (channel: Channel) => Promise<T>): Promise<T> {
  const model = await connect(url, { noDelay: true });
  try {
    return await work(await model.createChannel());
  } finally {
    await model.close();
  }
}

const empty = (url: string) => (): Promise<void> =>
  withChannel(url, async (channel) => {
    await channel.deleteQueue(QUEUE);
    await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  });

/** Sends all batches; a confirm each, the batch awaited. */
async function publishAlone(url: string): Promise<Sample> {
  const model = await connect(url, { noDelay: true }),
    channel = await model.createConfirmChannel();
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++)
      await new Promise<void>((resolve, reject) => {
        let left = BATCH;
        const confirmed = (error: unknown): void => (error ? reject(error) : --left === 0 ? resolve() : undefined);
        for (let i = 0; i < BATCH; i++) {
          const options = {
            persistent: true,
            mandatory: true,
            contentType: 'application/json',
            messageId: events[i]?.id as string,
            timestamp: Math.floor((records.timestampMs[i] as number) / 1000),
            headers: { cdc_key: (records.key[i] as Buffer).toString() },
          };
          channel.publish('', QUEUE, records.value[i] as Buffer, options, confirmed);
        }
      });
  });
  await model.close();
  return sample;
}

const publishByDestination = async (url: string): Promise<Sample> =>
  writeBatches(await destinationType.create(rabbitmqConfig(url, { queue: QUEUE }), context), batches);

async function consumeAlone(url: string): Promise<Sample> {
  const model = await connect(url, { noDelay: true }),
    channel = await model.createChannel();
  await channel.prefetch(PREFETCH);
  let count = 0;
  const sample = await measure(
    BATCH * BATCHES,
    () =>
      new Promise<void>((resolve, reject) => {
        const got = (message: ConsumeMessage | null): void => {
          if (message === null) return;
          JSON.parse(String(message.properties.headers?.['cdc_key']));
          if ((JSON.parse(message.content.toString()) as { op: string }).op === 'c') count++;
          if (count % BATCH === 0) channel.ack(message, true);
          if (count === BATCH * BATCHES) resolve();
        };
        channel.consume(QUEUE, got).catch(reject);
      }),
  );
  await channel.close();
  await model.close();
  return sample;
}

async function consumeBySource(url: string): Promise<Sample> {
  const source = await sourceType.create(rabbitmqSourceConfig(url, QUEUE, { prefetch: PREFETCH }), testContext('bench'));
  // It connects.
  await source.lag();
  return readMessages(source, BATCH * BATCHES, BATCH);
}

/** Messages per second that the vendor's tool sends, and takes; `null` where it cannot be had. */
async function vendor(url: string): Promise<{ readonly sent: number; readonly received: number } | null> {
  const rateOf = (word: string, said: string): number => Number(new RegExp(`${word} rate avg: ([\\d.]+)`).exec(said)?.[1]);
  const seconds = ['-z', '8'];
  const sent = await perfTest(url, QUEUE, ...seconds, '-x', '1', '-y', '0', '-s', '400', '-c', '1000', '-f', 'persistent');
  if (sent === null) return null;
  const received = await perfTest(url, QUEUE, '-z', '4', '-x', '0', '-y', '1', '-q', String(PREFETCH), '-A', String(BATCH));
  return { sent: rateOf('sending', sent), received: rateOf('receiving', received ?? '') };
}

await using server = await OwnRabbitmq.start();
await new Promise((resolve) => setTimeout(resolve, 1000));
const { url } = server;
const fresh = empty(url);
const destination = await compare(
  'destination',
  fresh,
  () => publishAlone(url),
  () => publishByDestination(url),
);
const arrived = await withChannel(url, async (channel) => (await channel.checkQueue(QUEUE)).messageCount);
if (arrived !== BATCH * BATCHES) throw new Error(`${arrived} messages arrived`);
const source = await compare(
  'source',
  async () => {
    await fresh();
    await publishAlone(url);
  },
  () => consumeAlone(url),
  () => consumeBySource(url),
);
await fresh();
const tool = await vendor(url);
console.log(
  JSON.stringify({
    scenario: 'brokers/rabbitmq',
    messages: BATCH * BATCHES,
    value_bytes: valueBytes,
    destination,
    source,
    perf_test_sent_per_s: tool?.sent ?? null,
    perf_test_received_per_s: tool?.received ?? null,
    budget: BUDGET,
  }),
);
for (const { ratio_rate: ratio } of [destination, source]) if (ratio < BUDGET) process.exitCode = 1;
