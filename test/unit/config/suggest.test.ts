import { describe, expect, it } from 'vitest';
import { editDistance, suggest } from '../../../src/config/suggest.ts';

describe('suggest', () => {
  it.each([
    ['prot', ['port', 'host'], 'port'],
    ['batchSize', ['batch_size', 'batch_bytes'], 'batch_size'],
    ['BATCH-SIZE', ['batch_size'], 'batch_size'],
    ['postgrse', ['postgres', 'postgresql'], 'postgres'],
    ['desination', ['source', 'destination', 'destinations'], 'destination'],
    ['x', ['y', 'type'], 'y'],
    ['watermark', ['required', 'type'], undefined],
    ['port', ['port'], undefined],
    ['a'.repeat(10_000), ['a'], undefined],
  ])('%s among %j → %s', (name, candidates, expected) => {
    expect(suggest(name, candidates)).toBe(expected);
  });

  it('counts a swap of neighbours as one step', () => {
    expect([
      editDistance('prot', 'port'),
      editDistance('kitten', 'sitting'),
      editDistance('', 'abc'),
      editDistance('same', 'same'),
    ]).toEqual([1, 3, 3, 0]);
  });
});
