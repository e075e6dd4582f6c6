import { describe, expect, it } from 'vitest';
import { type PluginStore, type Position, silentLogger } from '../../../src/sdk/index.ts';
import type { RequestOutcome } from '../../../src/snapshot/engine.ts';
import { type OrderTaker, SnapshotOrders } from '../../../src/snapshot/orders.ts';

const at = (n: number): Position => String(n).padStart(4, '0') as Position;

function memory(): PluginStore & { isFull: boolean } {
  const values = new Map<string, Uint8Array>();
  const store = {
    isFull: false,
    get: async (key: string) => values.get(key) ?? null,
    set: async (key: string, value: Uint8Array) => {
      if (store.isFull) throw new Error('the disk is full');
      values.set(key, value);
    },
  };
  return store;
}

/** Writes down what it is told; tables in `busy` have a run of all rows under way. */
function taker(busy: ReadonlySet<string> = new Set()): OrderTaker & { readonly said: string[] } {
  const said: string[] = [];
  return {
    said,
    request: ([table = ''], where) => {
      const outcome: RequestOutcome = table === 'gone' ? 'no_such_table' : where !== null && busy.has(table) ? 'unfinished' : 'begun';
      said.push(`${outcome} ${table}${where === null ? '' : ` where ${where}`}`);
      return new Map([[table, outcome]]);
    },
    skip: (table) => said.push(`skip ${table}`),
    pause: (table) => said.push(`pause ${table}`),
    unpause: (table) => said.push(`unpause ${table}`),
  };
}

const open = (store: PluginStore): Promise<SnapshotOrders> => SnapshotOrders.load(store, silentLogger);
const begin = (tables: readonly string[], where: string | null = null, id = tables.join()) =>
  ({ id, action: 'begin', tables, where }) as const;

describe('orders for snapshots', () => {
  it('are taken up by the next start when they were stored for it', async () => {
    const store = memory();
    await (await open(store)).add(begin(['a', 'b'], 'id > 5'));
    const orders = await open(store),
      engine = taker();
    orders.begin(at(1));
    expect(orders.hasWork).toBe(true);
    orders.apply(engine);
    expect(engine.said).toEqual(['begun a where id > 5', 'begun b where id > 5']);
    expect(orders.hasWork).toBe(false);
  });

  it('are taken up again after a crash until the place where they were told is acknowledged', async () => {
    const store = memory(),
      first = await open(store);
    first.begin(at(1));
    await first.add(begin(['a']));
    first.apply(taker());
    first.told(at(5));
    await first.acknowledged(at(4));
    const second = await open(store),
      engine = taker();
    second.begin(at(4));
    second.apply(engine);
    expect(engine.said).toEqual(['begun a']);
    second.told(at(6));
    await second.acknowledged(at(6));
    const third = await open(store);
    third.begin(at(6));
    expect(third.hasWork).toBe(false);
  });

  it('are not begun again by a reading of the same process that resumes behind the place where they were told', async () => {
    const orders = await open(memory());
    orders.begin(at(1));
    await orders.add(begin(['a']));
    orders.apply(taker());
    orders.told(at(5));
    orders.begin(at(5));
    expect(orders.hasWork).toBe(false);
    orders.begin(at(4));
    expect(orders.hasWork).toBe(true);
  });

  it('with a condition wait until a run of all rows has ended', async () => {
    const orders = await open(memory()),
      busy = new Set(['a']),
      engine = taker(busy);
    orders.begin(at(1));
    await orders.add(begin(['a'], 'id > 5'));
    orders.apply(engine);
    expect(orders.hasWork).toBe(true);
    busy.clear();
    orders.apply(engine);
    expect(orders.hasWork).toBe(false);
    expect(engine.said.filter((s) => s.includes('where'))).toEqual(['unfinished a where id > 5', 'begun a where id > 5']);
  });

  it('are stored once when one request comes twice, and settled when a table is gone', async () => {
    const store = memory(),
      orders = await open(store);
    orders.begin(at(1));
    await orders.add(begin(['a', 'gone'], null, 'one'));
    await orders.add(begin(['a', 'gone'], null, 'one'));
    const engine = taker();
    orders.apply(engine);
    expect(engine.said.filter((s) => !s.startsWith('unpause'))).toEqual(['begun a', 'no_such_table gone']);
    orders.told(at(2));
    await orders.acknowledged(at(2));
    const next = await open(store);
    next.begin(at(2));
    expect(next.hasWork).toBe(false);
  });

  it('pause a table for all starts until it is resumed, begun or skipped', async () => {
    const store = memory();
    for (const action of ['resume', 'begin', 'skip'] as const) {
      await (await open(store)).add({ id: `p-${action}`, action: 'pause', tables: ['a'], where: null });
      const orders = await open(store),
        engine = taker();
      orders.begin(at(1));
      orders.apply(engine);
      expect(engine.said).toContain('pause a');
      expect([...orders.paused]).toEqual(['a']);
      await orders.add({ id: action, action, tables: ['a'], where: null });
      orders.apply(engine);
      expect(engine.said.at(-1)).toBe('unpause a');
      expect([...(await open(store)).paused]).toEqual([]);
    }
  });

  it('are refused, and forgotten, when they cannot be stored', async () => {
    const store = memory(),
      orders = await open(store);
    orders.begin(at(1));
    store.isFull = true;
    let told = 0;
    orders.onNew = () => told++;
    await expect(orders.add(begin(['a']))).rejects.toThrow('the disk is full');
    expect([orders.hasWork, told]).toEqual([false, 0]);
    store.isFull = false;
    await orders.add(begin(['b']));
    expect([orders.hasWork, told]).toEqual([true, 1]);
  });

  it('go in the order in which they were given', async () => {
    const orders = await open(memory()),
      engine = taker();
    orders.begin(at(1));
    await Promise.all([
      orders.add(begin(['a'])),
      orders.add({ id: '2', action: 'skip', tables: ['a'], where: null }),
      orders.add(begin(['a'], 'id > 5', '3')),
    ]);
    orders.apply(engine);
    expect(engine.said.filter((s) => !s.startsWith('unpause'))).toEqual(['begun a', 'skip a', 'begun a where id > 5']);
  });
});
