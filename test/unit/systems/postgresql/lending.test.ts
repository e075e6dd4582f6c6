// A connection of a pool, for who may be stopped while waiting for it.

import type { PoolClient } from 'pg';
import { describe, expect, it } from 'vitest';
import { lend } from '../../../../src/systems/postgresql/lending.ts';

/** A pool that connects when told, and counts what was given back. */
function slowPool() {
  let connected = (_: PoolClient): void => undefined;
  const connecting = new Promise<PoolClient>((resolve) => {
    connected = resolve;
  });
  const pool = { released: 0, connect: () => connecting as never, arrive: () => connected(client) };
  const client = { release: () => pool.released++ } as unknown as PoolClient;
  return { pool, client, connecting };
}

describe('a lent connection', () => {
  it('is the one that the pool has, with and without anybody who may stop it', async () => {
    const { pool, client } = slowPool();
    pool.arrive();
    expect(await lend(pool, null)).toBe(client);
    expect(await lend(pool, new AbortController().signal)).toBe(client);
    expect(pool.released).toBe(0);
  });

  it.each(['before', 'after'])('is not waited for by who was stopped %s asking for it, and is given back when it comes', async (when) => {
    const { pool, connecting } = slowPool(),
      stop = new AbortController();
    if (when === 'before') stop.abort(new Error('stopped'));
    const lent = lend(pool, stop.signal);
    if (when === 'after') stop.abort(new Error('stopped'));
    await expect(lent).rejects.toThrow('stopped');
    pool.arrive();
    await connecting;
    expect(pool.released).toBe(1);
  });

  it('is refused in the words of the pool', async () => {
    const refused = { connect: () => Promise.reject(new Error('no room')) as never };
    await expect(lend(refused, new AbortController().signal)).rejects.toThrow('no room');
  });
});
