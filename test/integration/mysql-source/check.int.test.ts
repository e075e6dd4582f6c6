// What `check` says of real servers as they are, and by which name envelopes call them.

import { expect, it } from 'vitest';
import type { Finding } from '../../../src/sdk/index.ts';
import { describeOn, isMariadb, mysqlServers } from '../../helpers/mysql.ts';
import { SourceWorld } from './source-world.ts';

const CREATE = 'CREATE TABLE items (id int PRIMARY KEY, a int)';

async function findings(world: SourceWorld): Promise<Finding[]> {
  await world.open();
  const found: Finding[] = [];
  for await (const finding of world.source.check()) found.push(finding);
  return found;
}
const troubles = async (world: SourceWorld): Promise<(readonly [string, string])[]> =>
  (await findings(world)).filter((f) => f.level !== 'ok').map((f) => [f.level, f.check] as const);

describeOn(await mysqlServers(), 'check on %s', (server) => {
  const hasMetadata = isMariadb(server) || server === 'mysql';

  it('has nothing against a server that is set up for it', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    const found = await findings(world);
    expect(found.filter((f) => f.level === 'error')).toEqual([]);
    expect(found.filter((f) => f.level === 'warning' && f.check === 'binlog_row_metadata')).toHaveLength(hasMetadata ? 0 : 1);
    expect(new Set(found.map((f) => f.check))).toEqual(
      new Set([
        'reachable',
        'log_bin',
        'binlog_format',
        'binlog_row_image',
        'binlog_row_metadata',
        'gtid_mode',
        'privileges',
        'retention',
        'tables',
      ]),
    );
  });

  it('warns of XA transactions that are prepared', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    const other = await world.db.connect();
    await other.query(
      `XA START '${world.db.name}'; INSERT INTO items VALUES (1, 1); XA END '${world.db.name}'; XA PREPARE '${world.db.name}'`,
    );
    try {
      expect(await findings(world)).toContainEqual(
        expect.objectContaining({
          level: 'warning',
          check: 'xa',
          message: expect.stringMatching(/^\d+ XA transactions? (?:is|are) prepared/) as string,
        }),
      );
    } finally {
      await other.query(`XA ROLLBACK '${world.db.name}'`);
    }
  });

  it('names privileges that the user lacks, and asks of XA transactions only who may see them', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    const user = world.db.name.slice(-12),
      url = new URL(world.db.url);
    await world.db.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'secret'; GRANT SELECT ON ${world.db.name}.* TO '${user}'@'%'`);
    url.username = user;
    url.password = 'secret';
    try {
      Object.assign(world.config, { url: url.href });
      expect((await troubles(world)).filter(([level]) => level === 'error')).toEqual([
        ['error', 'privileges'],
        ['error', 'privileges'],
      ]);
      await world.db.query(`GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${user}'@'%'`);
      expect((await troubles(world)).filter(([level]) => level === 'error')).toEqual([]);
    } finally {
      await world.stop();
      await world.db.query(`DROP USER '${user}'@'%'`);
    }
  });

  it.each([
    ['binlog_row_image', "'MINIMAL'", "'FULL'", 'error', 'binlog_row_image'],
    ['binlog_format', "'STATEMENT'", "'ROW'", 'error', 'binlog_format'],
    [
      server === 'mysql' ? 'binlog_expire_logs_seconds' : 'expire_logs_days',
      server === 'mysql' ? '3600' : '0',
      '0',
      server === 'mysql' ? 'warning' : 'ok',
      'retention',
    ],
  ])('looks at %s = %s', async (name, value, usual, level, check) => {
    await using world = await SourceWorld.create(server, CREATE);
    await world.db.query(`SET GLOBAL ${name} = ${value}`);
    try {
      expect((await findings(world)).filter((f) => f.check === check).map((f) => f.level)).toEqual([level]);
    } finally {
      await world.db.query(`SET GLOBAL ${name} = ${usual}`);
    }
  });

  it('says by which name Debezium calls the server, whatever the URL says, and before it is connected once it was', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    const connector = isMariadb(server) ? 'mariadb' : 'mysql';
    expect(world.config.url).toMatch(/^mysql:/);
    await world.streaming();
    expect(world.source.describe().connector).toBe(connector);
    await world.open();
    expect(world.source.describe().connector).toBe(connector);
  });
});
