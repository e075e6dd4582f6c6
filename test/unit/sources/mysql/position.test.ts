import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../../../src/sdk/index.ts';
import {
  BinlogPositions,
  ChangePlace,
  parseFileName,
  parsePlace,
  placeAfter,
  placeNumber,
  Repeats,
  sortable,
  TransactionPlace,
  withMark,
} from '../../../../src/sources/mysql/position.ts';

const positions = new BinlogPositions();
const FILE = { base: 'mysql-bin', number: 3 };
const place = fc.record({
  history: fc.integer({ min: 1, max: 9999 }),
  file: fc.integer({ min: 1, max: 9_999_999 }),
  position: fc.integer({ min: 4, max: 10_000_000_000 }),
  number: fc.integer({ min: 0, max: 2_000_000_000 }),
});
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;

function textOf({ history, file, position, number }: Place): Position {
  const at = { base: 'b,in%', number: file };
  if (number === 0) return placeAfter(history, at, position, '0-1-9,1-1-5');
  const transaction = new TransactionPlace(history, at, position, { serverId: 7, gtid: '0-1-10', done: '0-1-9,1-1-5' });
  return new ChangePlace(transaction, number, position + 100, 2).text();
}

describe('places', () => {
  it('come in the order of the log, as texts and as numbers of their transactions', () => {
    fc.assert(
      fc.property(place, place, (a, b) => {
        const order = [a.history - b.history, a.file - b.file, a.position - b.position, a.number - b.number].find((d) => d !== 0) ?? 0,
          [x, y] = [textOf(a), textOf(b)];
        expect(positions.compare(x, y)).toBe(Math.sign(order));
        expect(x < y).toBe(order < 0);
        expect(positions.covers(x, y)).toBe(order >= 0);
        const numbers = [a, b].map((p) => placeNumber({ history: p.history, fileNumber: p.file, position: p.position }));
        if (a.position !== b.position || a.file !== b.file) expect((numbers[0] as bigint) < (numbers[1] as bigint)).toBe(order < 0);
      }),
    );
  });

  it('say again what they were made of', () => {
    fc.assert(
      fc.property(place, (p) => {
        const parsed = parsePlace(textOf(p));
        expect(parsed).toMatchObject({ history: p.history, fileNumber: p.file, position: p.position, number: p.number, base: 'b,in%' });
        expect(parsed?.done).toBe('0-1-9,1-1-5');
      }),
    );
  });

  it('have marks right behind them', () => {
    const at = textOf({ history: 1, file: 3, position: 100, number: 1 }),
      next = textOf({ history: 1, file: 3, position: 100, number: 2 }),
      marked = withMark(at, '.s00001');
    expect([next, marked, at].sort()).toEqual([at, marked, next]);
    expect(positions.covers(at, marked)).toBe(false);
    expect(sortable(marked).endsWith('.s00001')).toBe(true);
    expect(parsePlace(marked)?.done).toBe('0-1-9,1-1-5');
  });

  it.each([
    ['mysql-bin.000001:12345', 'mysql-bin.000001:12345'],
    ['nonsense', null],
    ['mysql-bin:4', null],
  ])('are taken as people write them: %s', (text, described) => {
    const parsed = positions.parse(text);
    expect(parsed === null ? null : positions.describe(parsed)).toBe(described);
  });

  it('give what envelopes show, the same from the text as without it', () => {
    const transaction = new TransactionPlace(1, FILE, 400, { serverId: 7, gtid: '0-1-10', done: null }),
      lazy = new ChangePlace(transaction, 3, 500, 2);
    const shown = { server_id: 7, gtid: '0-1-10', file: 'mysql-bin.000003', pos: 500, row: 2, thread: null, query: null };
    expect(lazy.fields()).toEqual(shown);
    expect(positions.fields(lazy.text())).toEqual(shown);
    const bytes = Buffer.alloc(lazy.length);
    lazy.put(bytes, 0);
    expect(bytes.toString()).toBe(lazy.text());
  });

  it('are written as bytes, whole or over another one of the event, as their text is', () => {
    const transaction = new TransactionPlace(1, FILE, 400, { serverId: 7, gtid: '0-1-10', done: '0-1-9' }),
      number = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 999_999_900, max: 9_999_999_999 })),
      event = fc.oneof(fc.integer({ min: 4, max: 5000 }), fc.integer({ min: 999_999_900, max: 2 ** 48 }));
    fc.assert(
      fc.property(number, number, event, fc.nat(1200), fc.nat(1200), (n, other, position, row, otherRow) => {
        const place = new ChangePlace(transaction, n, position, row),
          before = new ChangePlace(transaction, other, position, otherRow);
        const bytes = Buffer.alloc(place.length);
        place.put(bytes, 0);
        expect(bytes.toString()).toBe(place.text());
        if (before.length !== place.length || place.numberBeside(before) < 0) return;
        before.put(bytes, 0);
        place.putOver(bytes, 0);
        expect(bytes.toString()).toBe(place.text());
      }),
    );
  });

  it('are so many bytes apart, over files whose length is known', () => {
    const known = new BinlogPositions();
    known.learn([{ name: 'mysql-bin.000003', size: 1000 }]);
    const at = (number: number, position: number): Position => placeAfter(1, { base: 'mysql-bin', number }, position, null);
    expect(known.bytesBetween(at(3, 400), at(3, 900))).toBe(500);
    expect(known.bytesBetween(at(3, 400), at(4, 100))).toBe(700);
    expect(known.bytesBetween(at(3, 400), at(5, 100))).toBeNull();
    expect(known.bytesBetween(at(4, 100), at(3, 400))).toBe(0);
  });
});

describe('repeats', () => {
  const of = (position: number, gtid: string): TransactionPlace =>
    new TransactionPlace(1, FILE, position, { serverId: 1, gtid, done: null });

  it('are all changes of transactions before the place, and those of its own up to it', () => {
    const repeats = new Repeats(of(400, 'g').place(3, '', 500, 0), false);
    expect([of(300, 'f'), of(400, 'g'), of(600, 'h')].map((t) => repeats.until(t))).toEqual([Number.POSITIVE_INFINITY, 3, 0]);
  });

  it('are known by the id of their transaction at another server', () => {
    const repeats = new Repeats(of(400, 'g').place(3, '', 500, 0), true);
    expect([of(300, 'f'), of(9000, 'g'), of(9600, 'h')].map((t) => repeats.until(t))).toEqual([0, 3, 0]);
  });
});

it.each([
  ['mysql-bin.000012', { base: 'mysql-bin', number: 12 }],
  ['a.b.1000000', { base: 'a.b', number: 1_000_000 }],
  ['mysql-bin', null],
])('reads the name of a file: %s', (name, parsed) => {
  expect(parseFileName(name)).toEqual(parsed);
});
