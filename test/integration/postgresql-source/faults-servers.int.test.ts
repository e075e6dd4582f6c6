// Servers that cannot be captured, servers that are not the one we knew, and what a peer sends that is no message.

import { describe, expect, it } from 'vitest';
import type { ChangeEvent, Finding, Source } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/memory-store.ts';
import { positionsAfter, progressAfter, Reader, testContext } from '../../../src/sdk/testing/reading.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { descriptor } from '../../../src/sources/postgresql/index.ts';
import { findPostgres, OwnPostgres } from '../../chaos/own-postgres.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { PostgresProxy } from '../../helpers/postgres-proxy.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../../helpers/postgres-source.ts';
import { areDone, SourceWorld } from './source-world.ts';

const missing = (await skipReason()) !== null;
const programs = missing ? null : await findPostgres();

const ofServer = (url: string, store = memoryStore(), more: Partial<PostgresqlSourceConfig> = {}): Promise<Source> =>
  Promise.resolve(descriptor.create({ ...POSTGRESQL_SOURCE_DEFAULTS, url, slot_name: 'orders', ...more }, testContext('db', store)));

describe.skipIf(programs === null)('a server', () => {
  const start = (settings: readonly string[] = []): Promise<OwnPostgres> =>
    OwnPostgres.start(programs as NonNullable<typeof programs>, settings);

  it('with wal_level = replica is refused, with what to run', async () => {
    await using server = await start(['wal_level=replica']);
    await server.query('CREATE TABLE t (id int PRIMARY KEY)');
    const source = await ofServer(server.url);
    const findings: Finding[] = [];
    for await (const finding of source.check()) findings.push(finding);
    expect(findings.filter((f) => f.level === 'error')).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/wal_level/),
        fix: expect.stringMatching(/ALTER SYSTEM SET wal_level = logical/),
      }),
    ]);
    await expect(new Reader(source).next()).rejects.toMatchObject({ code: 'SOURCE_MISCONFIGURED', retriable: false });
    await source.close();
  });

  it('that does not know the role says so, and is not asked again', async () => {
    await using server = await start();
    const url = new URL(server.url);
    url.username = 'nobody_here';
    const source = await ofServer(url.href);
    await expect(new Reader(source).next()).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', retriable: false });
    await source.close();
  });

  it('that was a standby and has no slot, or was left behind by us, is never taken for the old one', async () => {
    await using primary = await start();
    await primary.query('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)');
    await using standby = await primary.startStandby();
    const store = memoryStore(),
      source = await ofServer(primary.url, store),
      reader = new Reader(source);
    await reader.until(({ batches }) => areDone(progressAfter(batches)), 'the rows');
    const before = positionsAfter(reader.reading.batches);
    await standby.replayed(primary);

    // Behind the end of what the standby has: it is gone when the primary is lost.
    standby.killAll();
    await primary.query('INSERT INTO t VALUES (3)');
    await reader.until(({ events }) => has(events, 3), 'the change that only the primary has');
    const after = positionsAfter(reader.reading.batches),
      snapshots = progressAfter(reader.reading.batches);
    await reader.stop();
    await source.close();
    primary.killAll();
    await standby.start();
    await standby.query('SELECT pg_promote()');
    await standby.query('INSERT INTO t VALUES (4)');

    const promoted = await ofServer(standby.url, store);
    await expect(new Reader(promoted, { partitions: before, snapshots }).next()).rejects.toMatchObject({
      code: 'SOURCE_POSITION_GONE',
      retriable: false,
    });
    await expect(new Reader(promoted, { partitions: after, snapshots }).next()).rejects.toMatchObject({
      code: expect.stringMatching(/^SOURCE_(POSITION_GONE|HISTORY_DIVERGED)$/),
      retriable: false,
    });
    // Somebody makes the slot by hand: what lies between is lost all the same, and behind the switch it never was.
    await standby.query("SELECT pg_create_logical_replication_slot('orders', 'pgoutput')");
    await expect(new Reader(promoted, { partitions: before, snapshots }).next()).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE' });
    for (let id = 10; id < 200; id++) await standby.query(`INSERT INTO t VALUES (${id})`);
    await expect(new Reader(promoted, { partitions: after, snapshots }).next()).rejects.toMatchObject({
      code: expect.stringMatching(/^SOURCE_(POSITION_GONE|HISTORY_DIVERGED)$/),
    });
    await promoted.close();

    const anew = await ofServer(standby.url, store, { snapshot_mode: 'when_needed' }),
      again = new Reader(anew, { partitions: before, snapshots });
    await again.until(({ batches, events }) => has(events, 199) && areDone(progressAfter(batches)), 'all rows');
    expect(has(again.reading.events, 3)).toBe(false);
    expect(again.reading.events[0]?.op).toBe('t');
    await again.stop();
    await anew.close();
  });
});

const has = (events: readonly ChangeEvent[], id: number): boolean => events.some((e) => e.after?.['id'] === id);

describe.skipIf(missing)('a peer', () => {
  it('that sends what is no message ends the reading with its place, and nothing behind it is confirmed', async () => {
    await using world = await SourceWorld.create('CREATE TABLE t (id int PRIMARY KEY, v text)', { tables: ['t'] });
    await using proxy = await PostgresProxy.start(world.db.url);
    const reader = await world.open({}, { url: proxy.through(world.db.url) });
    await world.take(reader, (_, progress) => areDone(progress), 'the start');
    await world.db.query("INSERT INTO t VALUES (1, 'good')");
    const [good] = await world.db.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
    await world.take(reader, (e) => has(e, 1), 'the good row');
    // The kind of a column becomes one that the protocol does not have.
    proxy.tamper = (bytes) => {
      const at = bytes.indexOf('poison');
      if (at >= 5 && bytes[at - 5] === 0x74) bytes[at - 5] = 0x7a;
    };
    await world.db.query("INSERT INTO t VALUES (2, 'poison')");
    const failing = world.take(reader, (e) => has(e, 2), 'the bad row');
    await expect(failing).rejects.toMatchObject({
      code: 'SOURCE_DATA_INVALID',
      retriable: false,
      message: expect.stringMatching(/at [0-9A-F]+\/[0-9A-F]+ cannot be read: .*\d/),
    });
    await world.source.acknowledge(positionsAfter(world.batches));
    await world.stop();
    const [slot] = await world.db.query<{ kept: boolean }>(
      'SELECT confirmed_flush_lsn <= $1::pg_lsn AS kept FROM pg_replication_slots WHERE slot_name = $2',
      [good?.lsn, world.slot],
    );
    expect(slot?.kept).toBe(true);
    // The same bytes in good order are read where they were.
    expect(has(await world.take(await world.open(), (e) => has(e, 2), 'the row'), 2)).toBe(true);
  });

  it.each(['is cut off', 'stands and says nothing'])('that %s is retriable, and the next session goes on', async (how) => {
    await using world = await SourceWorld.create('CREATE TABLE t (id int PRIMARY KEY)', { tables: ['t'] });
    await using proxy = await PostgresProxy.start(world.db.url);
    await world.db.query(`ALTER ROLE current_user IN DATABASE ${world.db.name} SET wal_sender_timeout = '1500ms'`);
    const reader = await world.open({}, { url: proxy.through(world.db.url) });
    await world.take(reader, (_, progress) => areDone(progress), 'the start');
    await world.db.query('INSERT INTO t VALUES (1)');
    await world.take(reader, (e) => has(e, 1), 'a row');
    if (how === 'is cut off') await proxy.close();
    else proxy.isFrozen = true;
    await world.db.query('INSERT INTO t VALUES (2)');
    await expect(world.take(reader, (e) => has(e, 2), 'a row')).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    proxy.isFrozen = false;
    const events = await world.take(await world.open(), (e) => has(e, 2), 'the row');
    expect(events.map((e) => e.after?.['id'])).toEqual([1, 2]);
  });
});
