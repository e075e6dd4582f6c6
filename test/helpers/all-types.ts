// Rows of all types as PostgreSQL sends them, in all the ways in which they may come, for tests of those who read their bytes.

import * as fc from 'fast-check';
import { ChangeEvent, type ChangeEventInit, type LazyPosition, type Position, type TableSchema } from '../../src/sdk/index.ts';
import { RowLayout, type Tuple } from '../../src/sources/postgresql/pgoutput/tuple.ts';
import { columnOf, textColumnsOf } from '../../src/sources/postgresql/types.ts';
import { images, message, oidOf, type Sent, type TestColumn, TYPES, UNCHANGED } from './pgoutput.ts';

const digits = (n: number, width: number): string => String(n).padStart(width, '0');
const text = fc.oneof(
  fc.string({ unit: 'binary' }).map((s) => s.replaceAll('\0', '')),
  fc.string({ maxLength: 300 }),
  fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\u0001', '\u007f', 'ä', '🚀', '\u2028', 'a') }),
  fc.constant('long "text" '.repeat(400)),
);

/** As float8out, which turns scientific below 1e-4 and from 10^`limit` on. */
function floatText(n: number, limit: number): string {
  if (!Number.isFinite(n) || n === 0) return Object.is(n, -0) ? '-0' : `${n}`;
  const [mantissa = '', exponent = '0'] = n.toExponential().split('e'),
    e = Number(exponent);
  if (e >= -4 && e < limit) return `${n}`;
  return `${mantissa}e${e < 0 ? '-' : '+'}${digits(Math.abs(e), 2)}`;
}

const fraction = fc.option(fc.integer({ min: 1, max: 999_999 })).map((n) => (n === null ? '' : `.${digits(n, 6).replace(/0+$/, '')}`));
const day = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([y, m, d]) => `${digits(y, 4)}-${digits(m, 2)}-${digits(d, 2)}`);
const clock = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fraction)
  .map(([h, m, s, f]) => `${digits(h, 2)}:${digits(m, 2)}:${digits(s, 2)}${f}`);
const moment = fc.tuple(day, clock).map((parts) => parts.join(' '));
const rare = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);

/** Name of the column, type, modifier, texts as the server prints them. */
export const KINDS: readonly (readonly [name: string, type: string, typmod: number, texts: fc.Arbitrary<string>])[] = [
  ['flag', 'bool', -1, rare('t', 'f')],
  ['small', 'int2', -1, fc.integer({ min: -32_768, max: 32_767 }).map(String)],
  ['whole', 'int4', -1, fc.integer().map(String)],
  ['big', 'int8', -1, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
  ['single', 'float4', -1, fc.float().map((n) => floatText(Number(n.toPrecision(7)), 6))],
  ['double', 'float8', -1, fc.double().map((n) => floatText(n, 15))],
  [
    'wide',
    'numeric',
    -1,
    fc.oneof(
      fc.bigInt().map((n) => `${n}.50`),
      rare('NaN', 'Infinity', '-Infinity', '0'),
    ),
  ],
  ['price', 'numeric', 786_438, fc.integer().map((n) => (n / 100).toFixed(2))],
  ['cash', 'money', -1, rare('$1,234.50', '-$0.05')],
  ['words', 'text', -1, text],
  ['padded', 'bpchar', 12, text],
  ['free', 'citext', -1, text],
  ['raw', 'bytea', -1, fc.uint8Array().map((b) => `\\x${Buffer.from(b).toString('hex')}`)],
  ['day', 'date', -1, fc.oneof(day, rare('infinity', '0044-03-15 BC', '12024-01-01'))],
  ['clock', 'time', -1, clock],
  ['zoned_clock', 'timetz', -1, clock.map((t) => `${t}+02`)],
  ['local', 'timestamp', -1, fc.oneof(moment, rare('infinity', '0044-03-15 12:00:00 BC', '12024-01-01 00:00:00'))],
  ['local3', 'timestamp', 3, day.map((d) => `${d} 12:34:56.789`)],
  [
    'instant',
    'timestamptz',
    -1,
    fc.oneof(
      moment.map((t) => `${t}+00`),
      rare('-infinity', '0044-03-15 12:00:00+00 BC', '12024-01-01 00:00:00+00', '2024-02-29 12:34:56+05:30'),
    ),
  ],
  ['instant3', 'timestamptz', 3, day.map((d) => `${d} 12:34:56.7+00`)],
  ['instant0', 'timestamptz', 0, day.map((d) => `${d} 12:34:56+00`)],
  ['span', 'interval', -1, rare('1 year 2 mons', '-00:00:01.5', '00:00:00')],
  ['uuid', 'uuid', -1, fc.uuid()],
  ['doc', 'json', -1, fc.jsonValue().map((v) => JSON.stringify(v, null, 1).replaceAll('\n', '\r\n'))],
  ['docb', 'jsonb', -1, fc.json()],
  ['markup', 'xml', -1, text],
  ['mood', 'mood', -1, rare('sad', 'ok')],
  ['bits', 'bit', 8, rare('10101010')],
  ['bit', 'bit', 1, rare('1', '0')],
  ['address', 'inet', -1, rare('::1', '192.168.0.1/24')],
  ['ints', '_int4', -1, rare('{}', '{1,NULL,3}', '{{1,2},{3,4}}')],
  ['texts', '_text', -1, rare('{"a\\"b",NULL}')],
  ['days', '_timestamptz', -1, rare('{"2024-02-29 12:34:56+00"}')],
  ['pairs', 'hstore', -1, rare('"a"=>NULL, "b"=>"c"')],
  ['place', 'point', -1, rare('(1.5,-2.5)')],
  ['shape', 'geometry', -1, rare('0101000000000000000000F03F0000000000000040')],
  ['range', 'int4range', -1, rare('[1,10)', 'empty')],
  ['home', 'address', -1, rare('(a,1,{b})')],
  ['cost', 'price', -1, rare('1.50')],
];
const COLUMNS: readonly TestColumn[] = KINDS.map(([name, type, typmod], i) => ({
  name,
  typeOid: oidOf(type),
  typmod,
  isKey: i === 3 || i === 9,
}));
const LAYOUT = new RowLayout(textColumnsOf(COLUMNS, TYPES), { columns: COLUMNS });
export const TABLE: TableSchema = {
  id: { database: 'shop', schema: 'public', table: 'all "types"' },
  columns: COLUMNS.map((c, i) => columnOf({ ...c, nullable: i % 2 === 0, ...(c.name === 'small' ? { default: 7 } : {}) }, TYPES)),
  key: ['words', 'big'],
  version: 1,
};

const sent = (missing: boolean): fc.Arbitrary<Sent[]> =>
  fc.tuple(
    ...KINDS.map(([, , , texts]) => fc.oneof({ weight: 6, arbitrary: texts }, fc.constant(null), missing ? fc.constant(UNCHANGED) : texts)),
  );

/** An event over bytes; made again for each reading, because looking at it changes it. */
export type Maker = () => Partial<ChangeEventInit> & Pick<ChangeEventInit, 'op'>;
export const rowsOf = (bytes: Buffer): (Tuple | null)[] => images(bytes, COLUMNS, TYPES, LAYOUT);
export const changes: fc.Arbitrary<Maker> = fc.oneof(
  sent(false).map((row) => () => ({ op: 'c' as const, after: rowsOf(message.insert(1, row))[1] as Tuple })),
  fc
    .tuple(sent(true), sent(true), fc.constantFrom('K' as const, 'O' as const, null), fc.boolean())
    .map(([row, old, kind, sameKey]) => () => {
      const before = sameKey ? old.map((v, i) => (COLUMNS[i]?.isKey ? (row[i] as Sent) : v)) : old;
      const [was, is] = rowsOf(message.update(1, row, kind, before));
      return { op: 'u' as const, before: was as Tuple | null, after: is as Tuple, incomplete: (is as Tuple).incomplete };
    }),
  fc.tuple(sent(true), fc.constantFrom('K' as const, 'O' as const)).map(([old, kind]) => () => ({
    op: 'd' as const,
    before: rowsOf(message.delete(1, kind, old))[0] as Tuple,
  })),
);

export function eventOf(init: ReturnType<Maker>, table: TableSchema, position: Position | LazyPosition = '42' as Position): ChangeEvent {
  return new ChangeEvent({ table, source: 'shop', partition: 'main', position, sourceTsMs: 1_709_210_096_789, ...init });
}
