import { describe, expect, it } from 'vitest';
import { columnFit, membersOf } from '../../../../src/destinations/mysql/fit.ts';
import type { TargetColumn } from '../../../../src/destinations/mysql/target-table.ts';
import type { Column } from '../../../../src/sdk/index.ts';
import { source, there } from './target.ts';

const decimal = (precision: number, fraction: number, more: Partial<TargetColumn> = {}) =>
  there(`decimal(${precision},${fraction})`, 'decimal', { precision, fraction, ...more });
const varchar = (length: number, indexed = false) => there(`varchar(${length})`, 'text', { length, octets: length * 4, indexed });
const TEXT = there('text', 'text', { octets: 65_535 }),
  LONGTEXT = there('longtext', 'text', { octets: 2 ** 32 - 1 }),
  SMALLINT = there('smallint', 'int'),
  INT = there('int', 'int'),
  BIGINT = there('bigint', 'int'),
  UINT = there('int unsigned', 'int'),
  UBIGINT = there('bigint unsigned', 'int'),
  DATETIME3 = there('datetime(3)', 'datetime', { fraction: 3 });

describe('a column holds', () => {
  it.each<[TargetColumn, Column, string]>([
    [INT, source('int16'), 'fits'],
    [INT, source('int64'), 'bigint'],
    [SMALLINT, source('int32'), 'int'],
    [UINT, source('int16'), 'bigint'],
    [UBIGINT, source('int64'), 'decimal(20,0)'],
    [UBIGINT, source('uint64'), 'fits'],
    [UINT, source('uint64'), 'bigint unsigned'],
    [BIGINT, source('uint64'), 'decimal(20,0)'],
    [INT, source('boolean'), 'fits'],
    [INT, source('decimal', { precision: 9, scale: 0 }), 'fits'],
    [INT, source('decimal', { precision: 12, scale: 2 }), 'decimal(12,2)'],
    [INT, source('decimal'), 'unfit'],
    [INT, source('float64'), 'double'],
    [BIGINT, source('float64'), 'unfit'],
    [decimal(10, 2), source('decimal', { precision: 8, scale: 2 }), 'fits'],
    [decimal(10, 2), source('decimal', { precision: 10, scale: 4 }), 'decimal(12,4)'],
    [decimal(65, 30), source('decimal', { precision: 40, scale: 2 }), 'unfit'],
    [decimal(10, 0, { unsigned: true }), source('int16'), 'decimal(10,0)'],
    [decimal(20, 0), source('uint64'), 'fits'],
    [there('float', 'float'), source('float32'), 'fits'],
    [there('float', 'float'), source('float64'), 'double'],
    [there('double', 'double'), source('int32'), 'fits'],
    [there('double', 'double'), source('int64'), 'unfit'],
    [varchar(40), source('string', { length: 40 }), 'fits'],
    [varchar(40), source('string', { length: 100 }), 'varchar(100)'],
    [varchar(40), source('string'), 'longtext'],
    [varchar(40, true), source('string'), 'unfit'],
    [varchar(40, true), source('string', { length: 700 }), 'varchar(700)'],
    [TEXT, source('string', { length: 16_000 }), 'fits'],
    [TEXT, source('string'), 'longtext'],
    [LONGTEXT, source('string'), 'fits'],
    [varchar(10), source('uuid'), 'varchar(36)'],
    [varchar(3), source('int32'), 'varchar(11)'],
    [varchar(3), source('enum', { values: ['ok', 'a longer one'] }), 'varchar(12)'],
    [varchar(3), source('json'), 'fits'],
    [LONGTEXT, source('bytes'), 'unfit'],
    [there('varbinary(10)', 'bytes', { length: 10, octets: 10 }), source('bytes', { length: 8 }), 'fits'],
    [there('varbinary(10)', 'bytes', { length: 10, octets: 10 }), source('bytes'), 'longblob'],
    [there('varbinary(10)', 'bytes', { length: 10, octets: 10, indexed: true }), source('bytes'), 'unfit'],
    [there("enum('a')", 'enum', { values: ['a'] }), source('enum', { values: ['a', "it's"] }), "enum('a','it''s')"],
    [there("enum('a')", 'enum', { values: ['a'] }), source('string'), 'fits'],
    [there('date', 'date'), source('date'), 'fits'],
    [there('date', 'date'), source('timestamp', { precision: 3 }), 'datetime(3)'],
    [there('date', 'date'), source('time'), 'unfit'],
    [DATETIME3, source('timestamp', { precision: 3 }), 'fits'],
    [DATETIME3, source('timestamptz'), 'datetime(6)'],
    [DATETIME3, source('timestamp', { precision: 9 }), 'unfit'],
    [there('timestamp', 'timestamp'), source('timestamp', { precision: 0 }), 'unfit'],
    [there('time', 'time'), source('time', { precision: 2 }), 'time(2)'],
    [there('bit(4)', 'bits', { length: 4 }), source('bits', { length: 4 }), 'fits'],
    [there('bit(4)', 'bits', { length: 4 }), source('bits', { length: 5 }), 'unfit'],
    [there('json', 'json'), source('xml'), 'fits'],
    [there('int', 'int', { generated: true }), source('string'), 'fits'],
    [INT, source('any'), 'fits'],
  ])('$type of $1.type: %#', (target, column, expected) => {
    const fit = columnFit(target, column);
    expect(fit.kind === 'widen' ? fit.type : fit.kind).toBe(expected);
  });
});

it('reads the members of a type as the catalog spells it', () => {
  expect(membersOf("enum('a','b,c','d''e','')")).toEqual(['a', 'b,c', "d'e", '']);
});
