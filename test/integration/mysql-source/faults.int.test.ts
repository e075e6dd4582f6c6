// What can go wrong between a server and us, on real servers: connections, other readers, sessions that log what nobody can follow.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CdcError, type ChangeEvent } from '../../../src/sdk/index.ts';
import { positionsAfter, type Reader } from '../../../src/sdk/testing/reading.ts';
import { describeOn, isMariadb, mysqlServers, type ServerName } from '../../helpers/mysql.ts';
import { PostgresProxy } from '../../helpers/postgres-proxy.ts';
import { SourceWorld } from './source-world.ts';

const CREATE = 'CREATE TABLE items (id int PRIMARY KEY, a int, b int); CREATE TABLE other (id int PRIMARY KEY, v varchar(20))';
const servers = await mysqlServers();
const seen = (e: ChangeEvent): unknown[] => [e.op, e.table.id.table, e.op === 's' ? e.schemaChange?.kind : (e.after ?? e.before)];
const has = (id: number) => (events: readonly ChangeEvent[]) => events.some((e) => e.after?.['id'] === id);

const ROWS_OF_A_MEGABYTE = 80;

/** Passes bytes on no faster than they are taken, and counts those of the server. */
class Relay implements AsyncDisposable {
  bytes = 0;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  private constructor({ hostname, port }: URL) {
    this.#server = createServer((client) => {
      const server = connect(Number(port), hostname);
      this.#sockets.push(client, server);
      for (const socket of [client, server]) socket.on('error', () => undefined);
      server.on('data', (chunk: Buffer) => {
        this.bytes += chunk.length;
      });
      client.pipe(server).pipe(client);
    });
  }

  static async start(url: string): Promise<Relay> {
    const relay = new Relay(new URL(url));
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  through(url: string): string {
    const via = new URL(url);
    via.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return via.href;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function failureOf(reader: Reader): Promise<unknown> {
  try {
    for (;;) if ((await reader.next('a failure')) === null) return null;
  } catch (error) {
    return error;
  }
}

describeOn(servers, 'on %s', (server: ServerName) => {
  it('notices a connection that stands and says nothing, and goes on behind it', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    await using proxy = await PostgresProxy.start(world.db.url);
    const reader = await world.open({}, { url: proxy.through(world.db.url), heartbeat_interval: 200 });
    await world.take(reader, (_, progress) => progress.length > 0 && progress.every((p) => p.state === 'done'), 'the start');
    proxy.isFrozen = true;
    await world.db.query('INSERT INTO items VALUES (1, 1, 1)');
    const failure = await failureOf(reader);
    expect(failure).toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    proxy.isFrozen = false;
    await world.take(await world.open(), has(1), 'row 1');
    expect(world.events.map(seen)).toEqual([['c', 'items', { id: 1, a: 1, b: 1 }]]);
  });

  it('lets the server wait while nobody takes what it sends, and has all of it in the end', async () => {
    await using world = await SourceWorld.create(server, 'CREATE TABLE items (id int PRIMARY KEY, a longtext)');
    await world.streaming();
    await world.stop();
    for (let id = 1; id <= ROWS_OF_A_MEGABYTE; id++) await world.db.query(`INSERT INTO items VALUES (${id}, REPEAT('x', 1000000))`);
    await using relay = await Relay.start(world.db.url);
    const reader = await world.open({}, { url: relay.through(world.db.url) });
    await world.take(reader, has(1), 'row 1');
    for (let before = -1; before !== relay.bytes; await sleep(500)) before = relay.bytes;
    // 8 MiB, and what the kernel keeps for the four sockets in between.
    expect(relay.bytes).toBeLessThan((ROWS_OF_A_MEGABYTE * 1_000_000) / 2);
    await world.take(reader, has(ROWS_OF_A_MEGABYTE), 'the last row');
    expect(world.events.map((e) => e.after?.['id'])).toEqual(Array.from({ length: ROWS_OF_A_MEGABYTE }, (_, i) => i + 1));
  });

  it('stops at bytes that were changed on their way', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    await using proxy = await PostgresProxy.start(world.db.url);
    const reader = await world.open({}, { url: proxy.through(world.db.url) });
    await world.take(reader, (_, progress) => progress.length > 0 && progress.every((p) => p.state === 'done'), 'the start');
    proxy.tamper = (bytes) => {
      const at = bytes.indexOf('a tell-tale');
      if (at >= 0) bytes[at] = 0x41;
    };
    await world.db.query("INSERT INTO other VALUES (1, 'a tell-tale')");
    expect(await failureOf(reader)).toMatchObject({ code: 'SOURCE_DATA_INVALID', retriable: false });
  });

  it('keeps rows as they were written, whatever a DDL behind them did', async () => {
    await using world = await SourceWorld.create(server, CREATE, { tables: ['items'] });
    await world.streaming();
    await world.stop();
    await world.db.query('INSERT INTO items VALUES (1, 10, 20)');
    await world.db.query('ALTER TABLE items DROP COLUMN a, ADD COLUMN z int');
    await world.db.query('INSERT INTO items VALUES (2, 30, 40)');
    await world.take(await world.open(), has(2), 'row 2');
    expect(world.events.map(seen)).toEqual([
      ['c', 'items', { id: 1, a: 10, b: 20 }],
      ['s', 'items', 'alter'],
      ['c', 'items', { id: 2, b: 30, z: 40 }],
    ]);
    const change = world.events[1]?.schemaChange;
    expect(change?.previous?.columns.map((c) => c.name)).toEqual(['id', 'a', 'b']);
    expect(change?.ddl).toMatch(/DROP COLUMN a/);
  });

  it('never gives wrong names where the log does not say them', async () => {
    await using world = await SourceWorld.create(server, CREATE, { tables: ['items'] });
    const writer = await minimalWriter(world);
    await world.streaming();
    await world.stop();
    await writer('INSERT INTO items VALUES (1, 10, 20)');
    await writer('ALTER TABLE items DROP COLUMN a, ADD COLUMN z int');
    await writer('INSERT INTO items VALUES (2, 30, 40)');
    await world.take(await world.open(), has(2), 'row 2');
    expect(world.events.filter((e) => e.op === 'c').map(seen)).toEqual([
      ['c', 'items', { id: 1, a: 10, b: 20 }],
      ['c', 'items', { id: 2, b: 30, z: 40 }],
    ]);
    await world.stop();
    // Two changes: what the table was between them nobody says any more.
    await writer('ALTER TABLE items DROP COLUMN b, ADD COLUMN y int');
    await writer('INSERT INTO items VALUES (3, 50, 60)');
    await writer('ALTER TABLE items DROP COLUMN z, ADD COLUMN x int');
    const reader = await world.open();
    await reader.until((r) => r.rejected.length > 0, 'a refusal');
    expect(reader.reading.rejected[0]?.error).toMatchObject({
      code: 'SOURCE_DATA_INVALID',
      message: expect.stringMatching(/is stopped, the others go on: .*does not say the columns of .*\.items.* changed since/) as string,
    });
  });

  it('follows a table that is dropped and made again with other columns', async () => {
    await using world = await SourceWorld.create(server, CREATE, { tables: ['items'] });
    const reader = await world.streaming();
    await world.db.query('INSERT INTO items VALUES (1, 1, 1)');
    await world.db.query('DROP TABLE items');
    await world.db.query('CREATE TABLE items (id int PRIMARY KEY, name text)');
    await world.db.query("INSERT INTO items VALUES (2, 'two')");
    await world.take(reader, has(2), 'row 2');
    expect(world.events.map(seen)).toEqual([
      ['c', 'items', { id: 1, a: 1, b: 1 }],
      ['s', 'items', 'drop'],
      ['s', 'items', 'alter'],
      ['c', 'items', { id: 2, name: 'two' }],
    ]);
  });

  it('follows a table that is swapped for a copy of it, as tools for online changes do', async () => {
    await using world = await SourceWorld.create(server, CREATE, { tables: ['items'] });
    const reader = await world.streaming();
    await world.db.query('CREATE TABLE _items_gho (id int PRIMARY KEY, a bigint, b int, c int)');
    await world.db.query('INSERT INTO _items_gho VALUES (1, 1, 1, 1)');
    await world.db.query('RENAME TABLE items TO _items_del, _items_gho TO items');
    await world.db.query('INSERT INTO items VALUES (2, 9007199254740993, 2, 2)');
    await world.take(reader, has(2), 'row 2');
    expect(world.events.filter((e) => e.op === 'c').map(seen)).toEqual([['c', 'items', { id: 2, a: 9007199254740993n, b: 2, c: 2 }]]);
  });

  it('reads a table again whose rows have got what a default computed, and not for a literal', async () => {
    await using world = await SourceWorld.create(server, `${CREATE}; INSERT INTO items VALUES (1, 1, 1), (2, 2, 2)`);
    const reader = await world.streaming();
    await world.db.query("ALTER TABLE items ADD plain int DEFAULT 5, ADD bits bit(1) DEFAULT b'0', ADD nothing int");
    await world.db.query('INSERT INTO items (id) VALUES (3)');
    await world.take(reader, has(3), 'row 3');
    await world.db.query('ALTER TABLE items ADD made_at datetime DEFAULT CURRENT_TIMESTAMP; INSERT INTO items (id) VALUES (4)');
    const events = await world.take(reader, (all) => all.filter((e) => e.op === 'r').length >= 6, 'the rows again');
    expect(events.map((e) => e.op)).toEqual(['r', 'r', 's', 'c', 's', 'c', 'r', 'r', 'r', 'r']);
    expect(events.slice(6).every((e) => /^20\d\d-/.test(String(e.after?.['made_at'])))).toBe(true);
  });

  it('stops a table whose changes were logged as statements, goes on with the rest, and follows it again once it is read anew', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    const name = `${world.db.name}.items`,
      reader = await world.streaming(),
      other = await world.db.connect();
    await world.db.query('INSERT INTO items VALUES (1, 1, 1), (2, 2, 2)');
    await other.query("SET SESSION binlog_format = 'STATEMENT'");
    await other.query('DELETE FROM items WHERE id = 1');
    await world.db.query("INSERT INTO items VALUES (3, 3, 3); INSERT INTO other VALUES (1, 'one')");
    await world.take(reader, (events) => events.some((e) => e.table.id.table === 'other'), 'the row of the other table');
    expect(world.events.map(seen)).toEqual([
      ['c', 'items', { id: 1, a: 1, b: 1 }],
      ['c', 'items', { id: 2, a: 2, b: 2 }],
      ['c', 'other', { id: 1, v: 'one' }],
    ]);
    expect(reader.reading.rejected.map((r) => r.error)).toEqual([
      expect.objectContaining({
        code: 'SOURCE_DATA_INVALID',
        message: expect.stringMatching(/\.items is stopped.* as a statement/) as string,
      }),
    ]);
    const stopped = { table: name, state: 'stopped', error: expect.stringMatching(/^stopped at .* as a statement/) as string };
    expect(world.source.snapshots?.()).toContainEqual(expect.objectContaining(stopped));
    // It stays so behind a restart, and some of its rows are not enough to follow it again.
    const again = await world.open();
    await world.db.query("INSERT INTO other VALUES (2, 'two')");
    await world.take(again, (events) => events.some((e) => e.after?.['v'] === 'two'), 'another row of the other table');
    expect(world.source.snapshots?.()).toContainEqual(expect.objectContaining(stopped));
    const ask = { id: 'one', action: 'begin', tables: [name] } as const;
    await expect(world.source.snapshot?.({ ...ask, where: 'id > 1' })).rejects.toMatchObject({ code: 'SOURCE_SNAPSHOT_REFUSED' });
    await world.source.snapshot?.({ ...ask, where: null });
    const known = world.events.length;
    await world.take(again, (events) => events.filter((e) => e.op === 'r').length >= 2, 'the rows once more');
    await world.db.query('INSERT INTO items VALUES (4, 4, 4)');
    await world.take(again, has(4), 'row 4');
    expect(world.events.slice(known).map(seen)).toEqual([
      ['t', 'items', null],
      ['r', 'items', { id: 2, a: 2, b: 2 }],
      ['r', 'items', { id: 3, a: 3, b: 3 }],
      ['c', 'items', { id: 4, a: 4, b: 4 }],
    ]);
    expect(world.source.snapshots?.().find((t) => t.table === name)?.state).toBeNull();
  });

  it('stops a table into which rows came that are not in the log, and goes on where rows went with a partition', async () => {
    const parts = 'PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200))';
    await using world = await SourceWorld.create(server, `${CREATE}; CREATE TABLE parted (id int PRIMARY KEY, a int) ${parts}`);
    const reader = await world.streaming();
    await world.db.query('INSERT INTO parted VALUES (1, 1), (150, 1); ALTER TABLE parted DROP PARTITION p1');
    await world.db.query('CREATE TABLE loose (id int PRIMARY KEY, a int); INSERT INTO loose VALUES (7, 7)');
    await world.db.query('INSERT INTO parted VALUES (2, 2); ALTER TABLE parted EXCHANGE PARTITION p0 WITH TABLE loose');
    await world.db.query("INSERT INTO parted VALUES (3, 3); INSERT INTO other VALUES (1, 'one')");
    await world.take(reader, (events) => events.some((e) => e.table.id.table === 'other'), 'the row of the other table');
    const ofParted = world.events.filter((e) => e.table.id.table === 'parted' && e.op !== 's');
    expect(ofParted.map((e) => e.after?.['id'])).toEqual([1, 150, 2]);
    expect(reader.reading.rejected.map((r) => r.error.message).filter((m) => m.includes('.parted is stopped'))).toEqual([
      expect.stringMatching(/Rows came into it that are not in the log: ALTER TABLE parted EXCHANGE PARTITION/),
    ]);
  });

  it('marks rows of which the log has only some columns', async () => {
    await using world = await SourceWorld.create(server, CREATE, { binlog_row_image: 'MINIMAL' });
    const reader = await world.streaming(),
      other = await world.db.connect();
    await world.db.query('INSERT INTO items VALUES (1, 1, 1)');
    await other.query("SET SESSION binlog_row_image = 'MINIMAL'");
    await other.query('UPDATE items SET a = 5 WHERE id = 1');
    await other.query('DELETE FROM items WHERE id = 1');
    const events = await world.take(reader, (all) => all.some((e) => e.op === 'd'), 'the delete');
    expect(events.map((e) => [e.op, e.before, e.after, e.incomplete])).toEqual([
      ['c', null, { id: 1, a: 1, b: 1 }, false],
      ['u', { id: 1 }, { id: 1, a: 5 }, true],
      ['d', { id: 1 }, null, false],
    ]);
  });

  it('reads a row of more than 16 MiB', async () => {
    // InnoDB of 5.6 takes no value that is larger than a tenth of its log.
    const engine = server === 'mysql56' ? 'MyISAM' : 'InnoDB';
    await using world = await SourceWorld.create(server, `CREATE TABLE items (id int PRIMARY KEY, doc longtext) ENGINE=${engine}`);
    const [usual] = await world.db.query('SELECT @@GLOBAL.max_allowed_packet AS n');
    await world.db.query('SET GLOBAL max_allowed_packet = 1073741824');
    try {
      const reader = await world.streaming(),
        other = await world.db.connect();
      await other.query("INSERT INTO items VALUES (1, CONCAT(REPEAT('x', 20000000), 'end'))");
      await world.take(reader, has(1), 'row 1');
      const doc = world.events[0]?.after?.['doc'] as string;
      expect([doc.length, doc.slice(-4)]).toEqual([20_000_003, 'xend']);
    } finally {
      // Tests of other files go by what it is.
      await world.db.query(`SET GLOBAL max_allowed_packet = ${usual?.['n']}`);
    }
    // MariaDB does not find the end of such a file by itself any more.
    await using later = await SourceWorld.create(server, CREATE);
    const begun = await later.streaming();
    await later.db.query('INSERT INTO items VALUES (1, 1, 1)');
    await later.take(begun, has(1), 'row 1');
    expect(later.events.map(seen)).toEqual([['c', 'items', { id: 1, a: 1, b: 1 }]]);
    // Nor need the tests that come.
    await later.db.query('FLUSH LOGS');
  });

  it('sends what XA transactions changed once they are committed, and nothing of those that are rolled back', async () => {
    await using world = await SourceWorld.create(server, CREATE, { tables: ['items'] });
    await world.streaming();
    const xa = `'${world.db.name}'`;
    const prepared = async (branch: string, sql: string): Promise<void> => {
      const session = await world.db.connect();
      await session.query(`XA START ${xa}, '${branch}'; ${sql}; XA END ${xa}, '${branch}'; XA PREPARE ${xa}, '${branch}'`);
      // MySQL holds a transaction for its session until that has gone.
      session.destroy();
    };
    const decided = async (how: 'COMMIT' | 'ROLLBACK', branch: string): Promise<void> => {
      for (let tries = 0; ; tries++) {
        try {
          await world.db.query(`XA ${how} ${xa}, '${branch}'`);
          return;
        } catch (error) {
          if (tries > 100) throw error;
          await world.db.query('DO SLEEP(0.02)');
        }
      }
    };
    await prepared('one', 'INSERT INTO items VALUES (1, 1, 1), (2, 2, 2); INSERT INTO other VALUES (1, 1)');
    await prepared('two', 'INSERT INTO items VALUES (3, 3, 3)');
    await world.db.query('INSERT INTO items VALUES (4, 4, 4)');
    await world.take(await world.open(), has(4), 'row 4');
    // A session that has never seen the rows goes on here.
    await decided('ROLLBACK', 'two');
    await decided('COMMIT', 'one');
    await world.db.query(
      `XA START ${xa}, 'three'; INSERT INTO items VALUES (5, 5, 5); XA END ${xa}, 'three'; XA COMMIT ${xa}, 'three' ONE PHASE`,
    );
    await world.db.query('INSERT INTO items VALUES (6, 6, 6)');
    for (const id of [2, 1, 5, 6]) await world.take(await world.open({ maxBatchEvents: 1 }), has(id), `row ${id}`);
    expect(world.events.map((e) => e.after?.['id'])).toEqual([4, 1, 2, 5, 6]);
    expect(new Set(world.events.map((e) => e.position)).size).toBe(5);
    await world.source.acknowledge(positionsAfter(world.batches));
    expect(Buffer.from((await world.store.get('prepared')) ?? []).toString()).toBe('{}');
  });

  it('comes to a clear end with another reader that has its number', async () => {
    await using world = await SourceWorld.create(server, CREATE, { server_id: 987_654 });
    await using rival = await SourceWorld.create(server, CREATE, { server_id: 987_654 });
    for (const w of [world, rival]) await w.take(await w.open(), () => w.batches.length > 0, 'the start');
    const both = Promise.race([fight(world), fight(rival)]);
    // MySQL tells replicas apart by their UUIDs, which are ours alone: both may read.
    if (!isMariadb(server)) await world.db.query('INSERT INTO items VALUES (1, 1, 1)');
    expect(await both).toMatchObject(!isMariadb(server) ? [{ id: 1 }] : { code: 'SOURCE_IN_USE', retriable: true });
  });
});

/** A session whose changes are logged without names: those of an old server always are. */
async function minimalWriter(world: SourceWorld): Promise<(sql: string) => Promise<void>> {
  if ((await world.db.query("SHOW GLOBAL VARIABLES LIKE 'binlog_row_metadata'")).length === 0)
    return async (sql) => {
      await (await world.db.connect()).query(sql);
    };
  return async (sql) => {
    await world.db.query('SET GLOBAL binlog_row_metadata = MINIMAL');
    try {
      await (await world.db.connect()).query(sql);
    } finally {
      await world.db.query('SET GLOBAL binlog_row_metadata = FULL');
    }
  };
}

// MySQL with GTIDs refuses such transactions.
describe.each(servers.filter((s) => isMariadb(s)))(
  'on %s, where tables without transactions may be written in one',
  (server: ServerName) => {
    it('says where rows were rolled back that the log does not tell from those that were not', async () => {
      await using world = await SourceWorld.create(
        server,
        `${CREATE}; CREATE TABLE notes (id int AUTO_INCREMENT PRIMARY KEY, item int) ENGINE = MyISAM;
       CREATE TRIGGER note AFTER INSERT ON items FOR EACH ROW INSERT INTO notes (item) VALUES (NEW.id)`,
        { tables: ['items', 'notes'] },
      );
      const reader = await world.streaming();
      await world.db.query('START TRANSACTION; INSERT INTO items VALUES (1, 1, 1); ROLLBACK');
      await world.db.query(
        'START TRANSACTION; INSERT INTO items VALUES (2, 2, 2); SAVEPOINT s; INSERT INTO items VALUES (3, 3, 3); ROLLBACK TO s; COMMIT',
      );
      await world.db.query('INSERT INTO items VALUES (9, 9, 9)');
      await world.take(reader, (all) => all.some((e) => e.after?.['item'] === 9) && has(9)(all), 'row 9');
      const rows = (table: string, column: string): unknown[] =>
        world.events.filter((e) => e.table.id.table === table).map((e) => e.after?.[column]);
      expect(rows('items', 'id')).toEqual([2, 3, 9]);
      expect(rows('notes', 'item')).toEqual([1, 2, 3, 9]);
      expect(reader.reading.rejected.map((r) => r.error.message)).toEqual([expect.stringMatching(/^a ROLLBACK: It took back/)]);
    });
  },
);

/** Reads again behind each loss, as the engine does, until the error says why or a row comes. */
async function fight(world: SourceWorld): Promise<unknown> {
  for (let tries = 0; tries < 8; tries++) {
    const reader = await world.reopen();
    try {
      const { events } = await reader.until((r) => r.events.length > 0, 'a row or a failure');
      return events.map((e) => e.after);
    } catch (error) {
      if (!(error instanceof CdcError) || error.code === 'SOURCE_IN_USE') return error;
    }
  }
  return null;
}

describe.each(servers.filter((s) => s === 'mysql'))('on %s', (server) => {
  it('streams and reads rows over TLS', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    await world.db.query('INSERT INTO items VALUES (1, 1, 1)');
    Object.assign(world.config, { ssl_mode: 'require' });
    const reader = await world.streaming();
    await world.db.query('INSERT INTO items VALUES (2, 2, 2)');
    await world.take(reader, has(2), 'row 2');
    expect(world.events.map((e) => [e.op, e.after?.['id']])).toEqual([
      ['r', 1],
      ['c', 2],
    ]);
    const connections = await world.db.query(
      "SELECT t.CONNECTION_TYPE AS type FROM performance_schema.threads AS t WHERE t.PROCESSLIST_COMMAND LIKE 'Binlog Dump%'",
    );
    expect(connections.map((c) => c['type'])).toContain('SSL/TLS');
  });
});
