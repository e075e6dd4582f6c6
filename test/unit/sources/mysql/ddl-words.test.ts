// What statements say of columns and keys in their own words.

import { describe, expect, it } from 'vitest';
import { type ColumnWords, tableWords } from '../../../../src/sources/mysql/ddl-words.ts';

const column = (name: string, type: string | null, more: Partial<ColumnWords> = {}): ColumnWords => ({
  name,
  before: null,
  type,
  defaultSql: type === null ? undefined : null,
  comment: undefined,
  ...more,
});

const COLUMNS: readonly (readonly [sql: string, columns: readonly ColumnWords[]])[] = [
  [
    "CREATE TABLE t (id int PRIMARY KEY, b boolean DEFAULT true, v varchar(10) NOT NULL DEFAULT 'it''s', KEY i (b), d decimal (8, 3) unsigned)",
    [
      column('id', 'int'),
      column('b', 'boolean', { defaultSql: 'true' }),
      column('v', 'varchar(10)', { defaultSql: "'it''s'" }),
      column('d', 'decimal(8,3) unsigned'),
    ],
  ],
  [
    'CREATE TABLE IF NOT EXISTS `a``b`.`t` (`o``dd` int -- id\n, /* no */ n int DEFAULT -1)',
    [column('o`dd', 'int'), column('n', 'int', { defaultSql: '-1' })],
  ],
  ['CREATE TABLE t LIKE u', []],
  ["SET STATEMENT a = IF(1, 'FOR', 2) FOR ALTER TABLE t ADD a int DEFAULT 1", [column('a', 'int', { defaultSql: '1' })]],
  ['CREATE TABLE t AS SELECT (a) FROM u', []],
  [
    "ALTER TABLE o.`t` ADD COLUMN a int DEFAULT (1 + 2) FIRST, ADD b json COMMENT 'it''s'",
    [column('a', 'int', { defaultSql: '(1 + 2)' }), column('b', 'json', { comment: "it's" })],
  ],
  ['ALTER TABLE `o`.`t` ADD (a int, b int DEFAULT 1)', [column('a', 'int'), column('b', 'int', { defaultSql: '1' })]],
  [
    'ALTER TABLE t CHANGE COLUMN a b datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)',
    [column('b', 'datetime(6)', { before: 'a', defaultSql: 'CURRENT_TIMESTAMP(6)' })],
  ],
  [
    'ALTER TABLE t MODIFY IF EXISTS a float DEFAULT 1e-10, RENAME COLUMN b TO c',
    [column('a', 'float', { defaultSql: '1e-10' }), column('c', null, { before: 'b' })],
  ],
  [
    "ALTER TABLE t ALTER a SET DEFAULT 'x', ALTER COLUMN b DROP DEFAULT",
    [column('a', null, { defaultSql: "'x'" }), column('b', null, { defaultSql: null })],
  ],
  ['ALTER TABLE t ADD COLUMN IF NOT EXISTS a int NULL DEFAULT NULL, DROP COLUMN b, ADD INDEX (a), ENGINE = InnoDB', [column('a', 'int')]],
];

describe('columns', () => {
  it.each(COLUMNS)('%s', (sql, columns) => expect(tableWords(sql)?.columns).toEqual(columns));
});

describe('keys', () => {
  it.each([
    ['CREATE TABLE t (a int UNIQUE, b int, UNIQUE KEY u (b, a), CONSTRAINT c UNIQUE (`b`(5)))', [['a'], ['b', 'a'], ['b']]],
    ['CREATE UNIQUE INDEX u ON t (a)', [['a']]],
    ['CREATE INDEX u ON t (a)', []],
    ['ALTER TABLE t ADD UNIQUE (a), ADD CONSTRAINT UNIQUE KEY (b)', [['a'], ['b']]],
  ])('%s', (sql, keys) => expect(tableWords(sql)?.uniqueKeys).toEqual(keys));

  it.each([
    ['ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a)', true, false],
    ['ALTER TABLE t DROP INDEX u', false, true],
    ['DROP INDEX u ON t', false, true],
    ['CREATE TABLE t LIKE u', false, true],
  ])('%s', (sql, dropsPrimaryKey, dropsIndex) => expect(tableWords(sql)).toMatchObject({ dropsPrimaryKey, dropsIndex }));

  it.each(['RENAME TABLE a TO b', 'DROP TABLE t', 'FLUSH TABLES', ''])('nothing in %s', (sql) => expect(tableWords(sql)).toBeNull());
});
