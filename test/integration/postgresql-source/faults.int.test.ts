// What can go wrong between us and the server, and what it is called.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/sdk/index.ts';
import { sourceError } from '../../../src/sources/postgresql/errors.ts';
import { openConnection, openStream } from '../../../src/sources/postgresql/replication/open.ts';
import { eventually } from '../../helpers/eventually.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { PostgresProxy } from '../../helpers/postgres-proxy.ts';
import { selfSigned } from '../../helpers/self-signed.ts';
import { connectionsOf, loginOf, never, readUntil, World, withoutEmpty } from './harness.ts';

const missing = (await skipReason()) !== null;

/** Reads until the stream breaks. */
async function failure(stream: { next(signal: AbortSignal): Promise<unknown> }): Promise<unknown> {
  try {
    while ((await stream.next(never)) !== null);
  } catch (error) {
    return error;
  }
  throw new Error('the stream ended without an error');
}

describe.skipIf(missing)('a connection that breaks', () => {
  it('is retriable when the server ends the walsender, and the next one goes on from where we were', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream();
    await world.db.query("INSERT INTO items VALUES (1, 'x')");
    await readUntil(stream, (kinds) => kinds.includes('IC'));
    const done = stream.received;
    await world.db.query("INSERT INTO items VALUES (2, 'x')");
    await world.db.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1', [world.name]);
    expect(await failure(stream)).toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    const again = await world.stream({ from: done });
    expect(withoutEmpty(await readUntil(again, (kinds) => kinds.includes('IC')))).toBe('BRIC');
  });

  it('is noticed when not a byte comes any more, although it stands', async () => {
    await using world = await World.create();
    await using proxy = await PostgresProxy.start(world.db.url);
    await world.createSlot();
    await world.db.query(`ALTER ROLE current_user IN DATABASE ${world.db.name} SET wal_sender_timeout = '1500ms'`);
    const stream = await world.stream({}, loginOf({ url: proxy.through(world.db.url) }));
    await systemClock.sleep(2500);
    proxy.isFrozen = true;
    const frozenAt = systemClock.now();
    const error = await failure(stream);
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    expect(String(error)).toMatch(/no byte came/);
    expect(systemClock.now() - frozenAt).toBeLessThan(5000);
  });

  it('is retriable when the peer is cut off', async () => {
    await using world = await World.create();
    await using proxy = await PostgresProxy.start(world.db.url);
    await world.createSlot();
    const stream = await world.stream({}, loginOf({ url: proxy.through(world.db.url) }));
    await proxy.close();
    expect(await failure(stream)).toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
  });

  it('hands over what came before it', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream();
    await world.db.query("INSERT INTO items VALUES (1, 'x')");
    await eventually(() => stream.received > 0n);
    await systemClock.sleep(200);
    await world.db.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1', [world.name]);
    await systemClock.sleep(200);
    expect(withoutEmpty(await readUntil(stream, (kinds) => kinds.includes('IC')))).toBe('BRIC');
    expect(await failure(stream)).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });
});

describe.skipIf(missing)('a login', () => {
  const opened = async (keys: Parameters<typeof loginOf>[0]): Promise<unknown> => {
    const connection = await openConnection(loginOf(keys), { server: 'the test server', where: 'source "orders"' }, null);
    const [row] = await connection.query('SELECT current_user AS who');
    await connection.close();
    return row?.['who'];
  };

  it('with a wrong password, and to a database that is not there, is not tried again', async () => {
    await using world = await World.create();
    const url = new URL(world.db.url);
    url.password = 'wrong';
    await expect(opened({ url: url.href })).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', retriable: false });
    const other = new URL(world.db.url);
    other.pathname = '/no_such_database';
    await expect(opened({ url: other.href })).rejects.toMatchObject({ code: 'SOURCE_MISCONFIGURED', retriable: false });
  });

  it('of a role without REPLICATION is forbidden, and says what to grant', async () => {
    await using world = await World.create();
    await world.createSlot();
    const role = `cdc_test_${randomBytes(6).toString('hex')}`;
    await world.db.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
    try {
      const url = new URL(world.db.url);
      url.username = role;
      url.password = 'x';
      await expect(world.stream({}, loginOf({ url: url.href }))).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', retriable: false });
    } finally {
      await world.db.query(`DROP ROLE ${role}`);
    }
  });

  it('to nobody is retriable, and gives up in time', async () => {
    await expect(opened({ host: '127.0.0.1', port: 1 })).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
  });

  it('through TLS checks who answers, and streams', async () => {
    await using world = await World.create();
    const { key, cert } = selfSigned('localhost');
    await using proxy = await PostgresProxy.start(world.db.url, { tls: { key, cert } });
    const folder = await mkdtemp(join(tmpdir(), 'cdc-tls-'));
    try {
      const ca = join(folder, 'ca.pem');
      await writeFile(ca, cert);
      const url = new URL(proxy.through(world.db.url));
      url.hostname = 'localhost';
      await world.createSlot();
      const login = loginOf({ url: url.href, ssl_mode: 'verify-full', ssl: { ca } });
      const stream = await world.stream({}, login);
      await world.db.query("INSERT INTO items SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) AS n");
      await world.db.query("INSERT INTO items VALUES (0, repeat('y', 5000000))");
      const kinds = await readUntil(stream, (k) => k.split('C').length === 3);
      expect(kinds).toBe(`BR${'I'.repeat(5000)}CBIC`);
      await stream.close();
      // Another name than in the certificate, and an authority that nobody vouches for.
      url.hostname = '127.0.0.1';
      await expect(opened({ url: url.href, ssl_mode: 'verify-full', ssl: { ca } })).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
      await expect(opened({ url: url.href, ssl_mode: 'verify-full' })).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
      await expect(opened({ url: url.href, ssl_mode: 'require', ssl: { ca: join(folder, 'none.pem') } })).rejects.toMatchObject({
        code: 'SOURCE_MISCONFIGURED',
      });
      await expect(opened({ url: world.db.url, ssl_mode: 'require' })).rejects.toMatchObject({ code: 'SOURCE_MISCONFIGURED' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is cut off when it is aborted', async () => {
    await using world = await World.create();
    await using proxy = await PostgresProxy.start(world.db.url);
    proxy.isFrozen = true;
    const stop = new AbortController();
    const opening = openStream(loginOf({ url: proxy.through(world.db.url) }), world.settings(), async () => undefined, stop.signal);
    await systemClock.sleep(50);
    stop.abort(new Error('stopped'));
    await expect(opening).rejects.toThrow('stopped');
  });
});

describe.skipIf(missing)('sessions', () => {
  const place = { server: 'the test server', where: 'source "orders"' };

  it('have settings that make texts the same everywhere', async () => {
    await using world = await World.create();
    const names = ['datestyle', 'intervalstyle', 'timezone', 'extra_float_digits', 'bytea_output', 'client_encoding', 'statement_timeout'];
    const query = `SELECT name, setting FROM pg_settings WHERE lower(name) = ANY (string_to_array('${names.join(',')}', ','))`;
    const found = await world.connections.use(null, (session) => session.query(query));
    const connection = await openConnection(world.login, place, null);
    const walsender = await connection.query(query);
    await connection.close();
    const settings = Object.fromEntries(found.rows.map((r) => [r['name']?.toLowerCase(), r['setting']]));
    expect(settings).toEqual({
      datestyle: 'ISO, YMD',
      intervalstyle: 'postgres',
      timezone: 'UTC',
      extra_float_digits: '3',
      bytea_output: 'hex',
      client_encoding: 'UTF8',
      statement_timeout: '0',
    });
    expect(Object.fromEntries(walsender.map((r) => [r['name']?.toLowerCase(), r['setting']]))).toEqual(settings);
  });

  it('hand out rows, and give up the connection when nobody takes the rest', async () => {
    await using world = await World.create();
    await world.db.query("INSERT INTO items SELECT n, 'x' FROM generate_series(1, 100000) AS n");
    const text = await world.connections.use(null, async (session) => {
      const chunks: Buffer[] = [];
      for await (const { bytes, starts, ends, count } of session.frames('SELECT id FROM items ORDER BY id')) {
        // The number of columns and the length of the one that there is.
        for (let i = 0; i < count; i++) chunks.push(bytes.subarray((starts[i] as number) + 6, ends[i]));
      }
      return chunks.join('\n');
    });
    expect(text).toBe(Array.from({ length: 100_000 }, (_, i) => `${i + 1}`).join('\n'));
    await world.connections.use(null, async (session) => {
      await session.inSnapshot(null, async () => {
        for await (const chunk of session.frames('SELECT repeat(name, 1000) FROM items')) if (chunk.count > 0) break;
      });
    });
    const { rows } = await world.connections.use(null, (session) => session.query('SELECT count(*) AS n FROM items'));
    expect(rows).toEqual([{ n: '100000' }]);
  });

  it('report what goes wrong among the rows', async () => {
    await using world = await World.create();
    await world.db.query("INSERT INTO items SELECT n, 'x' FROM generate_series(0, 10) AS n");
    const failing = world.connections.use(null, async (session) => {
      for await (const chunk of session.frames('SELECT 1 / (id - 5) FROM items ORDER BY id')) expect(chunk.count).toBeGreaterThan(0);
    });
    const error = sourceError(await failing.catch((e: unknown) => e), place);
    expect(error).toMatchObject({ code: 'SOURCE_DATA_INVALID', retriable: false });
  });

  it('wait for locks no longer than they should, and end when aborted', async () => {
    await using world = await World.create();
    const blocker = await world.db.connect();
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE items');
    const connections = connectionsOf(world.login, { lockTimeoutMs: 200 });
    const error = await connections.use(null, (session) => session.query('SELECT * FROM items')).catch((e: unknown) => e);
    expect(sourceError(error, place)).toMatchObject({ code: 'SOURCE_FAILED', retriable: true });
    await connections.close();
    const stop = new AbortController();
    const reading = world.connections.use(stop.signal, (session) => session.query('SELECT * FROM items'));
    await systemClock.sleep(100);
    stop.abort(new Error('stopped'));
    await expect(reading).rejects.toThrow('stopped');
    await blocker.query('ROLLBACK');
  });
});
