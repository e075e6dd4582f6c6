import { describe, expect, it } from 'vitest';
import { requestSnapshot, type SnapshotAsk, sourceAsked } from '../../../src/engine/snapshot-ask.ts';
import type { SnapshotRequest, Source } from '../../../src/sdk/index.ts';

const ASK: SnapshotAsk = { id: 'r1', source: null, action: 'begin', tables: ['items'], where: 'id > 5' };
const named = (name: string, source: Partial<Source> = {}) => ({ config: { name, type: 'postgresql' }, source: source as Source });
const refusal = { code: 'SOURCE_SNAPSHOT_REFUSED' };

describe('what is asked of a snapshot', () => {
  it('goes to the only source, or to the one that is named', () => {
    expect(sourceAsked('p', [named('a')], ASK).config.name).toBe('a');
    expect(sourceAsked('p', [named('a'), named('b')], { source: 'b' }).config.name).toBe('b');
  });

  it.each([
    ['without a name where there are several', ['a', 'b'], null],
    ['with a name that no source has', ['a'], 'c'],
  ])('is refused %s', (_, names, source) => {
    const sources = names.map((n) => named(n));
    expect(() => sourceAsked('p', sources, { source })).toThrow(expect.objectContaining(refusal));
  });

  it('reaches the source as it was asked, and says which tables were meant', async () => {
    const got: SnapshotRequest[] = [];
    const source = named('a', {
      snapshot: async (request) => {
        got.push(request);
        return { tables: ['public.items'] };
      },
    });
    expect(await requestSnapshot('p', source, ASK)).toEqual({ source: 'a', tables: ['public.items'] });
    expect(got).toEqual([{ id: 'r1', action: 'begin', tables: ['items'], where: 'id > 5' }]);
  });

  it('is refused by a source that cannot', async () => {
    await expect(requestSnapshot('p', named('a'), ASK)).rejects.toMatchObject(refusal);
  });
});
