// The contract suite of sources against real servers: MariaDB and MySQL. Each case has a database of its own.

import type { Row } from '../../src/sdk/index.ts';
import { type Change, describeSource, type SourceHarness } from '../../src/sdk/testing/index.ts';
import type { MysqlSourceConfig } from '../../src/sources/mysql/config.ts';
import { descriptor } from '../../src/sources/mysql/index.ts';
import { textLiteral } from '../../src/systems/mysql/names.ts';
import { createMysqlDatabase, describeOn, type MysqlDatabase, mysqlServers, type ServerName } from '../helpers/mysql.ts';
import { MYSQL_SOURCE_DEFAULTS } from '../helpers/mysql-source.ts';

const CREATE = `
  CREATE TABLE items (id int PRIMARY KEY, name varchar(200) NOT NULL, note text, v_big bigint, v_ubig bigint unsigned, v_num decimal(12,2),
    v_bytes varbinary(16), v_bin binary(4), v_ts timestamp(6) NULL, v_dt datetime(3), v_time time(1), v_year year, v_enum enum('a','b,c'), v_set set('x','y'),
    v_bit bit(10), v_double double, v_float float, v_text text CHARACTER SET latin1, v_date date);
  CREATE TABLE elsewhere (id int PRIMARY KEY)`;

const TYPED_SQL = `'ü', NULL, 9007199254740993, 18446744073709551615, 1.50, x'00ff', x'00ff', '2024-02-29 10:00:00.5', '2024-02-29 12:34:56.789', '-838:59:58.9', 2024,
  'b,c', 'x,y', b'1000000001', 0.1, 1234567.5, 'caf\u00e9', '1000-01-01'`;
const TYPED: Row = {
  name: 'ü',
  note: null,
  v_big: 9007199254740993n,
  v_ubig: 18446744073709551615n,
  v_num: '1.50',
  v_bytes: new Uint8Array([0, 255]),
  v_bin: new Uint8Array([0, 255, 0, 0]),
  v_ts: '2024-02-29T10:00:00.500000Z',
  v_dt: '2024-02-29T12:34:56.789',
  v_time: '-838:59:58.9',
  v_year: 2024,
  v_enum: 'b,c',
  v_set: 'x,y',
  v_bit: '1000000001',
  v_double: 0.1,
  v_float: 1234567.5,
  v_text: 'café',
  v_date: '1000-01-01',
};

const text = (value: string | null | undefined): string => (value == null ? 'NULL' : textLiteral(value));

async function apply(db: MysqlDatabase, change: Change): Promise<void> {
  if (change.op === 'insert')
    await db.query(`INSERT INTO items (id, name, note) VALUES (${change.id}, ${text(change.name)}, ${text(change.note)})`);
  else if (change.op === 'update')
    await db.query(`UPDATE items SET id = ${change.to ?? change.id}, name = ${text(change.name)} WHERE id = ${change.id}`);
  else if (change.op === 'delete') await db.query(`DELETE FROM items WHERE id = ${change.id}`);
  else await db.query('TRUNCATE items');
}

/** The threads that send the log to somebody: only ours run here. */
async function killDumps(db: MysqlDatabase): Promise<void> {
  const rows = await db.query('SHOW PROCESSLIST');
  for (const { Id, Command } of rows) if (/^Binlog Dump/.test(Command ?? '')) await db.query(`KILL ${Id}`).catch(() => undefined);
}

async function start(server: ServerName, more: Partial<MysqlSourceConfig>): Promise<SourceHarness> {
  const db = await createMysqlDatabase(server);
  await db.query(CREATE);
  const config: MysqlSourceConfig = { ...MYSQL_SOURCE_DEFAULTS, url: db.url, tables: ['items'], ...more };
  // Without a snapshot only what happens behind the start is seen, and the first case writes before it starts.
  const [status] = await db.query('SHOW MASTER STATUS');
  const from = { binlog_filename: status?.['File'] ?? '', binlog_position: Number(status?.['Position']) };
  const away = new URL(db.url);
  away.port = '1';
  const stranger = new URL(db.url);
  stranger.password = 'wrong';
  return {
    config: config.snapshot_mode === 'never' ? { ...config, binlog_config: from } : config,
    ops: ['insert', 'update', 'delete', 'truncate'],
    unreachable: { ...config, url: away.href },
    forbidden: { ...config, url: stranger.href },
    misconfigured: { ...config, tables: ['nothing'] },
    commit: async (changes) => {
      await db.query('START TRANSACTION');
      for (const c of changes) await apply(db, c);
      await db.query('COMMIT');
    },
    cut: () => killDumps(db),
    addColumn: async () => {
      await db.query('ALTER TABLE items ADD COLUMN extra text');
    },
    advance: async () => {
      await db.query('INSERT INTO elsewhere VALUES (1)');
    },
    loseHistory: async () => {
      await db.query('FLUSH BINARY LOGS');
      const [now] = await db.query('SHOW MASTER STATUS');
      // A file stays while somebody reads it, and for a moment after.
      for (let left = 100; left > 0; left--) {
        await db.query(`PURGE BINARY LOGS TO '${now?.['File']}'`);
        if ((await db.query('SHOW BINARY LOGS')).length === 1) return;
        await db.query('DO SLEEP(0.05)');
      }
      throw new Error('the log was not purged');
    },
    insertTyped: async (id) => {
      await db.query(`INSERT INTO items VALUES (${id}, ${TYPED_SQL})`);
    },
    typed: TYPED,
    close: async () => {
      await db[Symbol.asyncDispose]();
    },
  };
}

const NOW = 'UTC_TIMESTAMP(6)';

/** Every change of one transaction has the same watermark. */
async function startPolling(server: ServerName, type: 'integer' | 'timestamp' | 'text'): Promise<SourceHarness> {
  const db = await createMysqlDatabase(server);
  await db.query(CREATE);
  const column = {
    integer: 'bigint NOT NULL DEFAULT 0',
    timestamp: 'timestamp(6) NULL',
    text: 'varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
  };
  await db.query(`ALTER TABLE items ADD COLUMN changed ${column[type]}`);
  const config: MysqlSourceConfig = {
    ...MYSQL_SOURCE_DEFAULTS,
    url: db.url,
    tables: ['items'],
    cdc_mode: 'polling',
    watermark: { column: 'changed', type, settle: 0 },
  };
  const away = new URL(db.url);
  away.port = '1';
  const stranger = new URL(db.url);
  stranger.password = 'wrong';
  let tick = 0;
  return {
    config,
    ops: ['insert', 'update'],
    insertsLookLikeUpdates: true,
    unreachable: { ...config, url: away.href },
    forbidden: { ...config, url: stranger.href },
    misconfigured: { ...config, tables: ['nothing'] },
    commit: async (changes) => {
      const text = `${++tick}`;
      await db.query(`SET @now = ${{ integer: text, timestamp: NOW, text: textLiteral(`it's \\ ${text.padStart(9, '0')}`) }[type]}`);
      await db.query('START TRANSACTION');
      for (const c of changes) {
        await apply(db, c);
        if (c.op === 'insert' || c.op === 'update')
          await db.query(`UPDATE items SET changed = @now WHERE id = ${c.op === 'update' ? (c.to ?? c.id) : c.id}`);
      }
      await db.query('COMMIT');
    },
    addColumn: async () => {
      await db.query('ALTER TABLE items ADD COLUMN extra text');
    },
    // With one watermark: the key tells them apart.
    insertTyped: async (id) => {
      const watermark = { integer: '5', timestamp: "'2026-01-02 03:04:05'", text: "'5'" }[type];
      await db.query(`INSERT INTO items VALUES (${id}, ${TYPED_SQL}, ${watermark})`);
    },
    typed: TYPED,
    close: async () => {
      await db[Symbol.asyncDispose]();
    },
  };
}

describeOn(await mysqlServers(), 'on %s', (server) => {
  describeSource(descriptor, () => start(server, {}), 'existing rows and changes');
  describeSource(descriptor, () => start(server, { snapshot_mode: 'never' }), 'changes only');
  if (server !== 'mysql56')
    describeSource(descriptor, () => start(server, { snapshot_mode: 'never', use_gtid: false }), 'changes only, by file and place');
  for (const type of ['integer', 'timestamp', 'text'] as const)
    describeSource(descriptor, () => startPolling(server, type), `polling by a value of type ${type}`);
});
