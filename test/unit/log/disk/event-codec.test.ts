// The codec of the log's events: everything comes back as it was.

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEvents } from '../../../../src/log/disk/event-decoder.ts';
import { EventEncoder } from '../../../../src/log/disk/event-encoder.ts';
import { FrameWriter } from '../../../../src/log/disk/frame.ts';
import { decodeFrame, encodeFrame } from '../../../../src/log/disk/record.ts';
import { ChangeEvent, type LazyPosition, type Position, type TableSchema, type Value } from '../../../../src/sdk/index.ts';
import { ChangePlace } from '../../../../src/sources/postgresql/position.ts';
import { TABLE as ALL_TYPES, changes, eventOf } from '../../../helpers/all-types.ts';
import { contentOf } from '../../../helpers/event-content.ts';
import { event, value } from './arbitraries.ts';

const ORIGIN = { source: 's', partition: 'p' };
const TABLE: TableSchema = { id: { database: null, schema: null, table: 't' }, columns: [], key: ['id'], version: 1 };

function roundTrip(events: readonly ChangeEvent[], encoder = new EventEncoder(new FrameWriter())): ChangeEvent[] {
  const tables: TableSchema[] = [];
  const bytes = encoder.encode(events, ORIGIN, (table) => tables.push(table) - 1);
  return decodeEvents(bytes, ORIGIN, (number) => tables[number] as TableSchema);
}
const of = (after: Record<string, unknown>): ChangeEvent =>
  new ChangeEvent({ op: 'c', table: TABLE, ...ORIGIN, position: '1' as Position, sourceTsMs: 0, after: after as never });

describe('values of a frame', () => {
  it('come back as they were', () => {
    fc.assert(fc.property(value, (v) => isDeepStrictEqual(decodeFrame(encodeFrame(v)).value, v)));
  });

  it.each([[-0], [Number.NaN], [2 ** 53], [-(2 ** 53)], [1e300], [-1], [0]])('keep the number %d', (n) => {
    expect(Object.is(decodeFrame(encodeFrame(n)).value, n)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['Date', new Date(0)],
    ['Map', new Map()],
    ['Float64Array', new Float64Array(1)],
    ['function', () => 1],
    ['symbol', Symbol('s')],
  ])('a %s is refused, as it would come back as something else', (_name, wrong) => {
    expect(() => encodeFrame([wrong])).toThrow(expect.objectContaining({ code: 'PLUGIN_CONTRACT' }) as Error);
  });
});

describe('events of a record', () => {
  it('come back as they were, with rows in any order of looking', () => {
    const encoder = new EventEncoder(new FrameWriter());
    fc.assert(
      fc.property(fc.array(event, { maxLength: 6 }), fc.boolean(), (events, backwards) => {
        const back = roundTrip(events, encoder);
        if (backwards) for (const e of [...back].reverse()) void [e.after, e.before];
        return isDeepStrictEqual(back.map(contentOf), events.map(contentOf));
      }),
    );
  });

  it('come back as they were from rows and positions that nobody has looked at, and stay unlooked at', () => {
    const encoder = new EventEncoder(new FrameWriter());
    const place = fc
      .tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(), fc.nat(1000))
      .map((parts) => (): LazyPosition => new ChangePlace(...parts));
    fc.assert(
      fc.property(fc.array(fc.tuple(changes, place), { minLength: 1, maxLength: 4 }), (made) => {
        const events = made.map(([init, at]) => eventOf(init(), ALL_TYPES, at()));
        const back = roundTrip(events, encoder);
        for (const e of events) {
          expect(e.lazyPosition()).not.toBeNull();
          for (const side of ['before', 'after'] as const) expect(e.image(side) !== null).toBe(e.has(side));
        }
        expect(back.map(contentOf)).toEqual(events.map(contentOf));
      }),
      { numRuns: 300 },
    );
  });

  it('rows tell single columns and names before they are decoded', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 4 }), (events) => {
        const back = roundTrip(events);
        for (const [i, e] of events.entries()) {
          for (const side of ['before', 'after'] as const) {
            expect(back[i]?.columns(side)).toStrictEqual(e.columns(side));
            for (const column of [...e.columns(side), 'absent']) {
              expect(isDeepStrictEqual(back[i]?.get(side, column), e.get(side, column))).toBe(true);
            }
          }
        }
      }),
    );
  });

  it('keep absent columns absent, row by row', () => {
    const rows = [{ id: 1, a: 2 }, { id: 2 }, { a: 3, id: 3 }, {}, { id: 1, a: 2, b: null }];
    expect(roundTrip(rows.map(of)).map((e) => e.after)).toStrictEqual(rows);
    expect(roundTrip(rows.map(of)).map((e) => Object.keys(e.after ?? {}))).toEqual(rows.map((r) => Object.keys(r)));
  });

  it('keep a key that the rows do not say, and a missing one', () => {
    const moved = of({ id: 1 });
    moved.key = { id: 2 };
    const none = of({ id: 1 });
    none.key = null;
    expect(roundTrip([moved, none, of({ id: 3 }), of({ other: 1 })]).map((e) => e.key)).toEqual([{ id: 2 }, null, { id: 3 }, null]);
  });

  it('are the same objects in their tables', () => {
    const [a, b] = roundTrip([of({}), of({})]);
    expect(a?.table).toBe(TABLE);
    expect(b?.table).toBe(TABLE);
  });

  it('write a row again although it was changed in between', () => {
    const [e] = roundTrip([of({ id: 1 })]) as [ChangeEvent];
    e.replace('after', 'id', 5 as Value);
    expect(roundTrip([e])[0]?.after).toEqual({ id: 5 });
  });
});
