// Kind and tables of statements.

import { describe, expect, test } from 'vitest';
import { readStatement, type Statement } from '../../../../../src/sources/mysql/binlog/statement.ts';

const t = (name: string): { database: string; table: string } => {
  const [database, table] = name.includes('.') ? (name.split('.') as [string, string]) : ['db', name];
  return { database, table };
};
type Verb = Extract<Statement, { kind: 'ddl' }>['verb'];
const ddl = (verb: Verb, tables: readonly string[], renamedTo: readonly string[] = [], temporary = false): Statement => ({
  kind: 'ddl',
  verb,
  tables: tables.map(t),
  renamedTo: renamedTo.map(t),
  temporary,
});
const replacing = (temporary: boolean): Statement => ({
  kind: 'ddl',
  verb: 'create',
  tables: [t('t')],
  renamedTo: [],
  temporary,
  replaces: true,
});
const moving = (gains: readonly string[], losses: readonly string[]): Statement => ({
  kind: 'ddl',
  verb: 'alter',
  tables: [t('t')],
  renamedTo: [],
  temporary: false,
  moved: { gains: gains.map(t), losses: losses.map(t) },
});
const change = (verb: string, table: string | null): Statement => ({ kind: 'change', verb, table: table === null ? null : t(table) });

describe('reads', () => {
  test.each<[string, Statement]>([
    ['BEGIN', { kind: 'begin' }],
    ['start transaction with consistent snapshot', { kind: 'begin' }],
    ['COMMIT', { kind: 'commit' }],
    ['ROLLBACK', { kind: 'rollback' }],
    ['rollback work to savepoint a', { kind: 'savepoint' }],
    ['SAVEPOINT `a`', { kind: 'savepoint' }],
    ["XA START X'61',X'',1", { kind: 'xa_start' }],
    ["XA END X'61',X'',1", { kind: 'xa_end' }],
    ["XA COMMIT X'61',X'',1", { kind: 'xa_commit' }],
    ["XA ROLLBACK X'61',X'',1", { kind: 'xa_rollback' }],
    ['CREATE TABLE t (a int)', ddl('create', ['t'])],
    ['create table if not exists `o`.`t` like x', ddl('create', ['o.t'])],
    ['CREATE OR REPLACE TEMPORARY TABLE t (a int)', replacing(true)],
    ['create or replace table t like u', replacing(false)],
    ['ALTER TABLE t ADD COLUMN c int', ddl('alter', ['t'])],
    ['ALTER ONLINE IGNORE TABLE if exists t DROP c', ddl('alter', ['t'])],
    ['ALTER TABLE t ADD c int, RENAME TO o.x', ddl('alter', ['t'], ['o.x'])],
    ['ALTER TABLE t RENAME x', ddl('alter', ['t'], ['x'])],
    ["ALTER TABLE t RENAME COLUMN a TO b, COMMENT 'RENAME TO z'", ddl('alter', ['t'])],
    ['ALTER TABLE t RENAME INDEX a TO b, RENAME AS x', ddl('alter', ['t'], ['x'])],
    ['DROP TABLE a, o.b, `c` CASCADE', ddl('drop', ['a', 'o.b', 'c'])],
    ['DROP TEMPORARY TABLE IF EXISTS a', ddl('drop', ['a'], [], true)],
    ['RENAME TABLE a TO b, o.c TO o.d', ddl('rename', ['a', 'o.c'], ['b', 'o.d'])],
    ['RENAME TABLES a WAIT 5 TO b', ddl('rename', ['a'], ['b'])],
    ['TRUNCATE t', ddl('truncate', ['t'])],
    ['TRUNCATE TABLE `we``ird, name`', ddl('truncate', ['we`ird, name'])],
    ['ALTER TABLE "t" ADD c int', ddl('alter', ['t'])],
    ['ALTER TABLE größe ADD c int', ddl('alter', ['größe'])],
    ['/* TABLE x */ DROP -- y\n # z\n TABLE /**/ t', ddl('drop', ['t'])],
    ['/*!40000 ALTER TABLE t DISABLE KEYS */', ddl('alter', ['t'])],
    ['/*M!100100 ALTER TABLE t ADD c int */', ddl('alter', ['t'])],
    ['DROP TABLE', ddl('drop', [])],
    ['RENAME TABLE a OVER b', ddl('rename', [])],
    ['DROP DATABASE IF EXISTS `shop`', { kind: 'drop_database', database: 'shop' }],
    ['drop schema shop', { kind: 'drop_database', database: 'shop' }],
    ['CREATE INDEX i ON t (a)', ddl('index', ['t'])],
    ['CREATE UNIQUE INDEX IF NOT EXISTS `i j` USING btree ON o.t (a)', ddl('index', ['o.t'])],
    ['DROP INDEX i ON `t`', ddl('index', ['t'])],
    ['CREATE SEQUENCE s', { kind: 'other' }],
    ['CREATE DATABASE d', { kind: 'other' }],
    ['DROP VIEW t', { kind: 'other' }],
    ['GRANT SELECT ON t TO u', { kind: 'other' }],
    ['FLUSH TABLES', { kind: 'other' }],
    ['', { kind: 'other' }],
    ['INSERT INTO t VALUES (1)', change('insert', 't')],
    ['insert low_priority ignore o.t values (1)', change('insert', 'o.t')],
    ['REPLACE t SELECT * FROM u', change('replace', 't')],
    ['UPDATE t SET a = 1', change('update', 't')],
    ['UPDATE t, u SET t.a = u.a', change('update', null)],
    ['DELETE FROM t', change('delete', 't')],
    ['DELETE t FROM t JOIN u', change('delete', null)],
    ["LOAD DATA INFILE 'x' INTO TABLE t", change('load', null)],
    [
      "SET STATEMENT binlog_format = STATEMENT, sql_mode = CONCAT('FOR', (SELECT 1 FOR UPDATE)) FOR UPDATE t SET a = 1",
      change('update', 't'),
    ],
    ['set statement max_statement_time=0 for alter table o.t add b int', ddl('alter', ['o.t'])],
    ['ALTER TABLE t EXCHANGE PARTITION p WITH TABLE o.x', moving(['t', 'o.x'], [])],
    ['alter table t convert partition p to table `x`', moving(['x'], ['t'])],
    ['ALTER TABLE t CONVERT TABLE x TO PARTITION p VALUES LESS THAN (5)', moving(['t'], [])],
    ['ALTER TABLE t IMPORT TABLESPACE', moving(['t'], [])],
    ['ALTER TABLE t DISCARD PARTITION p TABLESPACE', moving([], ['t'])],
    ['ALTER TABLE t DROP PARTITION p1, p2', moving([], ['t'])],
    ['ALTER TABLE t TRUNCATE PARTITION ALL', moving([], ['t'])],
    ['ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, ADD exchange int, DROP `partition`', ddl('alter', ['t'])],
    ['ALTER TABLE t REORGANIZE PARTITION p INTO (PARTITION q VALUES LESS THAN (9))', ddl('alter', ['t'])],
    ['SET STATEMENT a=1 FOR TRUNCATE t', ddl('truncate', ['t'])],
    ['SET STATEMENT a=1', { kind: 'other' }],
    ['SET @a = 1', { kind: 'other' }],
    ['ANALYZE FORMAT=JSON DELETE FROM t', change('delete', 't')],
    ['ANALYZE TABLE t', { kind: 'other' }],
  ])('%s', (sql, expected) => {
    expect(readStatement(sql, 'db')).toEqual(expected);
  });

  test('the beginning of a long text in no time', () => {
    expect(readStatement(`INSERT INTO t VALUES ('${'x'.repeat(5_000_000)}')`, 'db')).toEqual(change('insert', 't'));
    expect(readStatement(`ALTER TABLE t COMMENT '${"''".repeat(1_000_000)}`, 'db')).toEqual(ddl('alter', ['t']));
  });
});
