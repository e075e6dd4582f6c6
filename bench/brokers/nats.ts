// NATS: each adapter against a bare loop of the same client library with the best safe settings, in turns, on a server of its own.
// 400-byte values. Atomic batches of 999 messages and a point, one in flight; message by message with a window of 4,000 and one
// inbox for all answers; a pull consumer whose every message is acknowledged, the last of a batch with a confirmation. NATS' own Go
// client publishes beside them, with the window. CPU of this process per event, and rates by the clock, which the server shares.

import { randomBytes } from 'node:crypto';
import { type ConsumerConfig, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { descriptor as destination } from '../../src/destinations/nats/index.ts';
import { formatPoint, type LaneBatch, type Row } from '../../src/sdk/index.ts';
import { Events, pointAt } from '../../src/sdk/testing/index.ts';
import { testContext } from '../../src/sdk/testing/reading.ts';
import { descriptor as source } from '../../src/sources/nats/index.ts';
import { natsDestinationConfig, natsSourceConfig } from '../../test/helpers/nats.ts';
import { goProgram, publishWithGo } from '../../test/helpers/nats-go.ts';
import { OwnNats } from '../../test/helpers/own-nats.ts';
import { BUDGET, compare, context, measure, prepare, readMessages, type Sample, writeBatches } from './lib.ts';

/** With the point as many as an atomic batch may have. */
const BATCH = 999,
  WINDOW = 4000,
  BATCHES = Number(process.argv[2] ?? 100);
const SUBJECT = 'bench.items',
  POINT = 'cdc_run.point.bare.main',
  STREAM = 'BENCH';
const { events, records, valueBytes, at } = prepare(BATCH),
  made = new Events();

/** Ids that differ from batch to batch, as they do in life: a server drops what it has seen. */
function* batches(): Iterable<LaneBatch> {
  for (let n = 0; n < BATCHES; n++) yield { ...at(n), events: events.map(({ after }) => made.create(after as Row)) };
}

await using server = await OwnNats.start();
const nc: NatsConnection = await connect({ servers: `127.0.0.1:${server.port}` }),
  jsm: JetStreamManager = await jetstreamManager(nc);

async function emptyStream(): Promise<void> {
  await jsm.streams.delete(STREAM).catch(() => undefined);
  await jsm.streams.add({
    name: STREAM,
    subjects: ['bench.>', 'cdc_run.point.>'],
    allow_atomic: true,
    allow_rollup_hdrs: true,
    duplicate_window: 120e9,
  });
}

async function assertCount(): Promise<void> {
  const { messages } = (await jsm.streams.info(STREAM)).state;
  if (messages < BATCH * BATCHES) throw new Error(`${messages} messages arrived`);
}

async function byDestination(atomic: boolean): Promise<Sample> {
  const config = natsDestinationConfig(server.url, { subject: SUBJECT, stream: STREAM, atomic, max_in_flight: WINDOW });
  const sample = await writeBatches(await destination.create(config, context), batches());
  await assertCount();
  return sample;
}

const withHeaders = (id: string, i: number): ReturnType<typeof headers> => {
  const h = headers();
  h.set('Nats-Msg-Id', id);
  h.set('Cdc-Key', String(records.key[i]));
  return h;
};

async function bareAtomic(): Promise<Sample> {
  let last = 0;
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++) {
      const id = randomBytes(12).toString('hex');
      for (let i = 0; i < BATCH; i++) {
        const h = withHeaders(`shop/main/${n * BATCH + i}`, i);
        h.set('Nats-Batch-Id', id);
        h.set('Nats-Batch-Sequence', String(i + 1));
        nc.publish(SUBJECT, records.value[i] as Buffer, { headers: h });
      }
      const h = headers();
      h.set('Nats-Batch-Id', id);
      h.set('Nats-Batch-Sequence', String(BATCH + 1));
      h.set('Nats-Batch-Commit', '1');
      h.set('Nats-Rollup', 'sub');
      h.set('Nats-Expected-Last-Subject-Sequence', String(last));
      const answer = await nc.request(POINT, formatPoint(pointAt(n + 1)), { timeout: 10_000, headers: h });
      last = answer.json<{ seq: number }>().seq;
    }
  });
  await assertCount();
  return sample;
}

async function bareWindow(): Promise<Sample> {
  const inbox = `_INBOX.${randomBytes(8).toString('hex')}`;
  let acknowledged = 0,
    wake: (() => void) | null = null;
  const subscription = nc.subscribe(`${inbox}.*`, {
    callback: (_, m) => {
      const { error } = m.json<{ error?: object }>();
      if (error !== undefined) throw new Error(JSON.stringify(error));
      acknowledged++;
      wake?.();
    },
  });
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise<void>((resolve) => (wake = resolve));
  };
  let sent = 0;
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++) {
      for (let i = 0; i < BATCH; i++) {
        if (sent - acknowledged >= WINDOW) await until(() => sent - acknowledged < WINDOW);
        nc.publish(SUBJECT, records.value[i] as Buffer, { headers: withHeaders(`shop/main/${sent}`, i), reply: `${inbox}.${sent++}` });
      }
      // A batch is stored before the next one begins: what ours promises.
      await until(() => acknowledged === sent);
    }
  });
  subscription.unsubscribe();
  await assertCount();
  return sample;
}

async function filledStream(): Promise<void> {
  await emptyStream();
  await bareWindow();
  const config: Partial<ConsumerConfig> = { durable_name: 'reader', ack_policy: 'explicit', max_ack_pending: 10_000 };
  await jsm.consumers.add(STREAM, config);
}

async function bareRead(): Promise<Sample> {
  const consumer = await jetstream(nc).consumers.get(STREAM, 'reader');
  let count = 0;
  const sample = await measure(BATCH * BATCHES, async () => {
    const messages = await consumer.consume({ max_messages: 1000 });
    for await (const m of messages) {
      JSON.parse(m.headers?.get('Cdc-Key') ?? '');
      if (m.json<{ op: string }>().op === 'c') count++;
      if (count % 500 === 0 || count === BATCH * BATCHES) await m.ackAck();
      else m.ack();
      if (count === BATCH * BATCHES) break;
    }
  });
  if (count !== BATCH * BATCHES) throw new Error(`${count} messages were read`);
  return sample;
}

async function readBySource(): Promise<Sample> {
  const config = natsSourceConfig(server.url, { stream: STREAM, durable_name: 'reader', table: 'items' });
  return readMessages(await source.create(config, testContext('bench')), BATCH * BATCHES, 1000);
}

/** Of NATS' own Go client with the same window; `null` where there is no Go. */
async function vendor(): Promise<number | null> {
  const program = goProgram('publisher');
  await emptyStream();
  return program === null ? null : publishWithGo(program, server.url, SUBJECT, BATCH * BATCHES, valueBytes, WINDOW);
}

const result = {
  scenario: 'brokers/nats',
  events: BATCH * BATCHES,
  value_bytes: valueBytes,
  server: nc.info?.version,
  atomic_destination: await compare('atomic_destination', emptyStream, bareAtomic, () => byDestination(true)),
  window_destination: await compare('window_destination', emptyStream, bareWindow, () => byDestination(false)),
  source: await compare('source', filledStream, bareRead, readBySource),
  go_client_per_s: await vendor(),
  budget: BUDGET,
};
await nc.close();
console.log(JSON.stringify(result));
for (const part of [result.atomic_destination, result.window_destination, result.source])
  if (part.ratio_rate < BUDGET) process.exitCode = 1;
