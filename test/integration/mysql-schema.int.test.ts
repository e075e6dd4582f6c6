// `schema_evolution` of the `mysql` destination on real servers: what each mode does to tables and rows.

import { expect, it } from 'vitest';
import type { MysqlConfig } from '../../src/destinations/mysql/config.ts';
import { descriptor } from '../../src/destinations/mysql/index.ts';
import type { ChangeEvent, Column, SchemaEvolution, SchemaMode, SchemaPreview, TableSchema } from '../../src/sdk/index.ts';
import { Events } from '../../src/sdk/testing/index.ts';
import { NOTHING, writeAddedColumns } from '../helpers/added-columns.ts';
import { column } from '../helpers/columns.ts';
import { failureOf } from '../helpers/failure.ts';
import { createMysqlDatabase, describeOn, type MysqlDatabase, mysqlServers } from '../helpers/mysql.ts';
import { joinMysql, mysqlConfig } from '../helpers/mysql-destination.ts';
import { failed, type Lane, openReplica, STORED } from '../helpers/postgresql-lane.ts';

const ORDERS: TableSchema = {
  id: { database: null, schema: 'shop', table: 'orders' },
  columns: [column('id', 'int32', { nullable: false }), column('amount', 'decimal', { precision: 6, scale: 2 })],
  key: ['id'],
  version: 1,
};
const changed = (columns: readonly Column[], version = 2): TableSchema => ({ ...ORDERS, version, columns });
const WITH_NOTE = changed([...ORDERS.columns, column('note', 'string')]);
const WIDER = changed([column('id', 'int64', { nullable: false }), column('amount', 'decimal', { precision: 12, scale: 2 })]);
const modes = (mode: SchemaMode): SchemaEvolution => ({ modeOf: () => mode });

const e = new Events();
const row = (table: TableSchema, after: ChangeEvent['after']): ChangeEvent => e.make({ op: 'c', table, after });
const altered = (table: TableSchema, previous: TableSchema | null = ORDERS): ChangeEvent =>
  e.make({ op: 's', table, schemaChange: { kind: 'alter', previous, ddl: null } });

/** Integers have a display width on some servers. */
const typesOf = async (db: MysqlDatabase): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await db.query('SHOW COLUMNS FROM orders')).map((r) => [
      r['Field'],
      `${(r['Type'] ?? '').replace(/^((?:big|small)?int)\(\d+\)/, '$1')}${r['Null'] === 'NO' && r['Field'] !== 'id' ? ' not null' : ''}`,
    ]),
  ) as Record<string, string>;

const join = (db: MysqlDatabase, mode: SchemaMode, config: Partial<MysqlConfig> = {}): Promise<Lane> =>
  joinMysql(db.url, config, { schemaEvolution: modes(mode) });

const servers = (await mysqlServers()).filter((s) => s !== 'mysql56');
describeOn(servers, 'schema evolution on %s', (server) => {
  it.each<[SchemaMode]>([['evolve'], ['lenient'], ['freeze'], ['discard'], ['dlq']])(
    'makes a table that is not there under %s',
    async (mode) => {
      await using db = await createMysqlDatabase(server);
      await using lane = await join(db, mode);
      expect(await lane.write([row(ORDERS, { id: 1, amount: '1.50' })])).toEqual(STORED);
      expect(await typesOf(db)).toEqual({ id: 'int', amount: 'decimal(6,2)' });
    },
  );

  it('follows under evolve: columns are added, types widened, and what the source drops stays', async () => {
    await using db = await createMysqlDatabase(server);
    await using lane = await join(db, 'evolve');
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    expect(await lane.write([altered(WITH_NOTE), row(WITH_NOTE, { id: 2, amount: '2.00', note: 'a' })])).toEqual(STORED);
    expect(await lane.write([altered(WIDER, WITH_NOTE), row(WIDER, { id: 5_000_000_000n, amount: '1234567890.12' })])).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'bigint', amount: 'decimal(12,2)', note: 'longtext' });
    expect(await db.query('SELECT * FROM orders ORDER BY id')).toEqual([
      { id: '1', amount: '1.50', note: null },
      { id: '2', amount: '2.00', note: 'a' },
      { id: '5000000000', amount: '1234567890.12', note: null },
    ]);
  });

  it('fills rows that are there with the default of a column that the source has added, and of no other', async () => {
    await using db = await createMysqlDatabase(server);
    await using lane = await join(db, 'evolve');
    await writeAddedColumns(lane);
    const rows = await db.query('SELECT id, flag, n, price, short, `long`, at, late FROM orders ORDER BY id');
    const there = {
      flag: '1',
      n: '5',
      price: '-1.25',
      short: "it's \\ new",
      long: server === 'mysql57' ? null : 'x',
      at: null,
      late: null,
    };
    expect(rows).toEqual([
      { id: '1', ...there },
      { id: '2', ...there },
      { id: '3', ...NOTHING, late: null },
      { id: '4', ...NOTHING, late: '8' },
      // Longer texts of MySQL cannot have a default.
      { id: '5', ...there, ...(server.startsWith('mysql') ? { short: null } : {}) },
    ]);
  });

  it('never narrows: rows of an older schema after those of a newer one leave the types alone', async () => {
    await using db = await createMysqlDatabase(server);
    await using lane = await join(db, 'evolve');
    await lane.write([row(WIDER, { id: 1n, amount: '1234567890.12' })]);
    expect(await lane.write([row(ORDERS, { id: 2, amount: '2.00' })])).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'bigint', amount: 'decimal(12,2)' });
  });

  it('keeps what a column has beside its type when it is widened, and lets it take NULLs once one comes', async () => {
    await using db = await createMysqlDatabase(server);
    await db.query(`CREATE TABLE orders (id int NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'NOT NULL, \`of\` ours',
      amount decimal(6,2) NOT NULL DEFAULT 7.00 COMMENT 'it''s NOT NULL', name varchar(5) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x',
      mood enum('a','b,c') NOT NULL) ENGINE=InnoDB`);
    await using lane = await join(db, 'evolve');
    const wide = changed([
      ...WIDER.columns,
      column('name', 'string', { length: 9 }),
      column('mood', 'enum', { values: ['a', 'b,c', "d'e"] }),
    ]);
    expect(await lane.write([row(wide, { id: 5_000_000_000n, amount: '12345678.00', name: 'longer', mood: "d'e" })])).toEqual(STORED);
    expect(await typesOf(db)).toEqual({
      id: 'bigint',
      amount: 'decimal(12,2) not null',
      name: 'varchar(9) not null',
      mood: "enum('a','b,c','d''e') not null",
    });
    expect(await lane.write([row(wide, { id: 2n, amount: null, name: 'b', mood: 'a' })])).toEqual(STORED);
    expect((await typesOf(db))['amount']).toBe('decimal(12,2)');
    const [shown] = await db.query('SHOW CREATE TABLE orders');
    expect(shown?.['Create Table']).toContain("AUTO_INCREMENT COMMENT 'NOT NULL, `of` ours'");
    expect(shown?.['Create Table']).toContain("COMMENT 'it''s NOT NULL'");
    expect(shown?.['Create Table']).toMatch(/`name` varchar\(9\) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x'/);
  });

  it('only adds under lenient: values that do not fit are refused, those that do are stored', async () => {
    await using db = await createMysqlDatabase(server);
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, amount decimal(6,2) NOT NULL) ENGINE=InnoDB');
    await using lane = await join(db, 'lenient');
    const wider = changed([...WIDER.columns, column('note', 'string')]);
    const events = [
      row(wider, { id: 1n, amount: '1.00', note: 'a' }),
      row(wider, { id: 2n, amount: '1234567.00', note: 'b' }),
      row(wider, { id: 3n, amount: '3.00', note: 'c' }),
    ];
    expect(failed(await lane.write(events)).map((f) => f.index)).toEqual([1]);
    expect(await lane.write(events, { skip: [1] })).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'int', amount: 'decimal(6,2) not null', note: 'longtext' });
  });

  it('stops under freeze, before anything is written, and goes on once the operator has run the statements', async () => {
    await using db = await createMysqlDatabase(server);
    await using lane = await join(db, 'freeze');
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    const both = changed([...WIDER.columns, column('note', 'string', { nativeType: 'varchar(20)' })]);
    const batch = [row(ORDERS, { id: 2, amount: '2.00' }), row(both, { id: 3n, amount: '3.00', note: 'a' })];
    const error = await failureOf(lane.write(batch));
    expect(error).toMatchObject({ code: 'DESTINATION_SCHEMA_FROZEN', retriable: false, where: 'destination "replica"' });
    expect(error.message).toContain('column "note" (varchar(20) at the source) is missing there');
    expect(await db.query('SELECT id FROM orders')).toEqual([{ id: '1' }]);
    const [, statements] = /^Run: (.*); or give shop\.orders another mode in `schema_evolution\.tables`\.$/.exec(error.fix ?? '') ?? [];
    await db.query(statements as string);
    expect(await lane.write(batch)).toEqual(STORED);
    expect(await db.query('SELECT id, note FROM orders ORDER BY id')).toEqual([
      { id: '1', note: null },
      { id: '2', note: null },
      { id: '3', note: 'a' },
    ]);
  });

  it('stops under freeze at a NULL that the target does not take', async () => {
    await using db = await createMysqlDatabase(server);
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, amount decimal(6,2) NOT NULL) ENGINE=InnoDB');
    await using lane = await join(db, 'freeze');
    expect(await failureOf(lane.write([row(ORDERS, { id: 1, amount: null })]))).toMatchObject({
      code: 'DESTINATION_SCHEMA_FROZEN',
      message: expect.stringContaining('column "amount" is NOT NULL there'),
      fix: expect.stringContaining('MODIFY COLUMN `amount` decimal(6,2) NULL'),
    });
  });

  it('leaves out and counts under discard, and refuses under dlq', async () => {
    await using db = await createMysqlDatabase(server);
    {
      await using lane = await join(db, 'discard');
      await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
      expect(await lane.write([altered(WITH_NOTE), row(WITH_NOTE, { id: 2, amount: '2.00', note: 'a' })])).toEqual({
        kind: 'stored',
        discarded: 1,
      });
    }
    await db.query('DELETE FROM cdc_run_points');
    await using lane = await join(db, 'dlq');
    const events = [row(WITH_NOTE, { id: 3, amount: '3.00', note: 'a' }), row(ORDERS, { id: 4, amount: '4.00' })];
    expect(failed(await lane.write(events))).toEqual([
      { index: 0, code: 'DESTINATION_EVENT_REJECTED', message: expect.stringContaining('no column "note"') },
    ]);
    expect(await lane.write(events, { skip: [0] })).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'int', amount: 'decimal(6,2)' });
  });

  it('gives up a change of a table that somebody holds, and comes again', async () => {
    await using db = await createMysqlDatabase(server);
    await using lane = await join(db, 'evolve');
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    const reader = await db.connect();
    await reader.query('BEGIN; SELECT * FROM orders');
    const batch = [row(WITH_NOTE, { id: 2, amount: '2.00', note: 'a' })];
    expect(await failureOf(lane.write(batch))).toMatchObject({ code: 'DESTINATION_FAILED', retriable: true });
    await reader.query('COMMIT');
    expect(await lane.write(batch)).toEqual(STORED);
  }, 20_000);

  it('shows statements with what they mean, and runs none', async () => {
    await using db = await createMysqlDatabase(server);
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, amount decimal(6,2)) ENGINE=InnoDB');
    const both = changed([...WIDER.columns, column('note', 'string')]);
    const destination = await openReplica(mysqlConfig(db.url), { schemaEvolution: modes('evolve'), descriptor });
    try {
      const found: SchemaPreview[] = [];
      for await (const one of destination.previewSchema?.('shop', [both]) ?? []) found.push(one);
      expect(found.map((f) => [f.runs, f.sql?.replace(/ CHARACTER SET.*| COLLATE.*/, '')])).toEqual([
        [true, `ALTER TABLE \`${db.name}\`.\`orders\` ADD COLUMN \`note\` longtext`],
        [true, `ALTER TABLE \`${db.name}\`.\`orders\` MODIFY COLUMN \`id\` bigint NOT NULL`],
        [true, `ALTER TABLE \`${db.name}\`.\`orders\` MODIFY COLUMN \`amount\` decimal(12,2) DEFAULT NULL`],
      ]);
    } finally {
      await destination.close();
    }
    expect(await typesOf(db)).toEqual({ id: 'int', amount: 'decimal(6,2)' });
  });
});
