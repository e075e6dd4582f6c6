// Values of every kind of column, from bytes made by the rules of the manual: read, and written as JSON in the same words.

import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonValue } from '../../../../src/envelope/json.ts';
import { JsonWriter } from '../../../../src/envelope/json-writer.ts';
import { JsonText, type Value } from '../../../../src/sdk/index.ts';
import { BinlogError } from '../../../../src/sources/mysql/binlog/errors.ts';
import type { RowsEvent } from '../../../../src/sources/mysql/binlog/events.ts';
import { type ColumnFacts, columnOf, textColumnOf } from '../../../../src/sources/mysql/types.ts';
import { inet6Text, shortestFloat } from '../../../../src/sources/mysql/values.ts';
import {
  column,
  decimalBytesOf,
  formatDescription,
  jsonBytesOf,
  le,
  rowsEvent,
  type TestColumn,
  TestDouble,
  type TestJson,
  TestOpaque,
  type TestTable,
  tableMap,
} from '../../../helpers/binlog.ts';
import { decodeAll, images, layoutOf } from '../../../helpers/binlog-reader.ts';

interface Read {
  readonly value: Value | undefined;
  /** What the column writes by itself, where it does. */
  readonly json: string | null;
  readonly nativeType: string;
}

/** One value in a table of its own, between two others. */
function read(spec: TestColumn, value: unknown, facts: Partial<ColumnFacts> | null = null, version = '8.0.31'): Read {
  const table: TestTable = { id: 1, database: 'd', table: 't', columns: [column.int('first'), { ...spec, name: 'v' }, column.int('last')] };
  const event = decodeAll([formatDescription(version), tableMap(table), rowsEvent('c', table, [{ first: 1, v: value, last: 2 }])]).at(
    -1,
  ) as RowsEvent;
  const all =
    facts === null
      ? undefined
      : table.columns.map((c) => ({ name: c.name, columnType: 'int', charset: null, ...(c.name === 'v' ? facts : {}) }));
  const layout = layoutOf(event, all),
    row = images(event, layout)[0]?.after ?? null,
    map = event.table.columns[1] as never,
    text = textColumnOf(map, 1, all?.[1] ?? null);
  expect(row?.decode()).toMatchObject({ first: 1, last: 2 });
  const places = row?.locate() as Int32Array,
    writer = new JsonWriter();
  writer.begin();
  const isThere = (places[2] as number) >= 0;
  if (isThere) text.put?.(writer, event.bytes, places[2] as number, places[3] as number);
  return {
    value: row?.column('v'),
    json: text.put === undefined || !isThere ? null : Buffer.from(writer.end()).toString(),
    nativeType: columnOf(map, 1, all?.[1] ?? null).nativeType,
  };
}

/** Read, and written as its JS type would be. */
function value(...args: Parameters<typeof read>): Value | undefined {
  const { value: v, json } = read(...args);
  if (json !== null && v !== undefined) expect(json).toBe(jsonValue(v));
  return v instanceof JsonText ? v.text : v;
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const RUNS = { numRuns: 300 };

describe('integers', () => {
  test.each([
    ['tinyint', column.tinyint, 8],
    ['smallint', column.smallint, 16],
    ['mediumint', column.mediumint, 24],
    ['int', column.int, 32],
    ['bigint', column.bigint, 64],
  ] as const)('%s, signed and unsigned', (_name, make, size) => {
    const low = -(2n ** BigInt(size - 1));
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** BigInt(size) - 1n }), (n) => {
        expect(BigInt(value(make('v', true), n) as number)).toBe(n);
        expect(BigInt(value(make('v'), n + low) as number)).toBe(n + low);
      }),
      { numRuns: 100, examples: [[0n], [2n ** BigInt(size) - 1n], [-low]] },
    );
    expect(typeof value(make('v'), 1)).toBe(size === 64 ? 'bigint' : 'number');
    expect(typeof value(make('v', true), 1)).toBe(size >= 32 ? 'bigint' : 'number');
  });

  test('years', () => {
    expect([0, 1901, 2155].map((y) => value(column.year('v'), y))).toEqual([0, 1901, 2155]);
  });
});

test('decimals keep each digit of any precision and scale', () => {
  const decimals = fc
    .integer({ min: 1, max: 65 })
    .chain((precision) =>
      fc.tuple(
        fc.constant(precision),
        fc.integer({ min: 0, max: Math.min(30, precision) }),
        fc.bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n }),
      ),
    );
  fc.assert(
    fc.property(decimals, ([precision, scale, unscaled]) => {
      const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0'),
        text = `${unscaled < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`;
      expect(value(column.decimal('v', precision, scale), text)).toBe(text);
    }),
    RUNS,
  );
});

describe('floating point', () => {
  test('a double is what it is', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) => {
        expect(value(column.double('v'), n)).toBe(n);
      }),
      RUNS,
    );
  });

  test('a float has the fewest digits that give the same float', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (n) => {
        const read = value(column.float('v'), n) as number;
        expect(Object.is(Math.fround(read), n)).toBe(true);
        expect(`${read}`.replace(/[-.]|e.*/g, '').replace(/^0+|0+$/g, '').length).toBeLessThanOrEqual(9);
      }),
      RUNS,
    );
    expect([Math.fround(123.456), Math.fround(0.1), 16_777_216].map(shortestFloat)).toEqual([123.456, 0.1, 16_777_216]);
  });
});

describe('dates and times', () => {
  const two = (max: number): fc.Arbitrary<string> => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'));
  const clock = fc.tuple(two(23), two(59), two(59)).map((p) => p.join(':'));
  const day = fc.tuple(fc.integer({ min: 0, max: 9999 }), two(12), two(31)).map(([y, m, d]) => `${String(y).padStart(4, '0')}-${m}-${d}`);
  const digits = fc.integer({ min: 0, max: 6 }).chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 0, max: 10 ** n - 1 })));
  const tail = (n: number, part: number): string => (n === 0 ? '' : `.${String(part).padStart(n, '0')}`);

  test('keep each digit, impossible days too', () => {
    fc.assert(
      fc.property(day, clock, digits, fc.boolean(), fc.integer({ min: 0, max: 838 }), (d, c, [n, part], negative, hours) => {
        expect(value(column.date('v'), d)).toBe(d);
        expect(value(column.datetime('v', n), `${d}T${c}${tail(n, part)}`)).toBe(`${d}T${c}${tail(n, part)}`);
        const time = `${String(hours).padStart(2, '0')}${c.slice(2)}${tail(n, part)}`,
          isZero = /^[0:.]+$/.test(time);
        expect(value(column.time('v', n), negative && !isZero ? `-${time}` : time)).toBe(negative && !isZero ? `-${time}` : time);
      }),
      RUNS,
    );
  });

  test('a timestamp is the moment in UTC', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), digits, (seconds, [n, part]) => {
        const text = value(column.timestamp('v', n), seconds * 1e6 + part * 10 ** (6 - n));
        expect(text).toBe(`${new Date(seconds * 1000).toISOString().slice(0, 19)}${tail(n, part)}Z`);
      }),
      RUNS,
    );
    expect(value(column.timestamp('v', 3), 0)).toBe('0000-00-00T00:00:00.000Z');
  });

  test('those of before 5.6 are read', () => {
    const old = (type: number, encoded: Buffer): TestColumn => ({ name: 'v', type, meta: [], encode: () => encoded });
    expect(value(old(7, le(1_709_210_096, 4)), 1)).toBe('2024-02-29T12:34:56Z');
    expect(value(old(11, le(-8_385_959, 3)), 1)).toBe('-838:59:59');
    expect(value(old(12, le(20_240_229_123_456n, 8)), 1)).toBe('2024-02-29T12:34:56');
  });
});

describe('texts and bytes', () => {
  test('UTF-8 is the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        expect(value(column.varchar('v', 1000), text)).toBe(text);
        expect(value(column.blob('v', 3, 45), text)).toBe(text);
        expect(value(column.varchar('v', 100, 63), Buffer.from(text))).toEqual(new Uint8Array(Buffer.from(text)));
      }),
      RUNS,
    );
  });

  test.each([
    ['latin1, which is cp1252', 8, '80e9a4', '€é¤'],
    ['latin1 that is ASCII and must be escaped', 8, '2261225c0a', '"a"\\\n'],
    ['latin1 in the holes of cp1252', 8, '818d8f', '\u0081\u008d\u008f'],
    ['cp1251', 51, 'cff0e8', 'При'],
    ['sjis', 13, '93fa967b', '日本'],
    ['gbk', 28, 'c4e3', '你'],
    ['ucs2', 35, '00e90041', 'éA'],
    ['utf16le', 56, '3dd800de', '😀'],
    ['utf32', 60, '0001f600', '😀'],
    ['utf8mb4 without padding, of MariaDB', 1069, 'c3a9', 'é'],
    ['latin1 without padding, of MariaDB', 1032, 'e9', 'é'],
    ['utf8mb4 by UCA 14, of MariaDB', 2304, 'c3a9', 'é'],
    ['a collation newer than we are', 400, 'c3a9', 'é'],
  ])('%s', (_name, collation, hex, text) => {
    expect(value(column.varchar('v', 100, collation), Buffer.from(hex, 'hex'))).toBe(text);
  });

  test('a character set without decoder is an error', () => {
    expect(() => value(column.varchar('v', 100, 6), Buffer.from('a'))).toThrow(/character set hp8/);
  });

  test.each([
    [10, 'char(10)'],
    [255, 'char(63)'],
    [1020, 'char(255)'],
  ])('CHAR of %i bytes', (length, nativeType) => {
    const spec = column.char('v', length);
    expect(read(spec, 'äb')).toMatchObject({ value: 'äb' });
    expect(read(spec, 'äb').nativeType).toBe(length === 10 ? 'char(2)' : nativeType);
  });

  test('BINARY has the zeros at its end back', () => {
    expect(value(column.char('v', 4, 63), Buffer.from('0102', 'hex'))).toEqual(bytes('01020000'));
  });

  test('COMPRESSED columns of MariaDB', () => {
    const text = 'some text '.repeat(20),
      packedColumn = (type: number, meta: number[], encoded: Buffer): TestColumn => ({
        name: 'v',
        type,
        meta,
        collation: 45,
        encode: () => Buffer.concat([le(encoded.length, 2), encoded]),
      });
    for (const [head, body] of [
      [0x81, deflateSync(text)],
      [0x89, deflateRawSync(text)],
      [0x00, Buffer.from(text)],
    ] as const) {
      const encoded = head === 0 ? Buffer.concat([Buffer.from([0]), body]) : Buffer.concat([Buffer.from([head, text.length]), body]);
      expect(value(packedColumn(140, [2], encoded), 1, null, '10.11.0-MariaDB')).toBe(text);
      expect(value(packedColumn(141, [0x2d, 0x01], encoded), 1, null, '10.11.0-MariaDB')).toBe(text);
    }
    expect(value(packedColumn(140, [2], Buffer.alloc(0)), 1)).toBe('');
    const broken = Buffer.concat([Buffer.from([0x81, 9]), gzipSync(text)]);
    expect(() => value(packedColumn(140, [2], broken), 1)).toThrow(BinlogError);
  });
});

describe('ENUM, SET and BIT', () => {
  const names = ['a', 'b,c', "d'e", 'ü"'];
  test('by their names', () => {
    expect([0, 1, 2, 3, 4].map((n) => value(column.enum('v', names), n))).toEqual(['', ...names]);
    expect(value(column.set('v', names), 0b1011n)).toBe('a,b,c,ü"');
    expect(value(column.set('v', names), 0n)).toBe('');
    const many = Array.from({ length: 64 }, (_, i) => `n${i}`);
    expect(value(column.set('v', many), (1n << 63n) | 1n)).toBe('n0,n63');
    const large = Array.from({ length: 300 }, (_, i) => `n${i}`);
    expect(value(column.enum('v', large), 300)).toBe('n299');
    expect(read(column.enum('v', names), 1).nativeType).toBe("enum('a','b,c','d''e','ü\"')");
  });

  test('a number that none of them has is an error', () => {
    expect(() => value(column.enum('v', names), 5)).toThrow(/value 5 of an ENUM or SET of 4 values/);
    expect(() => value(column.set('v', names), 16n)).toThrow(BinlogError);
  });

  test('bits, all of the column', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }).chain((n) => fc.array(fc.constantFrom('0', '1'), { minLength: n, maxLength: n })),
        (digits) => {
          expect(value(column.bit('v', digits.length), digits.join(''))).toBe(digits.join(''));
        },
      ),
      RUNS,
    );
  });
});

describe('types that only the catalog knows', () => {
  const uuid = Buffer.from('a0eebc999c0b4ef8bb6d6bb9bd380a00', 'hex');
  test.each([
    ['uuid', 16, uuid.subarray(0, 15), 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a00'],
    ['inet4', 4, Buffer.from([192, 168]), '192.168.0.0'],
    ['inet6', 16, Buffer.from('20010db8', 'hex'), '2001:db8::'],
  ] as const)('%s', (columnType, length, encoded, text) => {
    expect(value(column.char('v', length, 63), encoded, { columnType })).toBe(text);
    expect(read(column.char('v', length, 63), encoded, { columnType }).nativeType).toBe(columnType);
  });

  test.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['00000000000000000000ffffc0a80001', '::ffff:192.168.0.1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000100020003000400050006', '2001:db8:1:2:3:4:5:6'],
  ])('inet6 %s is %s', (hex, text) => {
    expect(inet6Text(Buffer.from(hex, 'hex'))).toBe(text);
  });
});

test('geometries are extended well-known binary', () => {
  const point = Buffer.from('0101000000000000000000f83f00000000000004c0', 'hex');
  expect(value(column.geometry('v', 1), Buffer.concat([le(0, 4), point]))).toEqual(new Uint8Array(point));
  const withSrid = Buffer.concat([Buffer.from('0101000020e6100000', 'hex'), point.subarray(5)]);
  expect(value(column.geometry('v', 1), Buffer.concat([le(4326, 4), point]))).toEqual(new Uint8Array(withSrid));
  expect(read(column.geometry('v', 3), Buffer.concat([le(0, 4), point])).nativeType).toBe('polygon');
});

/** As the server prints it. */
function serverText(v: TestJson): string {
  if (v instanceof TestDouble) return `${v.value}`;
  if (v === null || typeof v !== 'object') return typeof v === 'string' ? JSON.stringify(v) : `${v}`;
  if (Array.isArray(v)) return `[${v.map(serverText).join(', ')}]`;
  const names = Object.entries(v as { readonly [key: string]: TestJson }).sort(
    ([a], [b]) => Buffer.byteLength(a) - Buffer.byteLength(b) || Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  return `{${names.map(([k, x]) => `${JSON.stringify(k)}: ${serverText(x)}`).join(', ')}}`;
}

describe('JSON', () => {
  const { tree } = fc.letrec<{ tree: TestJson }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, true, false),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.integer(),
      fc.string({ unit: 'grapheme' }),
      fc.array(tie('tree'), { maxLength: 5 }),
      fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 8 }), tie('tree'), { maxKeys: 5, noNullPrototype: true }),
    ) as fc.Arbitrary<TestJson>,
  }));

  test('is what the server prints, in the small and the large format', () => {
    fc.assert(
      fc.property(tree, fc.constantFrom<2 | 4>(2, 4), (document, size) => {
        const { value: v, json } = read(column.json('v'), jsonBytesOf(document, size));
        expect((v as unknown as JsonText).text).toBe(serverText(document));
        expect(json).toBe(serverText(document));
      }),
      RUNS,
    );
  });

  test.each([
    [1, '1.0'],
    [-0, '-0.0'],
    [0.5, '0.5'],
    [1e14, '100000000000000.0'],
    [1e15, '1e15'],
    [-1.5e300, '-1.5e300'],
    [1e-7, '0.0000001'],
    [-1.25e-10, '-0.000000000125'],
    [1e-20, '1e-20'],
  ])('the double %d is %s', (n, text) => {
    expect(value(column.json('v'), jsonBytesOf(new TestDouble(n)))).toBe(text);
  });

  const packedTime = (n: bigint): Buffer => le(n, 8);
  const day = ((2024n * 13n + 2n) << 5n) | 29n,
    clock = (12n << 12n) | (34n << 6n) | 56n;
  test.each([
    ['a decimal', new TestOpaque(246, Buffer.concat([Buffer.from([12, 2]), decimalBytesOf('-1234.50', 12, 2)])), '-1234.50'],
    ['a date', new TestOpaque(10, packedTime((day << 17n) << 24n)), '"2024-02-29"'],
    ['a datetime', new TestOpaque(12, packedTime((((day << 17n) | clock) << 24n) | 789n)), '"2024-02-29 12:34:56.000789"'],
    ['a negative time', new TestOpaque(11, packedTime(-((clock << 24n) | 1n))), '"-12:34:56.000001"'],
    ['bytes', new TestOpaque(252, Buffer.from('ab')), '"base64:type252:YWI="'],
  ])('%s within it', (_name, opaque, text) => {
    expect(value(column.json('v'), jsonBytesOf([opaque]))).toBe(`[${text}]`);
  });

  test('nothing at all is null', () => {
    expect(value(column.json('v'), Buffer.alloc(0))).toBe('null');
  });

  test.each([
    ['offsets into itself', '02020009000200040002040000'],
    ['too many members', '02ffff0400'],
    ['an unknown type', '0d00'],
    ['an unknown literal', '0403'],
    ['a text that is cut off', '0c0561'],
    ['a decimal that is cut off', '0ff6020c02'],
  ])('%s: an error', (_name, hex) => {
    expect(() => read(column.json('v'), Buffer.from(hex, 'hex'))).toThrow(BinlogError);
  });
});

test('NULL is null', () => {
  for (const spec of [column.int('v'), column.json('v'), column.varchar('v', 9), column.bit('v', 3)])
    expect(read(spec, null).value).toBeNull();
});
