// What only a server of one's own can show: a slot that is lost, a shutdown, ways to log in.

import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Retention, silentLogger, systemClock } from '../../../src/sdk/index.ts';
import { SlotForecast, slotLag } from '../../../src/sources/postgresql/lag.ts';
import { openConnection, openStream } from '../../../src/sources/postgresql/replication/open.ts';
import { createSlot, lookAtSlot, slotProblem } from '../../../src/sources/postgresql/replication/slot.ts';
import type { StreamSettings } from '../../../src/sources/postgresql/replication/stream-settings.ts';
import { findPostgres, OwnPostgres } from '../../chaos/own-postgres.ts';
import { eventually } from '../../helpers/eventually.ts';
import { postgresUrl, skipReason } from '../../helpers/postgres.ts';
import { connectionsOf, loginOf, never } from './harness.ts';

const missing = (await skipReason()) !== null;
const installation = missing ? null : await findPostgres();
const place = { server: 'the test server', where: 'source "orders"', slot: 's' };
const settings: StreamSettings = {
  slot: 's',
  publications: ['p'],
  from: 0n,
  statusIntervalMs: 10_000,
  maxBytes: 1 << 20,
  clock: systemClock,
  logger: silentLogger,
  place,
};

describe.skipIf(installation === null)('a server of its own', () => {
  const start = async (): Promise<OwnPostgres> => {
    if (installation === null) throw new Error('no server');
    const server = await OwnPostgres.start(installation);
    const connection = await openConnection(loginOf({ url: server.url }), place, null);
    await createSlot(connection, { name: 's', failover: false, exportSnapshot: false }, null);
    await connection.close();
    await server.query('CREATE TABLE t (x text)');
    await server.query('CREATE PUBLICATION p FOR TABLE t');
    return server;
  };

  it('loses a slot that needs more log than it may keep: said by the slot, and by the stream', async () => {
    await using server = await start();
    const login = loginOf({ url: server.url });
    await server.query("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
    await server.query('SELECT pg_reload_conf()');
    for (let i = 0; i < 6; i++) {
      await server.query("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
      await server.query('SELECT pg_switch_wal()');
      await server.query('CHECKPOINT');
    }
    const connections = connectionsOf(login);
    const state = await connections.use(null, (session) => lookAtSlot(session, 's'));
    await connections.close();
    expect(state?.walStatus).toBe('lost');
    const problem = slotProblem(state, { name: 's', database: 'postgres', from: 1n, where: 'y' });
    expect(problem).toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
    expect(problem?.message).toMatch(/max_slot_wal_keep_size|invalidated/);
    await expect(openStream(login, settings, async () => undefined, never)).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE' });
  });

  it('says how long the slot lasts, before it is lost', async () => {
    if (installation === null) throw new Error('no server');
    await using server = await OwnPostgres.start(installation, ['max_slot_wal_keep_size=64MB', 'min_wal_size=32MB', 'max_wal_size=48MB']);
    const connection = await openConnection(loginOf({ url: server.url }), place, null);
    await createSlot(connection, { name: 's', failover: false, exportSnapshot: false }, null);
    await connection.close();
    await server.query('CREATE TABLE t (x text)');
    const connections = connectionsOf(loginOf({ url: server.url })),
      forecast = new SlotForecast(),
      looks: Retention[] = [];
    let atMs = 0;
    // As if a minute lay between two looks: the same amount each time.
    for (let written = 0; written < 40 && looks.at(-1)?.status !== 'lost'; written++) {
      await server.query("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
      if (looks.length > 12) await server.query('CHECKPOINT');
      const lag = await connections.use(null, (session) => slotLag(session, 's'));
      atMs += 60_000;
      if (lag !== null) looks.push(forecast.retention(lag, atMs));
    }
    await connections.close();
    expect(looks[0]).toMatchObject({ status: 'reserved', lossInMs: null });
    expect(looks[0]?.safeBytes).toBeGreaterThan(48 << 20);
    expect(looks[0]?.safeBytes).toBeLessThan(97 << 20);
    // What was foretold at the fourth look came true, within a look.
    const endedAt = looks.findIndex((l) => l.lossInMs === 0);
    expect(looks.at(-1)).toMatchObject({ status: 'lost', lossInMs: 0 });
    expect(Math.abs(3 + (looks[3]?.lossInMs ?? 0) / 60_000 - endedAt)).toBeLessThanOrEqual(1.5);
  });

  it('can shut down although not everything is confirmed, and sends it again when it is back', async () => {
    await using server = await start();
    const login = loginOf({ url: server.url });
    const { stream } = await openStream(login, settings, async () => undefined, never);
    await stream.next(never);
    stream.confirm(stream.received);
    await systemClock.sleep(300);
    await server.query("INSERT INTO t VALUES ('x')");
    const [row] = await server.query<{ folder: string }>("SELECT current_setting('data_directory') AS folder");
    const pid = Number(readFileSync(join(row?.folder ?? '', 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 'SIGINT');
    const began = systemClock.now();
    let asked = 0;
    const error = await (async () => {
      for (;;) asked += (await stream.next(never))?.count ?? 0;
    })().catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    expect(systemClock.now() - began).toBeLessThan(10_000);
    expect(asked).toBeLessThan(200);
    await eventually(() => !isAlive(pid), 'its end');
    await server.start();
    const again = await openStream(login, settings, async () => undefined, never);
    const frames = await again.stream.next(never);
    expect(frames?.count).toBeGreaterThan(0);
    await again.stream.close();
  });

  it('that was shut down and started again is the same system', async () => {
    await using server = await start();
    const login = loginOf({ url: server.url });
    const first = await openStream(login, settings, async () => undefined, never);
    await first.stream.close();
    server.killAll();
    await server.start();
    const second = await openStream(login, settings, async () => undefined, never);
    await second.stream.close();
    expect(second.identity).toMatchObject({ systemId: first.identity.systemId, timeline: first.identity.timeline });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(missing)('a login', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  const who = async (keys: Parameters<typeof loginOf>[0]): Promise<string> => {
    const connection = await openConnection(loginOf(keys), place, null);
    const [row] = await connection.query('SELECT current_user AS who');
    await connection.close();
    const connections = connectionsOf(loginOf(keys));
    const { rows } = await connections.use(null, (session) => session.query('SELECT current_user AS who'));
    await connections.close();
    expect(rows[0]?.['who']).toBe(row?.['who']);
    return row?.['who'] ?? '';
  };

  it('takes what the configuration leaves out from PG* variables', async () => {
    const url = new URL((await postgresUrl()) ?? '');
    for (const [name, value] of Object.entries({
      PGHOST: url.hostname,
      PGPORT: url.port,
      PGUSER: url.username,
      PGPASSWORD: url.password,
      PGDATABASE: 'postgres',
    }))
      vi.stubEnv(name, value);
    expect(await who({})).toBe(url.username);
  });

  it('takes the password from the password file', async () => {
    const url = new URL((await postgresUrl()) ?? ''),
      folder = await mkdtemp(join(tmpdir(), 'cdc-pgpass-'));
    try {
      const file = join(folder, 'pgpass');
      await writeFile(file, `${url.hostname}:${url.port}:*:${url.username}:${url.password}\n`, { mode: 0o600 });
      vi.stubEnv('PGPASSFILE', file);
      expect(await who({ host: url.hostname, port: Number(url.port), user: url.username, database: 'postgres' })).toBe(url.username);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('goes through a Unix socket where the host is a folder', async () => {
    const url = new URL((await postgresUrl()) ?? ''),
      folder = await mkdtemp(join(tmpdir(), 'cdc-sock-'));
    const server = createServer((client) => {
      const upstream = connect(Number(url.port), url.hostname);
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream]) socket.on('error', () => undefined);
    });
    try {
      await new Promise<void>((resolve) => server.listen(join(folder, '.s.PGSQL.5999'), resolve));
      expect(await who({ host: folder, port: 5999, user: url.username, password: url.password, database: 'postgres' })).toBe(url.username);
    } finally {
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    }
  });
});
