// When the log is not the one that was read: begun anew, another server, positions that people wrote. Resets logs, so each
// server is one of these tests alone.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ChangeEvent, Position } from '../../../src/sdk/index.ts';
import { positionsAfter } from '../../../src/sdk/testing/reading.ts';
import type { MysqlSourceConfig } from '../../../src/sources/mysql/config.ts';
import { type OwnMysql, startOwnMysql } from '../../chaos/own-mysql.ts';
import { describeOn, mysqlServers } from '../../helpers/mysql.ts';
import { SourceWorld } from './source-world.ts';

const CREATE = 'CREATE TABLE items (id int PRIMARY KEY, a int)';
const servers = (await mysqlServers()).filter((s) => s === 'mariadb' || s === 'mysql');
const has = (id: number) => (events: readonly ChangeEvent[]) => events.some((e) => e.after?.['id'] === id);
const ids = (events: readonly ChangeEvent[]): unknown[] => events.map((e) => e.after?.['id']);

describeOn(servers, 'on %s', (server) => {
  let own: OwnMysql;

  beforeAll(async () => {
    own = await startOwnMysql(server);
  }, 120_000);

  afterAll(() => own[Symbol.asyncDispose]());

  async function create(more: Partial<MysqlSourceConfig>): Promise<SourceWorld> {
    await own.query(`DROP TABLE IF EXISTS items; ${CREATE}`);
    return SourceWorld.on(own, more);
  }

  /** A file stays as long as a dump that has ended is not noticed, or MariaDB has not written down that it is done with it. */
  async function purgeAll(): Promise<void> {
    const current = (await own.query('SHOW BINARY LOGS')).at(-1)?.['Log_name'];
    for (;;) {
      await own.query('FLUSH BINARY LOGS');
      const files = await own.query('SHOW BINARY LOGS');
      await own.query(`PURGE BINARY LOGS TO '${files.at(-1)?.['Log_name']}'`).catch(() => undefined);
      const left = await own.query('SHOW BINARY LOGS');
      if (left.every((f) => f['Log_name'] !== current)) return;
      await own.query('DO SLEEP(0.2)');
    }
  }

  it.each([true, false])('says that the log began anew (use_gtid: %s)', async (use_gtid) => {
    await using world = await create({ use_gtid });
    const reader = await world.streaming();
    await world.db.query('INSERT INTO items VALUES (1, 1)');
    await world.take(reader, has(1), 'row 1');
    await world.stop();
    await world.db.query('RESET MASTER');
    await world.db.query('INSERT INTO items VALUES (2, 2)');
    await expect((await world.open()).next('a failure')).rejects.toMatchObject({ code: 'SOURCE_HISTORY_DIVERGED', retriable: false });
  });

  it('says so also when the new log is as long as the old one', async () => {
    await using world = await create({ use_gtid: false });
    await world.db.query('RESET MASTER');
    const reader = await world.streaming();
    await world.db.query('INSERT INTO items VALUES (1, 1)');
    await world.take(reader, has(1), 'row 1');
    await world.stop();
    await world.db.query('DO SLEEP(1.1)');
    await world.db.query('RESET MASTER');
    for (let id = 2; id < 12; id++) await world.db.query(`INSERT INTO items VALUES (${id}, 2)`);
    const again = await world.open();
    await expect(again.until((r) => r.events.length > 0, 'a failure')).rejects.toMatchObject({ code: 'SOURCE_HISTORY_DIVERGED' });
  });

  it.each([true, false])('says that what was not read was purged, and goes on only where told to (use_gtid: %s)', async (use_gtid) => {
    await using world = await create({ use_gtid });
    const reader = await world.streaming();
    await world.db.query('INSERT INTO items VALUES (1, 1)');
    await world.take(reader, has(1), 'row 1');
    await world.stop();
    await world.db.query('INSERT INTO items VALUES (2, 2)');
    await purgeAll();
    const known = world.events.length;
    await expect((await world.open()).next('a failure')).rejects.toMatchObject({
      code: 'SOURCE_POSITION_GONE',
      retriable: false,
      fix: expect.stringMatching(/when_needed/) as string,
    });
    expect(world.events.length).toBe(known);
    expect(await world.source.lag()).toMatchObject({ retention: { by: expect.stringMatching(/binary log/) as string } });
    await world.take(await world.open({}, { snapshot_mode: 'when_needed' }), (events) => events.length >= known + 3, 'the rows once more');
    expect(world.events.slice(known).map((e) => [e.op, e.after?.['id']])).toEqual([
      ['t', undefined],
      ['r', 1],
      ['r', 2],
    ]);
  });

  it('tells how long what is needed is kept at least, by what is stored', async () => {
    await using world = await create({});
    const [variable, value, kept] = server === 'mysql' ? ['binlog_expire_logs_seconds', 7200, 7200] : ['expire_logs_days', 1, 86_400],
      [usual] = await world.db.query(`SELECT @@${variable} AS value`);
    const lossInSeconds = async (): Promise<number> => ((await world.source.lag()).retention?.lossInMs ?? Number.NaN) / 1000;
    await world.db.query(`SET GLOBAL ${variable} = ${value}`);
    try {
      const reader = await world.streaming();
      await world.db.query('INSERT INTO items VALUES (1, 1)');
      await world.take(reader, has(1), 'row 1');
      await world.source.acknowledge(positionsAfter(world.batches));
      expect(await lossInSeconds()).toBe(kept);
      // The file is closed some seconds later; what follows is in the next one.
      await world.db.query('DO SLEEP(2.1); FLUSH BINARY LOGS; DO SLEEP(2.1)');
      await world.db.query('INSERT INTO items VALUES (2, 2)');
      await world.take(reader, has(2), 'row 2');
      expect(await lossInSeconds()).toBeLessThanOrEqual(kept - 2);
      expect(await lossInSeconds()).toBeGreaterThan(kept - 60);
      await world.source.acknowledge(positionsAfter(world.batches));
      expect(await lossInSeconds()).toBe(kept);
    } finally {
      await world.db.query(`SET GLOBAL ${variable} = ${usual?.['value']}`);
    }
  });

  it('reads all again where the configuration says so, and rows that are gone go', async () => {
    await using world = await create({ snapshot_mode: 'when_needed' });
    await world.db.query('INSERT INTO items VALUES (1, 1), (2, 2)');
    await world.take(await world.open(), has(2), 'row 2');
    await world.streaming();
    await world.stop();
    await world.db.query('DELETE FROM items WHERE id = 1');
    await world.db.query('RESET MASTER');
    const known = world.events.length;
    await world.take(await world.open(), (events) => events.length >= known + 2, 'the rows once more');
    const fresh = world.events.slice(known);
    expect(fresh.map((e) => [e.op, e.after?.['id']])).toEqual([
      ['t', undefined],
      ['r', 2],
    ]);
    // Places still grow, though numbers of files began anew.
    const places = world.events.map((e) => e.position);
    expect([...places].sort()).toEqual(places);
  });

  it('goes on at another server by transaction ids, in the middle of a transaction, too', async () => {
    await using world = await create({ snapshot_mode: 'never' });
    const reader = await world.open({ maxBatchEvents: 2 });
    await world.take(reader, () => world.batches.length > 0, 'the start');
    await world.db.query('INSERT INTO items VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)');
    await world.take(reader, has(2), 'half of it');
    await world.stop();
    // As if what is known belonged to another server.
    const stored = JSON.parse(Buffer.from((await world.store.get('log')) as Uint8Array).toString()) as { server: string };
    await world.store.set('log', Buffer.from(JSON.stringify({ ...stored, server: 'another' })));
    await world.take(await world.open(), has(5), 'the rest');
    expect(ids(world.events)).toEqual([1, 2, 3, 4, 5]);
    const places = world.events.map((e) => e.position);
    expect([...places].sort()).toEqual(places);
    expect(places.at(-1)?.slice(0, 5)).toBe('0002/');
  });

  it('begins where an operator says, by file and place', async () => {
    await using world = await create({ snapshot_mode: 'never' });
    const [status] = await world.db.query('SHOW MASTER STATUS');
    await world.db.query('INSERT INTO items VALUES (1, 1)');
    const reader = await world.open();
    const parsed = world.source.positions.parse?.(`${status?.['File']}:${status?.['Position']}`) as Position;
    await reader.stop();
    await world.take(await world.open({ partitions: { main: parsed } }), has(1), 'row 1');
    expect(ids(world.events)).toEqual([1]);
    expect(positionsAfter(world.batches)['main']).toMatch(/^0001\//);
  });
});
