import { describe, expect, it } from 'vitest';
import type { TargetColumn } from '../../../../src/destinations/postgresql/target-table.ts';
import { encoderFor, identityText, newColumnType } from '../../../../src/destinations/postgresql/types.ts';
import { UnfitValue } from '../../../../src/relational/values.ts';
import { COLUMN_TYPES, type ColumnType, type Value } from '../../../../src/sdk/index.ts';

function column(kind: TargetColumn['kind'], more: Partial<TargetColumn> = {}): TargetColumn {
  return {
    name: 'c',
    type: kind,
    kind,
    bulk: true,
    length: null,
    fraction: null,
    precision: null,
    domain: false,
    caseless: false,
    padded: false,
    element: null,
    generated: false,
    identity: 'none',
    ...more,
  };
}

describe('new columns', () => {
  it.each(COLUMN_TYPES)('have a type for %s', (type) => {
    expect(newColumnType({ name: 'c', type, nativeType: '', nullable: true })).toMatch(/^[a-z]/);
  });

  it.each([
    [{ precision: 1001, scale: 2 }, 'numeric'],
    [{ precision: 5, scale: -2 }, 'numeric'],
    [{ precision: 3, scale: 5 }, 'numeric'],
    [{ precision: 5 }, 'numeric(5,0)'],
    [{ precision: 38, scale: 10 }, 'numeric(38,10)'],
  ])('are %o → %s for decimals', (digits, type) => {
    expect(newColumnType({ name: 'c', type: 'decimal', nativeType: '', nullable: true, ...digits })).toBe(type);
  });
});

describe('values for columns', () => {
  const cases: readonly (readonly [TargetColumn, ColumnType, Exclude<Value, null>, string | null])[] = [
    [column('int'), 'int32', 5, '5'],
    [column('int'), 'int64', -5n, '-5'],
    [column('int'), 'string', '12', '12'],
    [column('int'), 'float64', 1.5, null],
    [column('int'), 'boolean', true, null],
    [column('int'), 'string', 'x', null],
    [column('numeric', { fraction: 2 }), 'decimal', '1.230', '1.230'],
    [column('numeric', { fraction: 2 }), 'decimal', '1.239', null],
    [column('numeric', { fraction: -2 }), 'int32', 150, null],
    [column('numeric', { fraction: -2 }), 'int32', 1500, '1500'],
    [column('numeric'), 'float64', 1e-7, '1e-7'],
    [column('float8'), 'int64', 9007199254740992n, '9007199254740992'],
    [column('float8'), 'int64', 9007199254740993n, null],
    [column('float4'), 'float32', 0.30000001192092896, '0.30000001192092896'],
    [column('boolean'), 'boolean', false, 'f'],
    [column('boolean'), 'int16', 1, 't'],
    [column('boolean'), 'int16', 2, null],
    [column('boolean'), 'string', 'true', 'true'],
    [column('boolean'), 'string', 'yes', null],
    [column('bytea'), 'bytes', new Uint8Array([0, 255]), '\\x00ff'],
    [column('bytea'), 'string', '\\x00', null],
    [column('text'), 'int64', 5n, '5'],
    [column('text'), 'boolean', true, 'true'],
    [column('text'), 'json', { a: 1 }, '{"a":1}'],
    [column('text'), 'bytes', new Uint8Array([1]), null],
    [column('text'), 'geometry', new Uint8Array([1, 171]), '01ab'],
    [column('text', { length: 2 }), 'string', '😀😀', '😀😀'],
    [column('text', { length: 2 }), 'string', 'abc', null],
    [column('jsonb'), 'json', 'text', '"text"'],
    [column('jsonb'), 'string', '{"a": 1}', '{"a": 1}'],
    [column('jsonb'), 'decimal', '1.50', '1.50'],
    [column('jsonb'), 'decimal', 'NaN', '"NaN"'],
    [column('jsonb'), 'any', 1n, '1'],
    [column('json'), 'json', { a: '\0' }, '{"a":"\\u0000"}'],
    [column('jsonb'), 'json', { a: '\0' }, null],
    [column('array', { element: column('int') }), 'array', [1, [2, null]], '{"1",{"2",NULL}}'],
    [column('array', { element: column('int') }), 'array', ['x'], null],
    [column('array', { element: column('text') }), 'json', { a: 1 }, null],
    [column('other'), 'enum', 'happy', 'happy'],
    [column('date'), 'int32', 5, null],
  ];
  it.each(cases)('%o from %s: %o → %s', (target, type, value, text) => {
    const encode = (): string => encoderFor(target, { type })(value);
    if (text === null) expect(encode).toThrow(UnfitValue);
    else expect(encode()).toBe(text);
  });
});

describe('identity of keys', () => {
  it.each([
    [column('numeric'), '1.0', '1.00'],
    [column('int'), '007', '7'],
    [column('uuid'), 'ABC', 'abc'],
    [column('text', { padded: true }), 'ab', 'ab   '],
    [column('text', { caseless: true }), 'Ab', 'aB'],
    [column('float8'), 'NaN', 'nan'],
  ])('%o: %s and %s are one key', (target, a, b) => {
    expect(identityText(target, a)).toBe(identityText(target, b));
  });

  it('tells texts apart by every character', () => {
    expect(identityText(column('text'), 'a ')).not.toBe(identityText(column('text'), 'a'));
  });
});
