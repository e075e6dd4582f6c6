// NATS as its users meet it: the pipelines as they are shipped, and the configuration files of the two design documents as they
// stand, on real servers.

import { cpSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../scripts/services/ports.ts';
import { eventually } from '../helpers/eventually.ts';
import { NatsPlace, natsServers } from '../helpers/nats.ts';
import { OwnNats } from '../helpers/own-nats.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { createRedisDatabase, skipReason as redisSkipReason } from '../helpers/redis.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { type Started, Workspace } from './process.ts';

const isWhole = (await natsServers('nats')).length > 0 && (await skipReason()) === null && (await redisSkipReason()) === null;

interface CdcEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly source: string;
  readonly timestamp: string;
  readonly schema: string;
  readonly table: string;
  readonly operation: string;
  readonly before?: Record<string, unknown>;
  readonly after?: Record<string, unknown>;
}

async function eventsOf(place: NatsPlace): Promise<{ subject: string; event: CdcEvent }[]> {
  const messages = await place.messages('CDC').catch(() => []);
  return messages
    .filter((m) => m.data.length > 0)
    .map(({ subject, data }) => ({ subject, event: JSON.parse(Buffer.from(data).toString()) as CdcEvent }));
}

const TABLES = `
  CREATE SCHEMA schema1; CREATE SCHEMA schema2;
  CREATE TABLE schema1.table1 (id int PRIMARY KEY, name text, password text); ALTER TABLE schema1.table1 REPLICA IDENTITY FULL;
  CREATE TABLE schema2.table2 (id int PRIMARY KEY, ssn text);
  CREATE TABLE schema2.not_asked_for (id int PRIMARY KEY);
  INSERT INTO schema1.table1 SELECT n, 'name ' || n, 'secret' FROM generate_series(1, 100) n;
  INSERT INTO schema2.table2 VALUES (1, '123-45-6789'); INSERT INTO schema2.not_asked_for VALUES (1)`;

/** The variables of the design document, for servers of ours. */
function environment(db: TestDatabase, endpoint: string, nats: OwnNats, port: number): Record<string, string> {
  const { username, password, pathname } = new URL(db.url);
  return {
    AWS_RDS_ENDPOINT: endpoint,
    AWS_RDS_USERNAME: decodeURIComponent(username),
    AWS_RDS_PASSWORD: decodeURIComponent(password),
    AWS_RDS_DATABASE: pathname.slice(1),
    AWS_RDS_REGION: 'us-east-1',
    NATS_URL: `nats://127.0.0.1:${nats.port}`,
    NATS_USERNAME: 'nats_user',
    NATS_PASSWORD: 'nats_password',
    NATS_CLUSTER_ID: 'prod-cluster',
    CHECKPOINT_STORAGE: '.cdc/state.db',
    CHECKPOINT_INTERVAL: '1s',
    MAX_RETRY_ATTEMPTS: '3',
    BATCH_SIZE: '1000',
    BATCH_TIMEOUT: '200ms',
    PROMETHEUS_PORT: String(port),
    LOG_LEVEL: 'info',
  };
}

const USER = { name: 'nats_user', password: 'nats_password' };

/** Changes rows, kills, changes more, and expects each change in the stream once, hidden where it must be. */
async function expectTheirChanges(db: TestDatabase, place: NatsPlace, start: () => Started): Promise<void> {
  const database = new URL(db.url).pathname.slice(1),
    subject = (rest: string): string => `cdc.${database}.${rest}`;
  const first = start();
  await eventually(async () => (await eventsOf(place)).length >= 101);
  await db.query("UPDATE schema1.table1 SET name = 'changed' WHERE id <= 50; DELETE FROM schema1.table1 WHERE id = 100");
  await eventually(async () => (await eventsOf(place)).length > 101);
  first.child.kill('SIGKILL');
  await first.ended;
  await db.query("INSERT INTO schema2.table2 VALUES (2, '987-65-4321')");
  const second = start();
  await eventually(async () => (await eventsOf(place)).length >= 101 + 51 + 1);
  second.child.kill('SIGTERM');
  expect(await second.ended).toMatchObject({ code: 0 });

  const events = await eventsOf(place);
  expect(new Set(events.map((e) => e.event.event_id)).size).toBe(events.length);
  expect(events).toHaveLength(153);
  expect(new Set(events.map((e) => e.subject))).toEqual(new Set([subject('schema1.table1'), subject('schema2.table2')]));
  expect(events.filter((e) => e.event.operation === 'UPDATE').map((e) => e.event.after)).toEqual(
    Array.from({ length: 50 }, (_, i) => ({ id: i + 1, name: 'changed', password: null })),
  );
  expect(events.find((e) => e.event.operation === 'DELETE')?.event).toMatchObject({
    event_type: 'cdc.delete',
    source: database,
    schema: 'schema1',
    table: 'table1',
    before: { id: 100, password: null },
  });
  expect(events.at(-1)?.event).toMatchObject({
    event_type: 'cdc.insert',
    after: { id: 2, ssn: null },
    timestamp: expect.stringMatching(/Z$/),
  });
}

describe.skipIf(!isWhole)('a handler from RDS to NATS', () => {
  it('runs with the config.yaml of the design document as it stands, over TLS', async () => {
    await using db = await createDatabase();
    await using nats = await OwnNats.start({ user: USER });
    await using place = await NatsPlace.at(nats.url);
    await using redis = await createRedisDatabase();
    await using proxy = await PostgresProxy.start(db.url, { tls: selfSigned('localhost') });
    using work = new Workspace();
    work.write(
      'config.yaml',
      readFileSync('test/fixtures/config/seed-002/config.yaml', 'utf8').replace('port: 8080', 'port: ${PROMETHEUS_PORT}'),
    );
    await db.query(TABLES);
    const env = { ...environment(db, `127.0.0.1:${proxy.port}`, nats, await freePort(18_300)), CHECKPOINT_STORAGE: redis.url };
    expect(await work.run(['validate', '-c', 'config.yaml', '--connect'], env)).toMatchObject({ code: 0 });
    try {
      await expectTheirChanges(db, place, () => work.start(['start', '-c', 'config.yaml'], env));
    } finally {
      await dropSlots(db);
    }
  });

  it('is pipelines/rds-to-nats.yaml with the same variables', async () => {
    await using db = await createDatabase();
    await using nats = await OwnNats.start({ user: USER });
    await using place = await NatsPlace.at(nats.url);
    using work = new Workspace();
    await db.query(TABLES);
    const { hostname, port } = new URL(db.url);
    const env = {
      ...environment(db, hostname, nats, await freePort(18_400)),
      AWS_RDS_PORT: port || '5432',
      AWS_RDS_SSL_MODE: 'disable',
      TABLES: 'schema?.table?',
      PIPELINE: db.name,
    };
    try {
      await expectTheirChanges(db, place, () => work.start([resolve('pipelines/rds-to-nats.yaml')], env));
    } finally {
      await dropSlots(db);
    }
  });
});

const USERS = 'CREATE TABLE users (id int PRIMARY KEY, name text, visits int DEFAULT 7)';
const rowsOf = (db: TestDatabase): Promise<Record<string, unknown>[]> => db.query('SELECT id, name, visits FROM users ORDER BY id');

let published = 0;

/** As the design document publishes it. */
function event(operation: string, data: object): string {
  const id = `550e8400-e29b-41d4-a716-${String(++published).padStart(12, '0')}`;
  return JSON.stringify({ id, timestamp: '2025-12-29T01:00:00Z', source: 'test', table: 'users', operation, data, metadata: {} });
}

describe.skipIf(!isWhole)('a synchroniser from NATS to PostgreSQL', () => {
  it('runs with the config/default.yaml of the design document as it stands, but for its addresses', async () => {
    await using db = await createDatabase();
    await using nats = await OwnNats.start();
    await using place = await NatsPlace.at(nats.url);
    using work = new Workspace();
    work.makeFolder('config');
    cpSync('test/fixtures/config/seed-004/config/default.yaml', work.path('config/default.yaml'));
    const text = work.read('config/default.yaml');
    work.write('config/default.yaml', text.replace('nats://localhost:4222', nats.url).replace(/postgresql:[^"]+/, db.url));
    await db.query(USERS);
    expect(await work.run(['validate', '-c', 'config/default.yaml'])).toMatchObject({ code: 0 });
    const running = work.start(['start', '-c', 'config/default.yaml']);
    // The stream is made with the start: until then `cdc.events` is heard by nobody.
    await eventually(async () => (await place.jsm.streams.names('cdc.events').next()).length > 0);
    place.nc.publish('cdc.events', event('insert', { id: 1, name: 'John Doe' }));
    place.nc.publish('cdc.events', event('insert', { id: 2, name: 'Jane Doe' }));
    place.nc.publish('cdc.events', event('update', { id: 1, name: 'John Q. Doe' }));
    place.nc.publish('cdc.events', 'no event');
    place.nc.publish('cdc.events', event('delete', { id: 2 }));
    await eventually(async () => JSON.stringify(await rowsOf(db)) === JSON.stringify([{ id: 1, name: 'John Q. Doe', visits: 7 }]));
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
    expect(work.lines('.cdc/dlq/default.ndjson')).toHaveLength(1);
  });

  it('serves a server without JetStream as far as that goes, and says so', async () => {
    await using db = await createDatabase();
    await using nats = await OwnNats.start({ isCore: true });
    await using place = await NatsPlace.at(nats.url).catch(() => Promise.reject(new Error('no connection')));
    using work = new Workspace();
    work.write('flow.yaml', `nats: {servers: ["${nats.url}"], subject: cdc.events}\npostgres: {url: "${db.url}"}\n`);
    await db.query(USERS);
    const running = work.start(['start', '-c', 'flow.yaml']);
    await running.until(/has no JetStream/);
    await sleep(500);
    place.nc.publish('cdc.events', event('insert', { id: 1, name: 'heard' }));
    await eventually(async () => (await rowsOf(db)).length === 1);
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
  });

  it('is pipelines/nats-to-postgres.yaml, which keeps two databases equal over kills', async () => {
    await using main = await createDatabase();
    await using copy = await createDatabase();
    await using nats = await OwnNats.start();
    await using place = await NatsPlace.at(nats.url);
    using work = new Workspace();
    for (const db of [main, copy]) await db.query(USERS);
    const env = { NATS_URL: nats.url, DATABASE_URL: main.url, COPY_URL: copy.url };
    const start = () => work.start([resolve('pipelines/nats-to-postgres.yaml')], env);
    const first = start();
    await eventually(async () => (await place.jsm.streams.names('cdc.events').next()).length > 0);
    for (let i = 1; i <= 1000; i++) await place.nc.request('cdc.events', event('insert', { id: i, name: `name ${i}` }), { timeout: 5000 });
    first.child.kill('SIGKILL');
    await first.ended;
    for (let i = 1; i <= 1000; i += 2) await place.nc.request('cdc.events', event('update', { id: i, name: 'odd' }), { timeout: 5000 });
    // What the killed process had comes again after `ack_wait`.
    const second = start();
    await eventually(async () => (await main.query("SELECT 1 FROM users WHERE name = 'odd'")).length === 500);
    await eventually(async () => (await copy.query("SELECT 1 FROM users WHERE name = 'odd'")).length === 500);
    second.child.kill('SIGTERM');
    expect(await second.ended).toMatchObject({ code: 0 });
    expect(await rowsOf(main)).toHaveLength(1000);
    expect(await rowsOf(copy)).toEqual(await rowsOf(main));
  });
});
