// The contract of a dead letter queue that can be read, run for each kind.

import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DeadLetterStore } from '../../../src/dead-letters/store.ts';
import type { DeadLetter } from '../../../src/engine/api.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { contentOf } from '../../helpers/event-content.ts';
import { event, letter } from './samples.ts';

export async function collect(store: DeadLetterStore): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const one of store.letters()) letters.push(one);
  return letters;
}
const ids = async (store: DeadLetterStore): Promise<string[]> => (await collect(store)).map((l) => l.id);
const idOf = (n: number): string => letter(n).id;
const plain = ({ error, event: e, replay: _, ...rest }: DeadLetter): unknown => ({ ...rest, error: error.toJSON(), event: contentOf(e) });

export function describeStoreContract(kind: string, open: (path: string) => DeadLetterStore): void {
  async function folder(): Promise<{ dir: string; path: string } & AsyncDisposable> {
    const dir = await mkdtemp(join(tmpdir(), 'cdc-dlq-'));
    return { dir, path: join(dir, 'dlq', `q-${randomUUID()}`), [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
  }
  async function withStore<T>(path: string, work: (store: DeadLetterStore) => Promise<T>): Promise<T> {
    const store = open(path);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  describe(`a dead letter queue of type ${kind}`, () => {
    it('keeps letters whole and in order of arrival, over a restart', async () => {
      await using f = await folder();
      const letters = [
        letter(3),
        letter(1, { lane: null, stage: 'decode', event: null, input: 'a;b\nc "ü" \u2028', at: 'line 12 of orders.csv' }),
        letter(2, { event: null, input: new Uint8Array([0, 255, 10]) }),
        letter(4, { stage: 'lane_transform', event: event(4, { headers: { a: 'b' } }) }),
        letter(5, { protection: { kind: 'removed', columns: ['card'] } }),
      ];
      await withStore(f.path, (store) => store.put(letters));
      await withStore(f.path, async (store) => {
        expect((await collect(store)).map(plain)).toStrictEqual(letters.map(plain));
        expect(plain((await store.get(idOf(2))) as DeadLetter)).toStrictEqual(plain(letters[2] as DeadLetter));
        expect(await store.get('nobody')).toBeNull();
      });
    });

    it('says at the start where it cannot be written, and makes no file where it can', async () => {
      await using f = await folder();
      await withStore(f.path, (store) => store.check?.() as Promise<void>);
      expect(readdirSync(f.dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())).toEqual([]);
      const refused = {
        code: 'DLQ_UNAVAILABLE',
        retriable: false,
        where: expect.stringMatching(/./) as string,
        fix: expect.stringMatching(/./) as string,
      };
      // In /proc nothing can be made, and it says so in a way for which Node's own recursive mkdir has no end.
      await withStore('/proc/nothing/dlq/q', (store) => expect(store.check?.()).rejects.toMatchObject(refused));
      await withStore('/proc/nothing/dlq/q', (store) => expect(store.put([letter(1)])).rejects.toMatchObject(refused));
      await withStore(f.dir, (store) => expect(store.check?.()).rejects.toMatchObject(refused));
    });

    it('creates nothing before the first letter, and reads as empty until then', async () => {
      await using f = await folder();
      await withStore(f.path, async (store) => {
        expect([await ids(store), await store.get('x'), await store.remove(new Set(['x']))]).toEqual([[], null, 0]);
      });
      expect(readdirSync(f.dir)).toEqual([]);
    });

    it('makes no second letter of one that comes again: attempts add up, the first time stays, the error is the last one', async () => {
      await using f = await folder();
      const again = (lastMs: number): DeadLetter =>
        letter(1, { attempts: 2, firstMs: 50, lastMs, error: new CdcError('DESTINATION_ROW_MISSING', 'no row', { fix: 'Look.' }) });
      await withStore(f.path, async (store) => {
        await store.put([letter(1), letter(2), letter(1)]);
        await store.put([again(70)]);
      });
      await withStore(f.path, async (store) => {
        await store.put([again(60)]);
        expect(await ids(store)).toEqual([idOf(1), idOf(2)]);
        const first = (await store.get(idOf(1))) as DeadLetter;
        expect(first).toMatchObject({ attempts: 7, firstMs: 1, lastMs: 70, error: { code: 'DESTINATION_ROW_MISSING', fix: 'Look.' } });
        expect(contentOf(first.event)).toStrictEqual(contentOf(letter(1).event));
      });
    });

    it('removes letters for good, and takes them again as new ones', async () => {
      await using f = await folder();
      await withStore(f.path, async (store) => {
        await store.put([letter(1), letter(2), letter(3)]);
        await store.put([letter(1)]);
        expect(await store.remove(new Set([idOf(1), idOf(3), 'nobody']))).toBe(2);
        expect(await ids(store)).toEqual([idOf(2)]);
        await store.put([letter(3), letter(1)]);
      });
      await withStore(f.path, async (store) => {
        expect(await ids(store)).toEqual([idOf(2), idOf(3), idOf(1)]);
        expect(await store.get(idOf(1))).toMatchObject({ attempts: 3 });
      });
    });

    it('remembers a replay that began, until the letter fails again', async () => {
      await using f = await folder();
      const mark = { startedMs: 9, delivered: ['a', 'b'] };
      await withStore(f.path, async (store) => {
        await store.put([letter(1), letter(2), letter(3)]);
        await store.mark([idOf(1)], { startedMs: 5, delivered: [] });
        await store.mark([idOf(1), idOf(3)], mark);
      });
      await withStore(f.path, async (store) => {
        expect((await collect(store)).map((l) => l.replay ?? null)).toEqual([mark, null, mark]);
        await store.put([letter(1)]);
        expect((await store.get(idOf(1)))?.replay ?? null).toBeNull();
      });
    });

    it('takes letters of several lanes at once', async () => {
      await using f = await folder();
      await withStore(f.path, async (store) => {
        await Promise.all(Array.from({ length: 30 }, (_, n) => store.put([letter(n), letter(n + 1)])));
        expect((await ids(store)).sort()).toEqual(Array.from({ length: 31 }, (_, n) => idOf(n)).sort());
      });
    });

    it('reads more letters than it holds in memory at once', async () => {
      await using f = await folder();
      await withStore(f.path, async (store) => {
        await store.put(Array.from({ length: 450 }, (_, n) => letter(n)));
        expect(await ids(store)).toEqual(Array.from({ length: 450 }, (_, n) => idOf(n)));
      });
    });

    it('throws DLQ_UNAVAILABLE where it cannot write', async () => {
      await using f = await folder();
      await withStore(f.dir, async (store) => {
        await expect(store.put([letter(1)])).rejects.toMatchObject({
          code: 'DLQ_UNAVAILABLE',
          where: 'error_handling.dead_letter_queue.path',
          fix: expect.any(String),
        });
      });
      expect(existsSync(f.path)).toBe(false);
    });
  });
}
