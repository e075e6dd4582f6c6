import { describe, expect, it } from 'vitest';
import { Pool, PoolExhausted } from '../../../../src/systems/mysql/pool.ts';
import { VirtualClock } from '../../../helpers/virtual-clock.ts';

interface Made {
  readonly id: number;
}

function poolOf(more: { max?: number; min?: number; open?: () => Promise<Made> } = {}) {
  const clock = new VirtualClock(),
    destroyed: number[] = [];
  let made = 0;
  const pool = new Pool<Made>(
    {
      max: more.max ?? 2,
      min: more.min ?? 0,
      idleMs: 1000,
      waitMs: 500,
      open: more.open ?? (() => Promise.resolve({ id: ++made })),
      destroy: ({ id }) => destroyed.push(id),
    },
    clock,
  );
  return { pool, clock, destroyed };
}

describe('a pool', () => {
  it('lends what was used last, and opens others up to its bound', async () => {
    const { pool } = poolOf();
    const [a, b] = [await pool.take(null), await pool.take(null)];
    expect([a.id, b.id]).toEqual([1, 2]);
    pool.give(a, true);
    pool.give(b, true);
    expect((await pool.take(null)).id).toBe(2);
  });

  it('hands over to who waits, first come first served, and gives up waiting after a while', async () => {
    const { pool, clock } = poolOf({ max: 1 });
    const a = await pool.take(null),
      waiting = [pool.take(null), pool.take(null)];
    pool.give(a, true);
    expect((await waiting[0])?.id).toBe(1);
    await expect(clock.until(waiting[1] as Promise<Made>)).rejects.toThrow(PoolExhausted);
  });

  it('opens another one for who waits when a lent one is gone', async () => {
    const { pool, destroyed } = poolOf({ max: 1 });
    const a = await pool.take(null),
      waiting = pool.take(null);
    pool.give(a, false);
    expect([(await waiting).id, destroyed]).toEqual([2, [1]]);
  });

  it('stops waiting when it is told to, and lends it to nobody then', async () => {
    const { pool } = poolOf({ max: 1 }),
      stop = new AbortController(),
      a = await pool.take(null),
      waiting = pool.take(stop.signal);
    stop.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    pool.give(a, true);
    expect((await pool.take(null)).id).toBe(1);
  });

  it('has room again after a connection that did not open', async () => {
    let tries = 0;
    const { pool } = poolOf({
      max: 1,
      open: () => (++tries === 1 ? Promise.reject(new Error('refused')) : Promise.resolve({ id: tries })),
    });
    await expect(pool.take(null)).rejects.toThrow('refused');
    expect((await pool.take(null)).id).toBe(2);
  });

  it('closes what was idle for too long, but for as many as it keeps', async () => {
    const { pool, clock, destroyed } = poolOf({ max: 3, min: 1 });
    const all = [await pool.take(null), await pool.take(null), await pool.take(null)];
    for (const connection of all) pool.give(connection, true);
    await clock.until(clock.sleep(5000));
    expect(destroyed).toEqual([1, 2]);
    pool.drop(all[2] as Made);
    expect(destroyed).toEqual([1, 2, 3]);
  });

  it('closes idle ones at its end, and waits for those that are lent', async () => {
    const { pool, destroyed } = poolOf();
    const [a, b] = [await pool.take(null), await pool.take(null)];
    pool.give(a, true);
    let isClosed = false;
    const closing = pool.close().then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([destroyed, isClosed]).toEqual([[1], false]);
    await expect(pool.take(null)).rejects.toThrow('closed');
    pool.give(b, true);
    await closing;
    expect(destroyed).toEqual([1, 2]);
  });
});
