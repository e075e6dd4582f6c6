// Others read what we write and we read what others write, in every compression; and every way to log in. On a real Kafka.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { loadState } from '../../../scripts/services/home.ts';
import { descriptor } from '../../../src/destinations/kafka/index.ts';
import { additiveOnly, type PointHoldingDestination, silentLogger, systemClock } from '../../../src/sdk/index.ts';
import { LANE, laneBatch, pointAt } from '../../../src/sdk/testing/batches.ts';
import { Events, item } from '../../../src/sdk/testing/index.ts';
import { testContext } from '../../../src/sdk/testing/reading.ts';
import { COMPRESSIONS } from '../../../src/systems/kafka/client.ts';
import type { ConnectionConfig } from '../../../src/systems/kafka/config.ts';
import { troubleOf } from '../../../src/systems/kafka/driver-errors.ts';
import { KafkajsClient } from '../../../src/systems/kafka/kafkajs.ts';
import { withAdmin } from '../../../src/systems/kafka/with-admin.ts';
import { KafkaPlace, kafkaServers } from '../../helpers/kafka.ts';
import { kafkaConfig } from '../../helpers/kafka-destination.ts';
import { KafkaReading } from '../../helpers/kafka-reading.ts';
import { kafkaSourceConfig } from '../../helpers/kafka-source.ts';
import { hasKcat, javaConsumer, javaTool, kcat } from '../../helpers/kafka-tools.ts';

const COUNT = 200;
const text = (value: Uint8Array | null): string => (value === null ? 'null' : Buffer.from(value).toString());

async function eventually(isSo: () => boolean, what: string): Promise<void> {
  for (const began = performance.now(); !isSo(); await sleep(20))
    if (performance.now() - began > 30_000) throw new Error(`${what}: it did not happen`);
}

describe.each(await kafkaServers())('%s', (server) => {
  it.each(COMPRESSIONS)('Java and kcat read the committed records that we write with compression %s', async (compression) => {
    await using place = await KafkaPlace.open(server);
    const config = kafkaConfig(place.brokers, {
      topic: place.name,
      compression_type: compression,
      transactional_id: place.name,
      points_topic: `${place.name}.points`,
      key_field: 'id',
    });
    const destination = (await descriptor.create(config, {
      ...testContext('kafka'),
      schemaEvolution: additiveOnly,
    })) as PointHoldingDestination;
    const e = new Events(),
      events = Array.from({ length: COUNT }, (_, n) => e.create(item(n, `näme ${n} ${'x'.repeat(200)}`))),
      batch = laneBatch(events);
    await destination.committed(LANE);
    await destination.claim(LANE, 1);
    await destination.setPoints(LANE, 1, [pointAt(0)]);
    expect(await destination.write(batch, new AbortController().signal)).toEqual({ kind: 'stored' });
    await destination.close();
    // A transaction that is never committed must not show.
    const aborted = place.kafka.producer({ transactionalId: `${place.name}.other`, idempotent: true, maxInFlightRequests: 1 });
    await aborted.connect();
    const transaction = await aborted.transaction();
    await transaction.send({ topic: place.name, messages: [{ key: '0', value: 'aborted' }] });
    await transaction.abort();
    await aborted.disconnect();

    const wanted = batch.encoded().value.map((value, i) => `${i}|${text(value)}`);
    expect(await javaConsumer(place.brokers, place.name, COUNT)).toEqual(wanted);
    if (hasKcat) expect(await kcat(place.brokers, place.name)).toEqual(wanted);
  });

  it.each(COMPRESSIONS)('we read what Java writes with compression %s', async (compression) => {
    await using place = await KafkaPlace.open(server);
    const folder = mkdtempSync(join(tmpdir(), 'cdc-kafka-')),
      topic = await place.createTopic();
    try {
      writeFileSync(join(folder, 'payload'), `${JSON.stringify({ id: 7, text: 'ä'.repeat(3000) })}\n`);
      const props = [`bootstrap.servers=${place.brokers}`, `compression.type=${compression}`, 'batch.size=200000', 'linger.ms=50'];
      const load = ['--num-records', String(COUNT), '--throughput', '-1', '--payload-file', join(folder, 'payload')];
      await javaTool('org.apache.kafka.tools.ProducerPerformance', ['--topic', topic, ...load, '--producer-props', ...props]);
    } finally {
      rmSync(folder, { recursive: true });
    }
    await using reading = await KafkaReading.start(kafkaSourceConfig(place.brokers, topic));
    await eventually(() => reading.events.length === COUNT, 'all messages');
    expect(reading.rejected).toEqual([]);
    expect(reading.events.at(-1)?.after).toEqual({ id: 7, text: 'ä'.repeat(3000) });
  });
});

const own = loadState('kafka');
const place = own === null ? null : new KafkaPlace(own.url);
const folder = own?.folder ?? '';
const password = place?.password ?? '';

/** A token that the broker of tests takes unsigned. */
function unsigned(): string {
  const part = (o: object): string => Buffer.from(JSON.stringify(o)).toString('base64url'),
    now = Math.floor(systemClock.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: 'test', iat: now, exp: now + 3600, scope: 's' })}.`;
}

async function topicsWith(listener: 'sasl' | 'tls' | 'plain', changes: Partial<ConnectionConfig>): Promise<number> {
  const config = { ...kafkaConfig(place?.listener(listener) ?? ''), ...changes };
  const client = new KafkajsClient(config, { clock: systemClock, logger: silentLogger });
  return (await withAdmin(client, (admin) => admin.topics(null))).length;
}

const login = (mechanism: NonNullable<ConnectionConfig['sasl_mechanism']>, user: string, secret = password) =>
  ({ security_protocol: 'SASL_PLAINTEXT', sasl_mechanism: mechanism, sasl_username: user, sasl_password: secret }) as const;

describe.skipIf(own === null)('a login', () => {
  it.each([
    ['PLAIN', 'sasl', login('PLAIN', 'alice')],
    ['SCRAM-SHA-256', 'sasl', login('SCRAM-SHA-256', 'bob')],
    ['SCRAM-SHA-512', 'sasl', login('SCRAM-SHA-512', 'carl')],
    ['OAUTHBEARER', 'sasl', { security_protocol: 'SASL_PLAINTEXT', sasl_mechanism: 'OAUTHBEARER', sasl_oauth: { token: unsigned() } }],
    ['TLS', 'tls', { ssl_ca: join(folder, 'cert.pem') }],
    ['mTLS', 'tls', { ssl_ca: join(folder, 'cert.pem'), ssl_cert: join(folder, 'cert.pem'), ssl_key: join(folder, 'key.pem') }],
  ] as const)('with %s is let in', async (_title, listener, changes) => {
    expect(await topicsWith(listener, changes)).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ['a wrong password', 'sasl', login('PLAIN', 'alice', 'wrong'), 'login'],
    ['a wrong SCRAM password', 'sasl', login('SCRAM-SHA-512', 'carl', 'wrong'), 'login'],
    ['an authority that is not known', 'tls', { security_protocol: 'SSL' }, 'certificate'],
    ['a certificate that is not there', 'tls', { ssl_ca: '/nowhere/ca.pem' }, 'certificate'],
    ['plain text where TLS is spoken', 'tls', {}, 'unreachable'],
  ] as const)('with %s is refused, and said so', async (_title, listener, changes, trouble) => {
    const failure = await topicsWith(listener, changes).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(troubleOf(failure)).toBe(trouble);
  });
});
