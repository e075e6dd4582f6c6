// The null destination: counts, and encodes only when told to.

import { describe, expect, it } from 'vitest';
import { NullDestination } from '../../../../src/destinations/null/index.ts';
import type { ComponentContext } from '../../../../src/sdk/index.ts';
import { silentLogger } from '../../../../src/sdk/index.ts';
import { laneBatch, rowEvent } from '../lane-batch.ts';

const ctx: ComponentContext = {
  pipeline: 'p',
  name: 'sink',
  logger: silentLogger,
  clock: { now: () => 0, sleep: async () => {} },
  random: () => 0,
};

describe('the null destination', () => {
  it('counts what it drops, without what is skipped, and never encodes', async () => {
    const sink = new NullDestination({ encode: false }, ctx);
    const batch = {
      ...laneBatch([rowEvent(1), rowEvent(2), rowEvent(3)], { skip: [1] }),
      encoded: () => {
        throw new Error('encoded');
      },
    };
    expect(await sink.write(batch)).toEqual({ kind: 'stored' });
    expect(sink.dropped).toEqual({ events: 2, bytes: 0 });
    expect(await sink.committed()).toEqual({ kind: 'untracked' });
  });

  it('encodes when told to', async () => {
    const sink = new NullDestination({ encode: true }, ctx);
    await sink.write(laneBatch([rowEvent(1), rowEvent(2)], {}));
    expect(sink.dropped.events).toBe(2);
    expect(sink.dropped.bytes).toBeGreaterThan(20);
  });
});
