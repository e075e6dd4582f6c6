// The transform chain: filtering, adding, failing, timing out.

import { describe, expect, it } from 'vitest';
import { type ChainStep, TransformChain } from '../../../src/engine/transform-chain.ts';
import { ChangeEvent, type Clock, positionOfNumber, systemClock, type Transformer } from '../../../src/sdk/index.ts';

const TABLE = { id: { database: null, schema: null, table: 't' }, columns: [], key: ['id'], version: 1 };
const event = (n: number): ChangeEvent =>
  new ChangeEvent({
    op: 'c',
    table: TABLE,
    source: 's',
    partition: 'p',
    position: positionOfNumber(n),
    sourceTsMs: 0,
    after: { id: n, v: 'x' },
  });
const events = (n: number): ChangeEvent[] => Array.from({ length: n }, (_, i) => event(i + 1));
const step = (transform: Transformer['transform'], name = 'plugin'): ChainStep => ({ name, timeoutMs: 50, transformer: { transform } });
const chain = (steps: ChainStep[], clock: Clock = systemClock) => new TransformChain(steps, clock, null);
const ids = (list: readonly ChangeEvent[]): unknown[] => list.map((e) => e.after?.['id']);

describe('TransformChain', () => {
  it('hands an empty chain through untouched', async () => {
    const input = events(3);
    expect((await chain([]).run(input)).events).toBe(input);
  });

  it('counts what a transformer leaves out as filtered', async () => {
    const result = await chain([step((list) => list.filter((e) => e.get('after', 'id') !== 2))]).run(events(3));
    expect([ids(result.events), result.filtered, result.failures]).toEqual([[1, 3], 1, []]);
  });

  it('numbers events that are added, so that ids are unique and the same after a repeat', async () => {
    const explode = step((list) => list.flatMap((e) => [e, e.copy({ after: { id: 0 } }), e.copy({ after: { id: 1 } })]));
    const run = async (steps: ChainStep[]) => (await chain(steps).run(events(2))).events.map((e) => e.id);
    expect((await run([explode])).slice(0, 3)).toEqual(['s/p/0000000000000001', 's/p/0000000000000001.1', 's/p/0000000000000001.2']);
    const first = await run([explode, explode]);
    expect(new Set(first).size).toBe(18);
    expect(await run([explode, explode])).toEqual(first);
    // Called event by event, because one of a batch made it throw, it gives the same numbers.
    let calls = 0;
    const failing = step((list) => {
      if (++calls === 1) throw new Error('once');
      return explode.transformer.transform(list);
    });
    expect(await run([explode, failing])).toEqual(first);
  });

  it('parks only the event that makes a transformer throw, as it was before that step', async () => {
    const first = step((list) => {
      for (const e of list) e.replace('after', 'v', 'masked');
      return list;
    }, 'first');
    const second = step((list) => {
      for (const e of list) {
        e.replace('after', 'v', `${String(e.get('after', 'v'))}!`);
        if (e.get('after', 'id') === 2) throw new Error('no twos');
      }
      return list;
    }, 'second');
    const result = await chain([first, second]).run(events(3));
    expect(result.events.map((e) => e.after)).toEqual([
      { id: 1, v: 'masked!' },
      { id: 3, v: 'masked!' },
    ]);
    expect(result.failures).toMatchObject([
      { component: 'second', error: { code: 'PLUGIN_FAILED', message: 'no twos' }, event: { after: { id: 2, v: 'masked' } } },
    ]);
    expect(result.filtered).toBe(0);
  });

  it('parks an event whose transformer never answers', async () => {
    const result = await chain([step((list) => (list.some((e) => e.get('after', 'id') === 2) ? new Promise(() => {}) : list))]).run(
      events(3),
    );
    expect([ids(result.events), result.failures.map((f) => f.error.code)]).toEqual([[1, 3], ['PLUGIN_TIMEOUT']]);
  });

  it('gives up on a transformer that never answers anything', async () => {
    await expect(chain([step(() => new Promise(() => {}))]).run(events(50))).rejects.toMatchObject({ code: 'PLUGIN_TIMEOUT' });
  });

  it.each([
    ['no list', () => undefined as never],
    ['something else in the list', () => [{}] as never],
    ['an event of elsewhere', () => [event(99)]],
  ])('refuses a transformer that returns %s', async (_title, transform) => {
    await expect(chain([step(transform)]).run(events(2))).rejects.toMatchObject({ code: 'PLUGIN_CONTRACT' });
  });

  it('restores a stateful transformer before it tries the events one by one', async () => {
    let sum = 0;
    const transformer = {
      transform: (list: ChangeEvent[]) => {
        for (const e of list) {
          sum += Number(e.get('after', 'id'));
          if (e.get('after', 'id') === 2) throw new Error('no twos');
        }
        return [];
      },
      save: () => Uint8Array.of(sum),
      restore: (state: Uint8Array) => {
        sum = state[0] ?? 0;
      },
      flush: () => [],
    };
    const result = await chain([{ name: 'sum', timeoutMs: 50, transformer }]).run(events(3));
    expect([sum, result.failures.length]).toEqual([4, 1]);
  });
});
