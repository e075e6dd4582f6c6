import { describe, expect, it } from 'vitest';
import { columnFit, isRewrite } from '../../../../src/destinations/postgresql/fit.ts';
import type { TargetColumn } from '../../../../src/destinations/postgresql/target-table.ts';
import type { Column } from '../../../../src/sdk/index.ts';

const there = (type: string, kind: TargetColumn['kind'], more: Partial<TargetColumn> = {}): TargetColumn => ({
  name: 'c',
  type,
  kind,
  bulk: true,
  length: null,
  precision: null,
  fraction: null,
  domain: false,
  caseless: false,
  padded: false,
  element: null,
  generated: false,
  identity: 'none',
  ...more,
});
const source = (type: Column['type'], more: Partial<Column> = {}): Column => ({
  name: 'c',
  type,
  nativeType: type,
  nullable: true,
  ...more,
});

const SMALLINT = there('smallint', 'int'),
  INTEGER = there('integer', 'int'),
  BIGINT = there('bigint', 'int'),
  TEXT = there('text', 'text'),
  DOUBLE = there('double precision', 'float8'),
  REAL = there('real', 'float4'),
  UUID = there('uuid', 'uuid'),
  DATE = there('date', 'date'),
  NUMERIC = there('numeric', 'numeric');
const numeric = (precision: number, fraction: number) => there('numeric', 'numeric', { precision, fraction });
const varchar = (length: number) => there('character varying', 'text', { length });
const timestamp = (fraction: number | null) => there('timestamp without time zone', 'timestamp', { fraction });
const bits = (length: number | null) => there('bit varying', 'bits', { length });
const array = (element: TargetColumn) => there(`${element.type}[]`, 'array', { element });
const decimal = (precision: number, scale: number) => source('decimal', { precision, scale });

describe('a target column', () => {
  it.each<[string, TargetColumn, Column, string]>([
    ['integer ← int16', INTEGER, source('int16'), 'fits'],
    ['integer ← int64', INTEGER, source('int64'), 'bigint'],
    ['smallint ← int32', SMALLINT, source('int32'), 'integer'],
    ['bigint ← uint64', BIGINT, source('uint64'), 'numeric(20,0)'],
    ['integer ← numeric(9,0)', INTEGER, decimal(9, 0), 'fits'],
    ['integer ← numeric(10,0)', INTEGER, decimal(10, 0), 'numeric(10,0)'],
    ['integer ← numeric(6,2)', INTEGER, decimal(6, 2), 'numeric(12,2)'],
    ['integer ← numeric', INTEGER, source('decimal'), 'numeric'],
    ['integer ← float64', INTEGER, source('float64'), 'double precision'],
    ['bigint ← float64', BIGINT, source('float64'), 'unfit'],
    ['integer ← string', INTEGER, source('string'), 'unfit'],
    ['numeric(10,2) ← numeric(12,2)', numeric(10, 2), decimal(12, 2), 'numeric(12,2)'],
    ['numeric(10,2) ← numeric(10,4)', numeric(10, 2), decimal(10, 4), 'numeric(12,4)'],
    ['numeric(10,2) ← numeric(8,1)', numeric(10, 2), decimal(8, 1), 'fits'],
    ['numeric(10,2) ← int32', numeric(10, 2), source('int32'), 'numeric(12,2)'],
    ['numeric(10,2) ← numeric', numeric(10, 2), source('decimal'), 'numeric'],
    ['numeric(10,2) ← float64', numeric(10, 2), source('float64'), 'numeric'],
    ['numeric(999,2) ← numeric(1000,900)', numeric(999, 2), decimal(1000, 900), 'numeric'],
    ['numeric(4,2) ← numeric(2,-3)', numeric(4, 2), decimal(2, -3), 'numeric(7,2)'],
    ['numeric ← numeric(30,10)', NUMERIC, decimal(30, 10), 'fits'],
    ['numeric ← string', NUMERIC, source('string'), 'unfit'],
    ['real ← float64', REAL, source('float64'), 'double precision'],
    ['real ← int32', REAL, source('int32'), 'double precision'],
    ['double precision ← int64', DOUBLE, source('int64'), 'unfit'],
    ['double precision ← numeric(5,2)', DOUBLE, decimal(5, 2), 'unfit'],
    ['text ← anything but bytes', TEXT, source('json'), 'fits'],
    ['text ← bytes', TEXT, source('bytes'), 'unfit'],
    ['varchar(10) ← varchar(10)', varchar(10), source('string', { length: 10 }), 'fits'],
    ['varchar(10) ← varchar(20)', varchar(10), source('string', { length: 20 }), 'character varying(20)'],
    ['varchar(10) ← text', varchar(10), source('string'), 'text'],
    ['varchar(10) ← uuid', varchar(10), source('uuid'), 'character varying(36)'],
    ['varchar(3) ← a longer enum', varchar(3), source('enum', { values: ['new', 'shipped'] }), 'character varying(7)'],
    ['varchar(30) ← a timestamp: who can tell', varchar(30), source('timestamp'), 'fits'],
    ['char(3) ← varchar(4)', there('character', 'text', { length: 3, padded: true }), source('string', { length: 4 }), 'unfit'],
    ['date ← timestamp(3)', DATE, source('timestamp', { precision: 3 }), 'timestamp(3)'],
    ['timestamp ← date', timestamp(null), source('date'), 'fits'],
    ['timestamp(3) ← timestamp(6)', timestamp(3), source('timestamp', { precision: 6 }), 'timestamp(6)'],
    ['timestamp(3) ← timestamp', timestamp(3), source('timestamp'), 'timestamp'],
    ['timestamp ← nanoseconds', timestamp(null), source('timestamp', { precision: 9 }), 'unfit'],
    ['timestamp ← timestamptz', timestamp(null), source('timestamptz'), 'unfit'],
    ['uuid ← string', UUID, source('string'), 'unfit'],
    ['bit varying(4) ← bits(8)', bits(4), source('bits', { length: 8 }), 'bit varying(8)'],
    ['bit varying ← bits(8)', bits(null), source('bits', { length: 8 }), 'fits'],
    ['integer[] ← array of int64', array(INTEGER), source('array', { element: 'int64' }), 'bigint[]'],
    ['integer[] ← array of text', array(INTEGER), source('array', { element: 'string' }), 'unfit'],
    ['integer[] ← text: it may be a literal', array(INTEGER), source('string'), 'fits'],
    ['a domain ← anything', there('positive', 'int', { domain: true }), source('int64'), 'fits'],
    ['an enum of its own ← string', there('mood', 'other'), source('string'), 'fits'],
    ['integer ← any', INTEGER, source('any'), 'fits'],
    ['jsonb ← array', there('jsonb', 'jsonb'), source('array'), 'fits'],
    ['bytea ← string', there('bytea', 'bytea'), source('string'), 'unfit'],
    ['boolean ← boolean', there('boolean', 'boolean'), source('boolean'), 'fits'],
  ])('%s', (_, target, column, expected) => {
    const found = columnFit(target, column);
    expect(found.kind === 'widen' ? found.type : found.kind).toBe(expected);
  });
});

describe('isRewrite', () => {
  it.each<[TargetColumn, string, boolean]>([
    [INTEGER, 'bigint', true],
    [REAL, 'double precision', true],
    [DATE, 'timestamp', true],
    [varchar(10), 'character varying(20)', false],
    [varchar(10), 'text', false],
    [numeric(10, 2), 'numeric(12,2)', false],
    [numeric(10, 2), 'numeric', false],
    [numeric(10, 2), 'numeric(12,4)', true],
    [bits(4), 'bit varying(8)', false],
    [timestamp(3), 'timestamp(6)', false],
    [array(INTEGER), 'bigint[]', true],
  ])('$type → %s: %s', (target, to, expected) => {
    expect(isRewrite(target, to)).toBe(expected);
  });
});
