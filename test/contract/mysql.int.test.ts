// The contract suite against real servers of MySQL and MariaDB, behind a proxy that can go away and lose replies: into tables that
// it makes and tables that are there, and with each way to refuse an event.

import { randomBytes } from 'node:crypto';
import type { MysqlConfig } from '../../src/destinations/mysql/config.ts';
import { descriptor } from '../../src/destinations/mysql/index.ts';
import type { Column, Row, TableSchema, Value } from '../../src/sdk/index.ts';
import { type DestinationHarness, describeDestination, item } from '../../src/sdk/testing/index.ts';
import { createMysqlDatabase, describeOn, type MysqlDatabase, mysqlServers, type ServerName } from '../helpers/mysql.ts';
import { mysqlConfig, mysqlProxy } from '../helpers/mysql-destination.ts';

/** What the server writes as text, as the column's type wants it. */
function valueIn(column: Column, text: string | null): Value {
  if (text === null) return null;
  switch (column.type) {
    case 'boolean':
      return text === '1';
    case 'int16':
    case 'int32':
    case 'float32':
    case 'float64':
      return Number(text);
    case 'int64':
    case 'uint64':
      return BigInt(text);
    case 'bytes':
      return new Uint8Array(Buffer.from(text, 'hex'));
    case 'json':
      return JSON.parse(text) as Value;
    case 'timestamp':
      return trimmed(text.replace(' ', 'T'));
    case 'timestamptz':
      return `${trimmed(text.replace(' ', 'T'))}Z`;
    case 'time':
      return trimmed(text);
    default:
      return text;
  }
}

/** The server writes all digits of a fraction. */
const trimmed = (text: string): string => text.replace(/\.0+$/, '');

async function read(db: MysqlDatabase, table: TableSchema): Promise<Row[]> {
  if ((await db.query(`SHOW TABLES LIKE '${table.id.table}'`)).length === 0) return [];
  const columns = table.columns.map((c) => (c.type === 'bytes' ? `HEX(\`${c.name}\`) AS \`${c.name}\`` : `\`${c.name}\``)).join(', ');
  const rows = await db.query(`SELECT ${columns} FROM \`${table.id.table}\``);
  return rows.map((row) => Object.fromEntries(table.columns.map((c) => [c.name, valueIn(c, row[c.name] ?? null)])));
}

interface Start {
  readonly changes?: Partial<MysqlConfig>;
  /** Statements before the destination is there. */
  readonly setUp?: string;
  readonly poison: NonNullable<DestinationHarness['poison']>;
  /** Who may not come in. */
  readonly stranger?: Partial<Pick<URL, 'username' | 'password'>>;
}

const changed = (url: string, parts: Partial<Pick<URL, 'username' | 'password' | 'pathname' | 'port'>>): string =>
  Object.assign(new URL(url), parts).href;

async function start(server: ServerName, { changes, setUp, poison, stranger = { password: 'wrong' } }: Start): Promise<DestinationHarness> {
  const db = await createMysqlDatabase(server),
    proxy = await mysqlProxy(db.url),
    url = proxy.through(db.url);
  if (setUp !== undefined) await db.query(setUp);
  // Longer than the column, where it is there already.
  const oversize: Pick<DestinationHarness, 'oversize'> =
    setUp === undefined ? {} : { oversize: (e) => e.create(item(2, randomBytes(10_000).toString('hex'))) };
  return {
    ...oversize,
    config: mysqlConfig(url, changes),
    unreachable: mysqlConfig(changed(url, { port: '1' })),
    forbidden: mysqlConfig(changed(db.url, stranger)),
    misconfigured: mysqlConfig(changed(db.url, { pathname: '/cdc_test_there_is_none' })),
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    rows: (table) => read(db, table),
    poison,
    outage: async () => {
      await proxy.close();
      return () => proxy.open();
    },
    loseReply: async () => {
      proxy.cutNextCommit = 'after';
    },
    close: async () => {
      await proxy.close();
      await db[Symbol.asyncDispose]();
    },
  };
}

const servers = (await mysqlServers()).filter((s) => s !== 'mysql56');

describeOn(servers, '%s', (server) => {
  // Few connections, and little patience.
  const pool = { min_connections: 0, max_connections: 2, connection_timeout: 2000, idle_timeout: 60_000, batch_insert_size: 5000 };
  describeDestination(
    descriptor,
    () =>
      start(server, {
        changes: { connection_pool: pool },
        // Half a character cannot be spelled: the event is found before anything is sent.
        poison: (e) => e.create(item(3, 'poi\ud800son')),
        stranger: { username: 'no_such_user' },
      }),
    'tables it makes',
  );
  // The server refuses: the event is found by trying.
  describeDestination(
    descriptor,
    () =>
      start(server, {
        setUp: `CREATE TABLE items (id int PRIMARY KEY, name varchar(300) NOT NULL UNIQUE, note text) ENGINE=InnoDB;
          CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW
            IF NEW.name = 'poison' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no poison'; END IF`,
        poison: (e) => e.create(item(3, 'poison')),
      }),
    'tables that are there',
  );
  describeDestination(
    descriptor,
    () => start(server, { changes: { conflict_resolution: 'replace' }, poison: (e) => e.create(item(3, 'a\ud800b')) }),
    'tables it makes, replace',
  );
});
