import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KEPT_RUNS_IN_DOCUMENT } from '../../../src/state/document-store.ts';
import { MemoryStateStore } from '../../../src/state/memory-store.ts';
import { openStateStore } from '../../../src/state/open.ts';
import { KEPT_RUNS } from '../../../src/state/store.ts';
import { linesUntilKilled, runChild } from '../../helpers/child.ts';
import { describeStateStore, laneAt, type StoreUnderTest } from './store-suite.ts';

describeStateStore('the memory store', async () => {
  const store = new MemoryStateStore();
  return {
    store,
    async reopen() {
      await store.close();
      return store;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
    },
  };
});

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'cdc-state-'));
  return {
    path: join(dir, 'state'),
    async [Symbol.asyncDispose]() {
      await rm(dir, { recursive: true });
    },
  };
}

for (const [type, keptRuns] of [
  ['sqlite', KEPT_RUNS],
  ['file', KEPT_RUNS_IN_DOCUMENT],
] as const) {
  describeStateStore(
    `the store ${type}`,
    async () => {
      const f = await folder();
      const { path } = f;
      const test: StoreUnderTest = {
        store: await openStateStore({ type, path }),
        async reopen() {
          await test.store.close();
          test.store = await openStateStore({ type, path });
          return test.store;
        },
        async [Symbol.asyncDispose]() {
          await test.store.close();
          await f[Symbol.asyncDispose]();
        },
      };
      return test;
    },
    keptRuns,
  );

  describe(`processes at the store ${type}`, () => {
    it('lose no save that was confirmed when they are killed, and leave none half done', async () => {
      await using f = await folder();
      let confirmed = 0;
      for (const saves of [1, 7, 23]) {
        const { lines } = await linesUntilKilled(join(import.meta.dirname, 'kill-child.ts'), [type, f.path], saves);
        confirmed = Number(lines.at(-1));
        const store = await openStateStore({ type, path: f.path });
        const { epoch, lanes, transformer } = await store.load('orders');
        // The save under way at the kill may have been stored; nothing older, nothing in part.
        expect(epoch - confirmed).toBeOneOf([0, 1]);
        expect({ lanes, transformer }).toEqual({
          lanes: { a: laneAt(epoch), b: laneAt(epoch) },
          transformer: { point: laneAt(epoch).points[0], state: new Uint8Array(3000).fill(epoch) },
        });
        const delivered = await store.delivered('orders');
        expect(delivered.find(({ bucket }) => bucket === epoch % 3)?.ids).toEqual(new Uint8Array(1600).fill(epoch));
        await store.close();
      }
      expect(confirmed).toBeGreaterThanOrEqual(31);
    });

    it('hold the lease one at a time, and none of their saves is lost', async () => {
      await using f = await folder();
      const rounds = 25;
      const ended = await Promise.all(
        ['a/1/x', 'b/2/y'].map((owner) => runChild(join(import.meta.dirname, 'lease-child.ts'), [type, f.path, owner, String(rounds)])),
      );
      expect(ended.map(({ code, err }) => [code, err])).toEqual([
        [0, ''],
        [0, ''],
      ]);
      const store = await openStateStore({ type, path: f.path });
      expect((await store.load('orders')).epoch).toBe(2 * rounds);
      await store.close();
    });
  });
}
