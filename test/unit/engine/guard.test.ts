// Bounds on awaited plugins.

import { describe, expect, it } from 'vitest';
import { aroundNext, withTimeout } from '../../../src/engine/guard.ts';
import { systemClock } from '../../../src/sdk/index.ts';

const never = new Promise<never>(() => {});
const after = (ms: number): Promise<void> => systemClock.sleep(ms);

describe('withTimeout', () => {
  it('passes results and errors on', async () => {
    expect(await withTimeout(systemClock, 'p', 1000, Promise.resolve(7))).toBe(7);
    await expect(withTimeout(systemClock, 'p', 1000, Promise.reject(new Error('own')))).rejects.toThrow('own');
  });
  it('names the plugin that does not answer', async () => {
    await expect(withTimeout(systemClock, 'p', 5, never)).rejects.toMatchObject({ code: 'PLUGIN_TIMEOUT', where: 'plugin "p"' });
  });
});

describe('aroundNext', () => {
  it('does not count the time inside next', async () => {
    expect(
      await aroundNext(
        systemClock,
        'm',
        10,
        (next) => next(),
        async () => {
          await after(40);
          return 'stored';
        },
      ),
    ).toBe('stored');
  });
  it('counts the time before and after next', async () => {
    await expect(
      aroundNext(
        systemClock,
        'm',
        10,
        async (next) => {
          await never;
          return next();
        },
        async () => 1,
      ),
    ).rejects.toMatchObject({ code: 'PLUGIN_TIMEOUT' });
    await expect(
      aroundNext(
        systemClock,
        'm',
        10,
        async (next) => {
          await next();
          return never;
        },
        async () => 1,
      ),
    ).rejects.toMatchObject({ code: 'PLUGIN_TIMEOUT' });
  });
  it.each([
    ['forgets next', async () => 1],
    [
      'calls next twice',
      async (next: () => Promise<number>) => {
        await next();
        return next();
      },
    ],
  ])('refuses a middleware that %s', async (_title, call) => {
    await expect(aroundNext(systemClock, 'm', 1000, call, async () => 1)).rejects.toMatchObject({ code: 'PLUGIN_CONTRACT' });
  });
  it('passes an error of next on', async () => {
    await expect(
      aroundNext(
        systemClock,
        'm',
        1000,
        (next) => next(),
        () => Promise.reject(new Error('write failed')),
      ),
    ).rejects.toThrow('write failed');
  });
});
