// When the log is not the one that was read, on servers of these tests alone: failover to a replica, logs begun anew that look like the old
// one, places that people write, transactions that a crash cut off.

import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { ChangeEvent, Finding, Position } from '../../../src/sdk/index.ts';
import { parsePlace } from '../../../src/sources/mysql/position.ts';
import { findMysql, OwnMysql, startOwnMysql } from '../../chaos/own-mysql.ts';
import { eventually } from '../../helpers/eventually.ts';
import { describeOn, isMariadb, mysqlServers } from '../../helpers/mysql.ts';
import { SourceWorld } from './source-world.ts';

const servers = (await mysqlServers()).filter((s) => isMariadb(s) || s === 'mysql');
const CREATE = 'CREATE TABLE items (id int PRIMARY KEY, a varchar(300)); CREATE TABLE other (id int PRIMARY KEY)';
const has = (id: number) => (events: readonly ChangeEvent[]) => events.some((e) => e.after?.['id'] === id);
const ids = (events: readonly ChangeEvent[]): unknown[] => events.map((e) => e.after?.['id']);
const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const insert = (first: number, last: number): string =>
  `INSERT INTO items VALUES ${from(first, last)
    .map((id) => `(${id}, REPEAT('x', 200))`)
    .join(', ')}`;

describeOn(servers, 'on %s', (server) => {
  it.each([
    ['--binlog-ignore-db=shop', 'shop'],
    ['--binlog-do-db=shop', 'more'],
  ])('refuses tables whose changes are kept out of the log (%s)', { timeout: 180_000 }, async (setting, database) => {
    await using own = await startOwnMysql(server, [setting]);
    await own.query('CREATE DATABASE more; CREATE TABLE shop.items (id int PRIMARY KEY); CREATE TABLE more.items (id int PRIMARY KEY)');
    await using world = SourceWorld.on(own, { tables: ['shop.items', 'more.items'] });
    const message = `The server keeps the database ${database} out of its binary log.`;
    await expect((await world.open()).next('a failure')).rejects.toMatchObject({ code: 'SOURCE_MISCONFIGURED', message });
    const found: Finding[] = [];
    for await (const finding of world.source.check()) if (finding.level === 'error') found.push(finding);
    expect(found).toEqual([expect.objectContaining({ check: 'tables', message })]);
  });

  it('goes on at a replica that was promoted, in the midst of a transaction, too', { timeout: 180_000 }, async () => {
    const programs = await findMysql(server);
    if (programs === null) throw new Error(`${server} answers, and has no programs`);
    await using primary = await OwnMysql.start(programs);
    // The replica cuts the same rows into other events, and its files have other names and numbers.
    await using replica = await primary.startReplica(programs, ['--log-bin=copy', '--binlog-row-event-max-size=1024']);
    await primary.query(`${CREATE}; FLUSH BINARY LOGS; FLUSH BINARY LOGS; FLUSH BINARY LOGS`);
    await using world = SourceWorld.on(primary, { tables: ['items'] });
    await world.streaming();
    const reader = await world.open({ maxBatchEvents: 3 });
    await primary.query(insert(1, 5));
    // Rows of a table that nobody asked for count, too.
    await primary.query(`START TRANSACTION; INSERT INTO other VALUES (1), (2); ${insert(6, 40)}; COMMIT`);
    await world.take(reader, has(20), 'half of the second transaction');
    await world.stop();
    expect(world.events.length).toBeLessThan(30);
    await eventually(async () => Number((await replica.query('SELECT COUNT(*) AS n FROM items').catch(() => []))[0]?.['n']) === 40);
    primary.killAll();
    await replica.promote();
    await replica.query(insert(41, 50));
    // What a run that ends by itself would read up to, asked before anything of the new server is known.
    const at = { url: replica.url };
    await world.open({}, at);
    const until = await world.source.end();
    const again = await world.open({ until, maxBatchEvents: 3 }, at);
    await world.take(again, () => false, 'the end');
    expect(ids(world.events)).toEqual(from(1, 50));
    const places = world.events.map((e) => e.position);
    expect([...places].sort()).toEqual(places);
    expect(places.map((p) => parsePlace(p)?.number)).toEqual([...from(1, 5), ...from(3, 37), ...from(1, 10)]);

    // An operator's place in the files of the new server.
    const [status] = await replica.query('SHOW MASTER STATUS');
    await replica.query(insert(51, 52));
    await world.open({}, at);
    const place = world.source.positions.parse?.(`${status?.['File']}:${status?.['Position']}`) as Position;
    world.batches = [];
    await world.take(
      await world.open({ partitions: { main: place }, snapshots: [] }, { ...at, snapshot_mode: 'never' }),
      has(52),
      'row 52',
    );
    expect(ids(world.events)).toEqual([51, 52]);
    expect(world.events[0]?.position.slice(0, 5)).toBe('0002/');
  });

  it.each([
    ['shorter', 0],
    ['as long', 3],
    ['longer', 9],
  ] as const)('says that the log began anew, also when ids come again (%s)', { timeout: 120_000 }, async (_, files) => {
    const programs = await findMysql(server);
    if (programs === null) throw new Error(`${server} answers, and has no programs`);
    await using own = await OwnMysql.start(programs);
    await own.query(`${CREATE}; FLUSH BINARY LOGS; FLUSH BINARY LOGS`);
    await using world = SourceWorld.on(own, { tables: ['items'] });
    const reader = await world.streaming();
    await own.query(insert(1, 1));
    await world.take(reader, has(1), 'row 1');
    await world.stop();
    await sleep(1100);
    await own.query('RESET MASTER');
    for (let id = 2; id < 40; id++) {
      await own.query(insert(id, id));
      if (id - 1 <= files) await own.query('FLUSH BINARY LOGS');
    }
    const known = world.events.length;
    const failure = await world.open().then((r) => r.until(() => false, 'a failure').catch((e: unknown) => e));
    expect(failure).toMatchObject({ code: 'SOURCE_HISTORY_DIVERGED', retriable: false });
    expect(world.events.length).toBe(known);
  });

  it('reads transactions that are larger than a file, from any place in them', { timeout: 120_000 }, async () => {
    const programs = await findMysql(server);
    if (programs === null) throw new Error(`${server} answers, and has no programs`);
    await using own = await OwnMysql.start(programs, ['--max-binlog-size=4096']);
    await own.query(CREATE);
    await using world = SourceWorld.on(own, { tables: ['items'] });
    await world.streaming();
    await own.query(insert(1, 300));
    await own.query(`START TRANSACTION; ${insert(301, 400)}; ${insert(401, 500)}; COMMIT`);
    await own.query(insert(501, 501));
    while (!has(501)(world.events)) {
      const known = world.events.length;
      await world.take(await world.open({ maxBatchEvents: 70 }), (events) => events.length > known, 'more');
    }
    expect(ids(world.events)).toEqual(from(1, 501));
  });

  it.each([
    ['its last event', 31],
    ['the end of its rows', 100],
  ])('leaves out a transaction of which a crash of the server cut off %s', { timeout: 120_000 }, async (_, cut) => {
    const programs = await findMysql(server);
    if (programs === null) throw new Error(`${server} answers, and has no programs`);
    await using own = await OwnMysql.start(programs);
    await own.query(CREATE);
    await using world = SourceWorld.on(own, { tables: ['items'] });
    const reader = await world.streaming();
    await own.query(insert(1, 1));
    await world.take(reader, has(1), 'row 1');
    const [status] = await own.query('SHOW MASTER STATUS');
    await own.query(insert(2, 31));
    await world.take(reader, has(31), 'row 31');
    await world.stop();
    own.killAll();
    await sleep(500);
    // As if the next transaction had been written but for its end.
    const file = join(own.dataFolder, status?.['File'] as string),
      bytes = readFileSync(file).subarray(Number(status?.['Position']));
    appendFileSync(file, bytes.subarray(0, bytes.length - cut));
    await own.start();
    await own.query(insert(50, 50));
    await world.take(await world.open(), has(50), 'row 50');
    expect(ids(world.events)).toEqual([...from(1, 31), 50]);
    expect(readdirSync(own.dataFolder)).toContain(status?.['File']);
  });
});
