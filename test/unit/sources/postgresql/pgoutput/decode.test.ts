// Messages from bytes: each kind, each cut, and bytes that are no message.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage } from '../../../../../src/sources/postgresql/pgoutput/decode.ts';
import { PgoutputError } from '../../../../../src/sources/postgresql/pgoutput/errors.ts';
import type { PgoutputHandler } from '../../../../../src/sources/postgresql/pgoutput/handler.ts';
import { type Call, decode, message, type TestColumn, UNCHANGED } from '../../../../helpers/pgoutput.ts';

const COLUMNS: readonly TestColumn[] = [
  { name: 'id', typeOid: 20, typmod: -1, isKey: true },
  { name: 'größe', typeOid: 1700, typmod: 786_438, isKey: false },
];
const HI = 0x16,
  LO = 0xb374d848;

const MESSAGES: readonly (readonly [name: string, bytes: Buffer, call: Call])[] = [
  ['begin', message.begin(0x16b374d848n, 5n, 4_000_000_000), ['begin', HI, LO, 5n, 4_000_000_000]],
  ['begin before 2000', message.begin(1n, -1n, 7), ['begin', 0, 1, -1n, 7]],
  ['commit', message.commit(0xffffffffffffffffn, 2n, 3n), ['commit', 0, 0xffffffffffffffffn, 2n, 3n]],
  [
    'relation',
    message.relation(3_000_000_000, 'public', 'orders', 'd', COLUMNS),
    ['relation', { oid: 3_000_000_000, schema: 'public', table: 'orders', identity: 'd', columns: COLUMNS }],
  ],
  [
    'a relation of the system, without columns',
    message.relation(1, '', 't', 'f', []),
    ['relation', { oid: 1, schema: 'pg_catalog', table: 't', identity: 'f', columns: [] }],
  ],
  ['type', message.type(16_400, 'public', 'mood'), ['type', 16_400, 'public', 'mood']],
  ['origin', message.origin(9n, 'node_a'), ['origin', 'node_a', 9n]],
  ['truncate', message.truncate([1, 4_000_000_000], 0), ['truncate', HI, LO, [1, 4_000_000_000], false, false]],
  ['truncate cascade restart identity', message.truncate([], 3), ['truncate', HI, LO, [], true, true]],
  ['message', message.message(7n, true, 'beat', Buffer.from('x\0y')), ['message', 7n, true, 'beat', Buffer.from('x\0y')]],
  ['an empty message outside a transaction', message.message(8n, false, '', Buffer.alloc(0)), ['message', 8n, false, '', Buffer.alloc(0)]],
  ['stream start', Buffer.from('S\0\0\0\x01\x01'), ['unknown', 0x53]],
  ['stream abort', Buffer.from('A\0\0\0\x01\0\0\0\x02'), ['unknown', 0x41]],
  ['prepare', Buffer.from('P'), ['unknown', 0x50]],
];

describe('tells the handler of', () => {
  test.each(MESSAGES)('%s', (_name, bytes, call) => {
    expect(decode(bytes)).toEqual([call]);
  });

  test('insert, with the LSN of its frame', () => {
    const [call] = decode(message.insert(9, ['1', null]));
    expect(call?.slice(0, 4)).toEqual(['insert', HI, LO, 9]);
  });

  test.each([
    ['an update without old row', message.update(9, ['1', '2']), null],
    ['an update with the old key', message.update(9, ['1', '2'], 'K', ['0', null]), 'K'],
    ['an update with the old row', message.update(9, ['1', '2'], 'O', ['0', '2']), 'O'],
  ])('%s', (_name, bytes, kind) => {
    const [call] = decode(bytes);
    expect(call?.slice(0, 5)).toEqual(['update', HI, LO, 9, kind]);
    expect(call?.[5] === null).toBe(kind === null);
  });

  test.each(['K', 'O'] as const)('delete with %s', (kind) => {
    expect(decode(message.delete(9, kind, ['1', null]))[0]?.slice(0, 5)).toEqual(['delete', HI, LO, 9, kind]);
  });
});

const ROWS = [
  message.insert(9, ['1', null, UNCHANGED, 'text', '']),
  message.update(9, ['1', UNCHANGED], 'K', ['0', null]),
  message.update(9, ['1', UNCHANGED], 'O', ['0', 'old']),
  message.delete(9, 'O', ['1', 'x']),
];
const WHOLE = [...MESSAGES.filter(([, , call]) => call[0] !== 'unknown').map(([, bytes]) => bytes), ...ROWS];

describe('refuses with the place', () => {
  test.each(WHOLE.map((bytes) => [String.fromCharCode(bytes[0] as number), bytes] as const))('%s cut anywhere', (_tag, bytes) => {
    for (let length = 0; length < bytes.length; length++) {
      const calls: Call[] = [];
      expect(() => calls.push(...decode(bytes.subarray(0, length))), `cut at ${length}`).toThrow(PgoutputError);
      expect(calls).toEqual([]);
    }
  });

  test.each(WHOLE.map((bytes) => [String.fromCharCode(bytes[0] as number), bytes] as const))('%s with a byte too many', (_tag, bytes) => {
    expect(() => decode(Buffer.concat([bytes, Buffer.from('\x01')]))).toThrow(PgoutputError);
  });

  test.each<[string, Buffer, string, number]>([
    ['nothing', Buffer.alloc(0), 'an empty message', 0],
    ['a kind of column', Buffer.from('I\0\0\0\x01N\0\x01b\0\0\0\x01x'), 'a column of unknown kind 98', 8],
    ['a kind of row', Buffer.from('I\0\0\0\x01X\0\x01n'), 'a row of unknown kind 88', 5],
    ['a negative length', Buffer.from('I\0\0\0\x01N\0\x01t\xff\xff\xff\xff', 'latin1'), 'a value of -1 bytes where 0 are left', 13],
    [
      'a length beyond the end',
      Buffer.from('I\0\0\0\x01N\0\x01t\x7f\xff\xff\xffx', 'latin1'),
      'a value of 2147483647 bytes where 1 are left',
      13,
    ],
    ['more columns than bytes', Buffer.from('I\0\0\0\x01N\xff\xffn', 'latin1'), '65534 columns are missing', 9],
    ['rows of different width', message.update(9, ['1'], 'O', ['1', '2']), 'an old row of 2 columns and a new one of 1', 21],
    ['an identity', Buffer.from('R\0\0\0\x01a\0b\0z\0\0'), 'unknown replica identity', 10],
    ['many relations in few bytes', Buffer.from('T\x7f\xff\xff\xff\0', 'latin1'), '2147483647 relations in 0 bytes', 6],
    [
      'a message with a negative length',
      Buffer.from('M\0\0\0\0\0\0\0\0\0p\0\xff\xff\xff\xff', 'latin1'),
      'the content has a length of -1',
      16,
    ],
  ])('%s', (_name, bytes, text, offset) => {
    expect(() => decode(bytes)).toThrow(expect.objectContaining({ name: 'PgoutputError', message: expect.stringContaining(text), offset }));
  });
});

test('mutated messages give a typed error or a call, and nothing outside the message is read', () => {
  // Bytes around the message that would be read as a longer one: their values must not matter.
  const outcome = (bytes: Buffer, filler: number): string => {
    const around = Buffer.concat([Buffer.alloc(5, filler), bytes, Buffer.alloc(64, filler)]);
    const seen: string[] = [];
    const handler = new Proxy({} as PgoutputHandler, {
      get:
        (_, method: string) =>
        (...args: unknown[]) =>
          seen.push(`${method} ${args.map(shown).join()}`),
    });
    try {
      decodeMessage(around, 5, 5 + bytes.length, HI, LO, handler);
    } catch (error) {
      if (!(error instanceof PgoutputError)) throw error;
      expect(error.offset).toBeLessThanOrEqual(bytes.length);
      return error.message;
    }
    return seen.join();
  };
  const mutation = fc.record({ at: fc.nat(200), byte: fc.nat(255), kind: fc.constantFrom('set', 'insert', 'remove', 'cut') });
  fc.assert(
    fc.property(fc.constantFrom(...WHOLE), fc.array(mutation, { minLength: 1, maxLength: 4 }), (bytes, mutations) => {
      let mutated = Buffer.from(bytes);
      for (const { at, byte, kind } of mutations) {
        const i = at % (mutated.length + 1);
        if (kind === 'cut') mutated = mutated.subarray(0, i);
        else if (kind === 'remove') mutated = Buffer.concat([mutated.subarray(0, i), mutated.subarray(i + 1)]);
        else mutated = Buffer.concat([mutated.subarray(0, i), Buffer.from([byte]), mutated.subarray(kind === 'set' ? i + 1 : i)]);
      }
      expect(outcome(mutated, 0)).toBe(outcome(mutated, 0xff));
    }),
    { numRuns: 5000 },
  );
});

function shown(arg: unknown): string {
  if (typeof arg === 'object' && arg !== null && 'incomplete' in arg && 'width' in arg) return `row ${arg.width} ${arg.incomplete}`;
  return JSON.stringify(arg, (_, v) => (typeof v === 'bigint' ? `${v}` : (v as unknown)));
}
