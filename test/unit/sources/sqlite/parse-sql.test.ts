// Expressions out of CREATE texts.

import { describe, expect, it } from 'vitest';
import { parseGenerated, parseIndexSql } from '../../../../src/sources/sqlite/parse-sql.ts';

describe('an index', () => {
  it.each<[string, string[], string | null]>([
    ['CREATE UNIQUE INDEX i ON t(a)', ['a'], null],
    ['create unique index if not exists "i (x)" on "t(a, b)" ( a desc , "b c" COLLATE nocase ASC )', ['a', '"b c"'], null],
    ["CREATE UNIQUE INDEX i ON t(lower(a || ')'), (b + 1) * 2 COLLATE BINARY DESC)", ["lower(a || ')')", '(b + 1) * 2'], null],
    ["CREATE UNIQUE INDEX i ON t(a /* ) */, b) -- where\n WHERE c = 'it''s' AND d IN (1, 2)", ['a', 'b'], "c = 'it''s' AND d IN (1, 2)"],
    ['CREATE UNIQUE INDEX [i] ON [t (x)](`a``)`)where[b]>0', ['`a``)`'], '[b]>0'],
  ])('%s', (sql, terms, where) => {
    expect(parseIndexSql(sql)).toEqual({ terms, where });
  });
});

describe('a table', () => {
  it.each<[string, [string, string][]]>([
    ['CREATE TABLE t (a, b)', []],
    [
      'CREATE TABLE t (a INTEGER PRIMARY KEY, "B b" TEXT GENERATED ALWAYS AS (a || \'x\') STORED, c AS (coalesce(a, (1)))) STRICT',
      [
        ['b b', "(a || 'x')"],
        ['c', '(coalesce(a, (1)))'],
      ],
    ],
    ['CREATE TABLE t (a DEFAULT (1), [as] TEXT, `c` AS(a) UNIQUE, CHECK (a > 0), FOREIGN KEY (a) REFERENCES u(x))', [['c', '(a)']]],
  ])('%s', (sql, generated) => {
    expect([...parseGenerated(sql)]).toEqual(generated);
  });
});
