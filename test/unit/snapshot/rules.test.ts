import { describe, expect, it } from 'vitest';
import { RULES, type Touch } from '../../../src/snapshot/rules.ts';

const insert = (key: string | null): Touch => ({ op: 'c', oldKey: null, key, isComplete: true, part: undefined });
const remove = (oldKey: string | null): Touch => ({ op: 'd', oldKey, key: null, isComplete: true, part: undefined });
const update = (oldKey: string | null, key: string | null): Touch => ({ op: 'u', oldKey, key, isComplete: true, part: undefined });
const partial = (oldKey: string | null, key: string | null, part?: unknown): Touch => ({ op: 'u', oldKey, key, isComplete: false, part });
const truncate: Touch = { op: 't', oldKey: null, key: null, isComplete: true, part: undefined };

describe('leavings', () => {
  it.each<[string, Touch[], string, unknown]>([
    ['nothing of an untouched key', [insert('b')], 'a', undefined],
    ['a whole row of an insert', [insert('a')], 'a', { kind: 'whole' }],
    ['nothing under a deleted key', [remove('a')], 'a', { kind: 'gone' }],
    ['nothing under the old key of a move', [update('a', 'b')], 'a', { kind: 'gone' }],
    ['a whole row under the new key of a move', [update('a', 'b')], 'b', { kind: 'whole' }],
    ['parts in their order', [partial('a', 'a', 1), partial('a', 'a', 2)], 'a', { kind: 'part', parts: [1, 2] }],
    ['unknown parts if one was not kept', [partial('a', 'a', 1), partial('a', 'a')], 'a', { kind: 'part', parts: null }],
    ['a whole row that is updated in part', [insert('a'), partial('a', 'a')], 'a', { kind: 'whole' }],
    ['a whole row that is moved in part', [insert('a'), partial('a', 'b')], 'b', { kind: 'whole' }],
    ['a row moved in part', [partial('a', 'b', 1)], 'b', { kind: 'moved' }],
    ['a row moved in part and updated in part', [partial('a', 'b', 1), partial('b', 'b', 2)], 'b', { kind: 'moved' }],
    ['nothing of any key after TRUNCATE', [insert('b'), truncate], 'b', { kind: 'gone' }],
    ['nothing of a key that was never named after TRUNCATE', [truncate], 'z', { kind: 'gone' }],
    ['a row inserted after TRUNCATE', [truncate, insert('a')], 'a', { kind: 'whole' }],
  ])('leaves %s', (_what, touches, key, expected) => {
    expect(RULES.leavings(touches).of(key)).toEqual(expected);
  });

  it.each([[insert(null)], [remove(null)], [update(null, 'a')], [update('a', null)]])(
    'says that any row may have been touched when a key cannot be told',
    (touch) => {
      expect(RULES.leavings([touch]).unknown).toBe(true);
    },
  );
});

describe('rows', () => {
  const some = RULES.leavings([insert('z')]),
    none = RULES.leavings([]);

  it.each([
    ['untouched', false, undefined, 'send', 'send'],
    ['whole since', false, { kind: 'whole' }, 'drop', 'drop'],
    ['gone since', false, { kind: 'gone' }, 'drop', 'drop'],
    ['newer in part', false, { kind: 'part', parts: [1] }, 'list', 'merge'],
    ['newer in unknown parts', false, { kind: 'part', parts: null }, 'list', 'stay'],
    ['moved here since', false, { kind: 'moved' }, 'list', 'stay'],
    ['doubtful', true, undefined, 'list', 'stay'],
  ] as const)('decides on a row that is %s', (_what, isDoubtful, left, range, listed) => {
    expect(RULES.rangeRow(isDoubtful, left, some)).toBe(range);
    expect(RULES.listedRow(isDoubtful, left, some)).toBe(listed);
  });

  it('sends a doubtful row when nothing was touched', () => {
    expect(RULES.rangeRow(true, undefined, none)).toBe('send');
    expect(RULES.listedRow(true, undefined, none)).toBe('send');
  });
});

describe('listsAtOnce', () => {
  it.each([
    ['a complete change of key', 'a', 'b', true, true, false],
    ['an incomplete one', 'a', 'b', false, true, true],
    ['an incomplete change of a row that stays', 'a', 'a', false, true, false],
    ['the same where chunks are in another order', 'a', 'a', false, false, true],
  ])('decides on %s', (_what, oldKey, key, isComplete, isOrdered, expected) => {
    expect(RULES.listsAtOnce(oldKey, key, isComplete, isOrdered)).toBe(expected);
  });
});
