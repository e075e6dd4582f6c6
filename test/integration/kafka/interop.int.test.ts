// Others read what we write and we read what others write, in every compression; and every way to log in, with both clients. On a real Kafka.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import kafkajs from 'kafkajs';
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
import { PlatformaticClient } from '../../../src/systems/kafka/platformatic.ts';
import { eventually } from '../../helpers/eventually.ts';
import { KafkaPlace, kafkaServers } from '../../helpers/kafka.ts';
import { kafkaConfig } from '../../helpers/kafka-destination.ts';
import { KafkaReading } from '../../helpers/kafka-reading.ts';
import { kafkaSourceConfig } from '../../helpers/kafka-source.ts';
import { hasKcat, javaConsumer, javaTool, kcat } from '../../helpers/kafka-tools.ts';
import { selfSigned } from '../../helpers/self-signed.ts';

const COUNT = 200;
const text = (value: Uint8Array | null): string => (value === null ? 'null' : Buffer.from(value).toString());

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
const folder = own?.folder ?? '';
const password = own?.password ?? '';
const CLIENTS = { kafkajs: KafkajsClient, platformatic: PlatformaticClient } as const;

/** A token that the broker of tests takes unsigned. */
function unsigned(lifeSeconds: number): string {
  const part = (o: object): string => Buffer.from(JSON.stringify(o)).toString('base64url'),
    now = Math.floor(systemClock.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: 'test', iat: now - 7200, exp: now + lifeSeconds, scope: 's' })}.`;
}

/** Stores a record where it is let in. */
async function store(client: keyof typeof CLIENTS, brokers: string, topic: string, changes: Partial<ConnectionConfig>): Promise<void> {
  const config = { ...kafkaConfig(brokers), ...changes },
    producer = new CLIENTS[client](config, { clock: systemClock, logger: silentLogger }).producer({ idempotent: true });
  try {
    await producer.connect();
    const record = { key: null, value: Buffer.from('let in'), headers: {}, timestamp: String(systemClock.now()), partition: 0 };
    await producer.send([{ topic, messages: [record] }], 'none');
  } finally {
    await producer.disconnect();
  }
}

const troubleWith = async (...args: Parameters<typeof store>): Promise<string> =>
  store(...args).then(
    () => 'let in',
    (error: unknown) => troubleOf(error),
  );

const login = (mechanism: NonNullable<ConnectionConfig['sasl_mechanism']>, user: string, secret = password) =>
  ({ security_protocol: 'SASL_PLAINTEXT', sasl_mechanism: mechanism, sasl_username: user, sasl_password: secret }) as const;
const token = (text: string) =>
  ({ security_protocol: 'SASL_PLAINTEXT', sasl_mechanism: 'OAUTHBEARER', sasl_oauth: { token: text } }) as const;
const ours = { ssl_ca: join(folder, 'cert.pem') },
  mutual = { ...ours, ssl_cert: join(folder, 'cert.pem'), ssl_key: join(folder, 'key.pem') },
  encrypted = { ...ours, security_protocol: 'SASL_SSL' } as const;

describe.skipIf(own === null || process.env['CDC_TEST_KAFKA_URL'] !== undefined).each(['kafkajs', 'platformatic'] as const)(
  'a login by %s',
  (client) => {
    it.each([
      ['PLAIN', 'sasl', login('PLAIN', 'alice')],
      ['SCRAM-SHA-256', 'sasl', login('SCRAM-SHA-256', 'bob')],
      ['SCRAM-SHA-512', 'sasl', login('SCRAM-SHA-512', 'carl')],
      ['OAUTHBEARER', 'sasl', token(unsigned(3600))],
      ['TLS', 'tls', ours],
      ['mTLS', 'tls', mutual],
      ['PLAIN over TLS', 'saslTls', { ...login('PLAIN', 'alice'), ...encrypted }],
      ['SCRAM-SHA-512 over TLS', 'saslTls', { ...login('SCRAM-SHA-512', 'carl'), ...encrypted }],
      ['OAUTHBEARER over TLS', 'saslTls', { ...token(unsigned(3600)), ...encrypted }],
    ] as const)('with %s is let in', async (_title, listener, changes) => {
      await using place = await KafkaPlace.open('kafka');
      const topic = await place.createTopic();
      await store(client, place.listener(listener), topic, changes);
      expect((await place.read(topic)).map((r) => String(r.value))).toEqual(['let in']);
    });

    it.each([
      ['a wrong password', 'sasl', login('PLAIN', 'alice', 'wrong'), 'login'],
      ['a wrong SCRAM password', 'sasl', login('SCRAM-SHA-512', 'carl', 'wrong'), 'login'],
      // kafkajs does not read what the broker says of a token, and finds the connection closed.
      ['a token that has expired', 'sasl', token(unsigned(-3600)), client === 'kafkajs' ? 'unreachable' : 'login'],
      ['a wrong password over TLS', 'saslTls', { ...login('PLAIN', 'alice', 'wrong'), ...encrypted }, 'login'],
      [
        'a login over TLS to an authority that is not known',
        'saslTls',
        { ...login('PLAIN', 'alice'), security_protocol: 'SASL_SSL' },
        'certificate',
      ],
      ['an authority that is not known', 'tls', { security_protocol: 'SSL' }, 'certificate'],
      ['a certificate that is not there', 'tls', { ssl_ca: '/nowhere/ca.pem' }, 'certificate'],
      ['plain text where TLS is spoken', 'tls', {}, 'unreachable'],
    ] as const)('with %s is refused, and said so', async (_title, listener, changes, trouble) => {
      await using place = await KafkaPlace.open('kafka');
      expect(await troubleWith(client, place.listener(listener), 'none', changes)).toBe(trouble);
    });

    it('trusts the authority that it is given, and no other', async () => {
      await using place = await KafkaPlace.open('kafka');
      const other = mkdtempSync(join(tmpdir(), 'cdc-kafka-')),
        file = join(other, 'ca.pem');
      try {
        writeFileSync(file, selfSigned('localhost').cert);
        expect(await troubleWith(client, place.listener('tls'), 'none', { ssl_ca: file })).toBe('certificate');
      } finally {
        rmSync(other, { recursive: true });
      }
    });

    it.each(['localhost', '127.0.0.1'])('does not take the certificate of another name for that of %s', async (host) => {
      const elsewhere = selfSigned('broker.example.com'),
        other = mkdtempSync(join(tmpdir(), 'cdc-kafka-')),
        file = join(other, 'ca.pem'),
        server = createServer(elsewhere);
      try {
        writeFileSync(file, elsewhere.cert);
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const { port } = server.address() as AddressInfo;
        expect(await troubleWith(client, `${host}:${port}`, 'none', { ssl_ca: file })).toBe('certificate');
      } finally {
        server.close();
        rmSync(other, { recursive: true });
      }
    });

    it('shows its own certificate, by which the brokers know it', async () => {
      await using place = await KafkaPlace.open('kafka');
      const topic = await place.createTopic(),
        rule: kafkajs.AclEntry = {
          resourceType: kafkajs.AclResourceTypes.TOPIC,
          resourceName: topic,
          resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
          principal: 'User:CN=localhost',
          host: '*',
          operation: kafkajs.AclOperationTypes.WRITE,
          permissionType: kafkajs.AclPermissionTypes.DENY,
        };
      await place.admin.createAcls({ acl: [rule] });
      try {
        expect(await troubleWith(client, place.listener('tls'), topic, mutual)).toBe('forbidden');
        expect(await troubleWith(client, place.listener('tls'), topic, ours)).toBe('let in');
      } finally {
        await place.admin.deleteAcls({ filters: [rule] });
      }
    });
  },
);
