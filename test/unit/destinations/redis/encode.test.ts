// What a batch does to the keys of a cache: one write per key, old keys removed, what cannot be applied refused.

import { describe, expect, it } from 'vitest';
import { type EncodeOptions, encodeWrites } from '../../../../src/destinations/redis/encode.ts';
import { KeyPattern } from '../../../../src/destinations/redis/key-pattern.ts';
import { argumentsOf } from '../../../../src/destinations/redis/write-script.ts';
import type { ChangeEvent, Row, TableSchema } from '../../../../src/sdk/index.ts';
import { Events, ITEMS, laneBatch } from '../../../../src/sdk/testing/index.ts';
import { parseTemplate } from '../../../../src/systems/redis/template.ts';

/** The key is `id`, the pattern may need `name`. */
const row = (id: number, name: string | null, note: string | null = null): Row => ({ id, name, note });

interface Case {
  readonly pattern?: string;
  readonly mode?: EncodeOptions['mode'];
  readonly isOnce?: boolean;
  readonly table?: TableSchema;
  readonly events: (e: Events) => ChangeEvent[];
}

function encode({ pattern = 'item:{key}', mode = 'json', isOnce = true, table = ITEMS, events }: Case) {
  const parts = parseTemplate(pattern);
  if (typeof parts === 'string') throw new Error(parts);
  const batch = laneBatch(events(new Events(table)));
  const { writes, failed, blind } = encodeWrites(batch, { mode, pattern: new KeyPattern(parts), isOnce });
  return { writes: writes.map((w) => [w.kind, w.key, ...w.events]), failed: failed.map((f) => [f.index, f.error.code]), blind };
}

describe('a batch of a cache', () => {
  it.each<[string, Case, unknown[][]]>([
    [
      'puts rows',
      { events: (e) => [e.create(row(1, 'a')), e.make({ op: 'r', after: row(2, 'b') })] },
      [
        ['put', 'item:1', 0],
        ['put', 'item:2', 1],
      ],
    ],
    [
      'writes a key once',
      { events: (e) => [e.create(row(1, 'a')), e.update(row(1, 'a'), row(1, 'b')), e.remove(row(1, 'b'))] },
      [['remove', 'item:1', 0, 1, 2]],
    ],
    [
      'removes the key that a row had',
      { events: (e) => [e.update(row(1, 'a'), row(2, 'a'))] },
      [
        ['remove', 'item:1', 0],
        ['put', 'item:2', 0],
      ],
    ],
    [
      'removes the key that a row had by another column than its key',
      { pattern: 'n:{name}', events: (e) => [e.update(row(1, 'a'), row(1, 'b'))] },
      [
        ['remove', 'n:a', 0],
        ['put', 'n:b', 0],
      ],
    ],
    [
      'has no key for a null',
      { pattern: 'n:{name}', events: (e) => [e.create(row(1, null)), e.update(row(1, 'a'), row(1, null))] },
      [['remove', 'n:a', 1]],
    ],
    [
      'removes all keys of mode delete',
      { mode: 'delete', events: (e) => [e.create(row(1, 'a')), e.update(row(2, 'a'), row(3, 'a'))] },
      [
        ['remove', 'item:1', 0],
        ['remove', 'item:2', 1],
        ['remove', 'item:3', 1],
      ],
    ],
    [
      'patches hashes',
      { mode: 'hash', events: (e) => [e.partial(null, { id: 1, note: 'n' }), e.partial(null, { id: 1, name: null })] },
      [['patch', 'item:1', 0, 1]],
    ],
    [
      'puts a patch into a row of the same batch',
      { mode: 'hash', events: (e) => [e.create(row(1, 'a')), e.partial(null, { id: 1, note: 'n' })] },
      [['put', 'item:1', 0, 1]],
    ],
    [
      'moves a hash whose columns are not all known',
      { mode: 'hash', events: (e) => [e.create(row(1, 'a')), e.partial({ id: 1 }, { id: 2, name: 'b' }), e.create(row(1, 'c'))] },
      [
        ['put', 'item:1', 0],
        ['move', 'item:1', 1],
        ['patch', 'item:2', 1],
        ['put', 'item:1', 2],
      ],
    ],
    ['passes messages and schema changes by', { events: (e) => [e.make({ op: 'm' }), e.make({ op: 's' })] }, []],
    ['knows its words', { pattern: '{{t}}:{table}:{schema}:{id}', events: (e) => [e.create(row(1, 'a'))] }, [['put', '{t}:items:_:1', 0]]],
  ])('%s', (_, run, writes) => {
    expect(encode(run)).toMatchObject({ writes, failed: [] });
  });

  it.each<[string, Case, string]>([
    ['a truncate', { events: (e) => [e.truncate()] }, 'DESTINATION_EVENT_REJECTED'],
    ['some columns of a row as JSON', { events: (e) => [e.partial(null, { id: 1 })] }, 'DESTINATION_EVENT_REJECTED'],
    [
      'a delete without the column of the pattern',
      { pattern: 'n:{name}', events: (e) => [e.remove({ id: 1 })] },
      'DESTINATION_EVENT_REJECTED',
    ],
    ['a table without a key', { table: { ...ITEMS, key: [] }, events: (e) => [e.create(row(1, 'a'))] }, 'DESTINATION_EVENT_REJECTED'],
    [
      'a patch of what was just removed',
      { mode: 'hash', events: (e) => [e.remove(row(1, 'a')), e.partial(null, { id: 1, name: 'b' })] },
      'DESTINATION_ROW_MISSING',
    ],
    [
      'a move that could be repeated',
      { mode: 'hash', isOnce: false, events: (e) => [e.partial({ id: 1 }, { id: 2, name: 'b' })] },
      'DESTINATION_EVENT_REJECTED',
    ],
  ])('refuses %s', (_, run, code) => {
    expect(encode(run).failed.map(([, found]) => found)).toEqual([code]);
  });

  it('counts updates whose old key cannot be told', () => {
    const events = (e: Events): ChangeEvent[] => [
      e.update(null, row(1, 'a')),
      e.update({ id: 1 }, row(1, 'a')),
      e.update(row(1, 'a'), row(1, 'b')),
    ];
    expect(encode({ pattern: 'n:{name}', events }).blind).toBe(2);
    expect(encode({ events }).blind).toBe(0);
  });

  it('joins the values of a key so that none looks like another', () => {
    const table = { ...ITEMS, key: ['name', 'note'] };
    const keys = (name: string, note: string) => encode({ table, events: (e) => [e.create(row(1, name, note))] }).writes[0]?.[1];
    expect(keys('a:b', 'c')).toBe('item:a%3Ab:c');
    expect(keys('a', 'b:c')).toBe('item:a:b%3Ac');
    expect(keys('a%3Ab', 'c')).toBe('item:a%253Ab:c');
  });

  it('gives scripts a letter per key', () => {
    const parts = parseTemplate('item:{key}') as never;
    const batch = laneBatch([new Events().partial({ id: 1 }, { id: 2, name: 'b', note: null })]);
    const { writes } = encodeWrites(batch, { mode: 'hash', pattern: new KeyPattern(parts), isOnce: true });
    expect(argumentsOf(writes)).toEqual(['v', 'p', 4, 'id', '2', 'name', 'b', 1, 'note']);
  });
});
