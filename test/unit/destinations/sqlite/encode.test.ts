// What is bound for each value, type and affinity: never something that SQLite would turn into another value.

import BetterSqlite3 from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bound, bind, Unstorable } from '../../../../src/destinations/sqlite/encode.ts';
import { type Affinity, affinityOf, declaredType } from '../../../../src/destinations/sqlite/types.ts';
import type { ColumnType, Value } from '../../../../src/sdk/index.ts';

const MAX = 2n ** 63n - 1n;

describe('a value is bound', () => {
  it.each<[Value, ColumnType | null, Affinity, Bound]>([
    [null, 'json', 'TEXT', null],
    [true, 'boolean', 'INTEGER', 1n],
    [5, 'int32', 'INTEGER', 5n],
    [5, 'float64', 'REAL', 5],
    [5, 'any', 'BLOB', 5],
    [0.1, 'float64', 'TEXT', '0.1'],
    [Number.POSITIVE_INFINITY, 'float64', 'REAL', Number.POSITIVE_INFINITY],
    [MAX, 'int64', 'INTEGER', MAX],
    [MAX, 'int64', 'TEXT', '9223372036854775807'],
    [MAX + 1n, 'uint64', 'TEXT', '9223372036854775808'],
    ['007', 'string', 'TEXT', '007'],
    ['007', 'any', 'BLOB', '007'],
    ['abc', 'string', 'INTEGER', 'abc'],
    ['0x10', 'string', 'NUMERIC', '0x10'],
    ['12.30', 'decimal', 'NUMERIC', 12.3],
    ['-7', 'decimal', 'NUMERIC', -7n],
    ['1e3', 'decimal', 'NUMERIC', 1000],
    ['0.000', 'decimal', 'NUMERIC', 0],
    ['12.30', 'decimal', 'TEXT', '12.30'],
    ['x', 'json', 'TEXT', '"x"'],
    [1.5, 'json', 'TEXT', '1.5'],
    [{ a: [1n, null, true, 'x', new Uint8Array([255])] }, 'json', 'TEXT', '{"a":[1,null,true,"x","/w=="]}'],
    [['a', 2n ** 70n], 'array', 'TEXT', '["a",1180591620717411303424]'],
    ['1', null, 'BLOB', '1'],
  ])('%s of type %s into %s as %s', (value, type, affinity, bound) => {
    expect(bind(value, type, affinity)).toBe(bound);
  });

  it('bytes as they are', () => {
    const bytes = new Uint8Array([0, 255]);
    expect(bind(bytes, 'bytes', 'BLOB')).toBe(bytes);
  });
});

describe('a value is refused', () => {
  it.each<[Value, ColumnType, Affinity, string]>([
    [Number.NaN, 'float64', 'REAL', 'NaN'],
    [MAX + 1n, 'uint64', 'INTEGER', '64 bits'],
    [2n ** 53n + 1n, 'int64', 'REAL', 'digits of the number'],
    ['007', 'string', 'INTEGER', 'declared as a number'],
    [' 1.50 ', 'any', 'NUMERIC', 'declared as a number'],
    ['12345678901234567890.1', 'decimal', 'NUMERIC', 'all digits'],
    ['1e999', 'decimal', 'NUMERIC', 'all digits'],
    ['\ud800', 'string', 'TEXT', 'not valid Unicode'],
    [[Number.NaN], 'array', 'TEXT', 'JSON does not have'],
  ])('%s of type %s into %s: %s', (value, type, affinity, message) => {
    expect(() => bind(value, type, affinity)).toThrow(Unstorable);
    expect(() => bind(value, type, affinity)).toThrow(message);
  });
});

describe('declared types', () => {
  it.each<[string, Affinity]>([
    ['INTEGER', 'INTEGER'],
    ['TINYINT', 'INTEGER'],
    ['VARCHAR(3)', 'TEXT'],
    ['CLOB', 'TEXT'],
    ['', 'BLOB'],
    ['BLOB', 'BLOB'],
    ['ANY', 'BLOB'],
    ['DOUBLE', 'REAL'],
    ['DECIMAL(5,2)', 'NUMERIC'],
    ['DATE', 'NUMERIC'],
  ])('%s has affinity %s', (declared, affinity) => {
    expect(affinityOf(declared)).toBe(affinity);
  });

  it('keep decimals of up to 15 digits as numbers that are equal, and longer ones as text', () => {
    expect(declaredType({ type: 'decimal', precision: 16, scale: 2 })).toBe('TEXT');
    expect(declaredType({ type: 'decimal' })).toBe('TEXT');
    const declared = declaredType({ type: 'decimal', precision: 15, scale: 4 }),
      db = new BetterSqlite3(':memory:').exec(`CREATE TABLE t (v ${declared})`);
    const insert = db.prepare('INSERT INTO t VALUES (?) RETURNING v').pluck().safeIntegers();
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 15n - 1n), max: 10n ** 15n - 1n }), fc.integer({ min: 0, max: 15 }), (digits, scale) => {
        const all = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0');
        const text = `${digits < 0n ? '-' : ''}${all.slice(0, all.length - scale)}${scale === 0 ? '' : `.${all.slice(all.length - scale)}`}`;
        const stored = insert.get(bind(text, 'decimal', affinityOf(declared))) as bigint | number;
        expect(Number(stored)).toBe(Number(text));
        expect(
          typeof stored === 'bigint'
            ? stored * 10n ** BigInt(scale)
            : BigInt(Math.round(Number((stored as number).toFixed(scale).replace('.', '')))),
        ).toBe(digits);
      }),
    );
  });
});
