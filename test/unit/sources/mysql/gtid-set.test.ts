// Sets of GTIDs against sets of numbers.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BinlogDecoder } from '../../../../src/sources/mysql/binlog/decoder.ts';
import { EventType } from '../../../../src/sources/mysql/binlog/events.ts';
import { MariadbGtidPosition, MysqlGtidSet } from '../../../../src/sources/mysql/gtid-set.ts';
import { event } from '../../../helpers/binlog.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562',
  B = '4350f323-7565-4e59-8763-4b1b83a0ce0e';

describe('a set of MySQL', () => {
  test.each([
    ['', ''],
    [`${A}:1-5`, `${A}:1-5`],
    [`${A.toUpperCase()}:5:1-4`, `${A}:1-5`],
    [`${B}:1,\n ${A}:1-3:7-9`, `${A}:1-3:7-9,${B}:1`],
    [`${A}:1-3:2-9`, `${A}:1-9`],
    [`${A}:tag_b:1:tag_a:2-3,${A}:5`, `${A}:5:tag_a:2-3:tag_b:1`],
    [`${A}:1:5-3`, `${A}:1`],
  ])('%j is %j', (text, canonical) => {
    expect(MysqlGtidSet.parse(text)?.toString()).toBe(canonical);
  });

  test.each(['x', A, `${A}:`, `${A}:0`, `${A}:1-`, `${A}:1-2-3`, `${A}:9007199254740993`, `${A.slice(1)}:1`, `${A}:ta-g:1`, 'auto'])(
    '%j is none',
    (text) => {
      expect(MysqlGtidSet.parse(text)).toBeNull();
    },
  );

  const numbers = fc.array(fc.tuple(fc.constantFrom(A, B), fc.constantFrom('', 'x'), fc.integer({ min: 1, max: 60 })), { maxLength: 60 });
  const setOf = (list: readonly (readonly [string, string, number])[]): MysqlGtidSet => {
    const set = new MysqlGtidSet();
    for (const [uuid, tag, gno] of list) set.add(uuid, tag, gno);
    return set;
  };
  const key = ([uuid, tag, gno]: readonly [string, string, number]): string => `${uuid}${tag}/${gno}`;

  test('holds what was added, in any order, and nothing else', () => {
    fc.assert(
      fc.property(numbers, (list) => {
        const set = setOf(list),
          known = new Set(list.map(key));
        for (const uuid of [A, B])
          for (const tag of ['', 'x'])
            for (let gno = 1; gno <= 61; gno++) expect(set.contains(uuid, tag, gno)).toBe(known.has(key([uuid, tag, gno])));
        expect(set.size).toBe(known.size);
        expect(setOf([...list].reverse()).toString()).toBe(set.toString());
        expect(MysqlGtidSet.parse(set.toString())?.toString()).toBe(set.toString());
      }),
      { numRuns: 60 },
    );
  });

  test('is compared and taken away by members', () => {
    fc.assert(
      fc.property(numbers, numbers, (one, two) => {
        const a = setOf(one),
          b = setOf(two),
          known = new Set(two.map(key));
        expect(a.minus(b).toString()).toBe(setOf(one.filter((n) => !known.has(key(n)))).toString());
        expect(b.containsSet(a)).toBe(one.every((n) => known.has(key(n))));
        const both = a.copy();
        both.addSet(b);
        expect(both.toString()).toBe(setOf([...one, ...two]).toString());
        expect(both.containsSet(a) && both.containsSet(b)).toBe(true);
      }),
    );
  });

  test('is sent in the form in which PREVIOUS_GTIDS has it', () => {
    fc.assert(
      fc.property(numbers, (list) => {
        const set = setOf(list);
        expect(new BinlogDecoder().decode(event(EventType.previousGtids, set.encode()))).toMatchObject({ gtids: set.toString() });
      }),
    );
    expect(MysqlGtidSet.parse(`${A}:1-5`)?.encode().toString('hex')).toBe(
      `0100000000000000${A.replaceAll('-', '')}0100000000000000${'01'.padEnd(16, '0')}${'06'.padEnd(16, '0')}`,
    );
  });
});

describe('a position of MariaDB', () => {
  test.each([
    ['', ''],
    ['0-1-100', '0-1-100'],
    ['5-2-7, 0-1-100', '0-1-100,5-2-7'],
  ])('%j is %j', (text, canonical) => {
    expect(MariadbGtidPosition.parse(text)?.toString()).toBe(canonical);
  });

  test.each(['x', '0-1', '0-1-2-3', '0-1-100,0-2-50', '4294967296-1-1', '0-1-9007199254740993'])('%j is none', (text) => {
    expect(MariadbGtidPosition.parse(text)).toBeNull();
  });

  test('covers what its domain has behind it, whichever server wrote it', () => {
    const position = MariadbGtidPosition.parse('0-1-100,5-2-7') as MariadbGtidPosition;
    expect(position.contains({ domain: 0, sequence: 100 })).toBe(true);
    expect(position.contains({ domain: 0, sequence: 101 })).toBe(false);
    expect(position.contains({ domain: 1, sequence: 1 })).toBe(false);
    position.add({ domain: 0, server: 9, sequence: 101 });
    expect(position.toString()).toBe('0-9-101,5-2-7');
    expect(position.containsAll(MariadbGtidPosition.parse('5-1-7,0-1-3') as MariadbGtidPosition)).toBe(true);
    expect(position.containsAll(MariadbGtidPosition.parse('6-1-1') as MariadbGtidPosition)).toBe(false);
  });
});
