import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openFileDeadLetterQueue } from '../../../src/dead-letters/file-queue.ts';
import { readDeadLetters } from '../../../src/dead-letters/reader.ts';
import { RecentIds } from '../../../src/dead-letters/recent-ids.ts';
import type { DeadLetter } from '../../../src/engine/api.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { linesUntilKilled } from '../../helpers/child.ts';
import { contentOf } from '../../helpers/event-content.ts';
import { event, letter } from './samples.ts';

async function folder(): Promise<{ path: string; dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'cdc-dlq-'));
  return {
    dir,
    path: join(dir, 'dlq', 'orders.ndjson'),
    async [Symbol.asyncDispose]() {
      await rm(dir, { recursive: true });
    },
  };
}

async function put(path: string, ...letters: DeadLetter[]): Promise<void> {
  const queue = openFileDeadLetterQueue(path);
  try {
    await queue.put(letters);
  } finally {
    await queue.close();
  }
}

async function read(path: string): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const one of readDeadLetters(path)) letters.push(one);
  return letters;
}
const ids = async (path: string): Promise<string[]> => (await read(path)).map((l) => l.id);
const idOf = (n: number): string => letter(n).id;

describe('writing', () => {
  it('keeps letters whole, in order, in a file that only its owner may read', async () => {
    await using f = await folder();
    const letters = [
      letter(1),
      letter(2, { lane: null, stage: 'decode', event: null, input: 'a;b\nc "ü"', at: 'line 12 of orders.csv' }),
      letter(3, { event: null, input: new Uint8Array([0, 255, 10]) }),
      letter(4, {
        error: new CdcError('PLUGIN_FAILED', 'x', { retriable: true }),
        stage: 'transform',
        event: event(4, { headers: { a: 'b' } }),
      }),
    ];
    await put(f.path, ...letters);
    const back = await read(f.path);
    const plain = (l: DeadLetter): unknown => ({ ...l, error: l.error.toJSON(), event: contentOf(l.event) });
    expect(back.map(plain)).toStrictEqual(letters.map(plain));
    expect(back[0]?.error).toBeInstanceOf(CdcError);
    expect(statSync(f.path).mode & 0o777).toBe(0o600);
    expect(readFileSync(f.path, 'utf8').split('\n')).toHaveLength(5);
  });

  it('creates nothing before the first letter', async () => {
    await using f = await folder();
    const queue = openFileDeadLetterQueue(f.path);
    await queue.close();
    expect(readdirSync(f.dir)).toEqual([]);
  });

  it('has written and synced when a put resolves', async () => {
    await using f = await folder();
    const queue = openFileDeadLetterQueue(f.path);
    const order: string[] = [];
    await spied('datasync', async function (original) {
      await original.call(this);
      order.push('sync');
    });
    await queue.put([letter(1)]);
    order.push('resolved');
    expect(order).toEqual(['sync', 'resolved']);
    await queue.close();
  });

  it('does not double a letter that is there: in one put, in a later one, after a restart', async () => {
    await using f = await folder();
    const queue = openFileDeadLetterQueue(f.path);
    await queue.put([letter(1), letter(2), letter(1)]);
    await queue.put([letter(2), letter(3)]);
    await queue.close();
    await put(f.path, letter(1), letter(3), letter(4, { id: 'quoted "id" \\ with ü' }));
    await put(f.path, letter(4, { id: 'quoted "id" \\ with ü' }));
    expect(await ids(f.path)).toEqual([idOf(1), idOf(2), idOf(3), 'quoted "id" \\ with ü']);
  });

  it('finds ids in lines longer than what it reads at once', async () => {
    await using f = await folder();
    await put(f.path, letter(1, { input: 'x'.repeat(700_000) }), letter(2), letter(3, { input: 'é'.repeat(300_000) }));
    await put(f.path, letter(1), letter(2), letter(3));
    expect(await ids(f.path)).toEqual([idOf(1), idOf(2), idOf(3)]);
  });

  it('takes letters of several lanes at once, and of two queues on one file', async () => {
    await using f = await folder();
    const [a, b] = [openFileDeadLetterQueue(f.path), openFileDeadLetterQueue(f.path)];
    await Promise.all(Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? a : b).put([letter(n), letter(n + 1)])));
    await Promise.all([a.close(), b.close()]);
    expect((await ids(f.path)).sort()).toEqual(Array.from({ length: 31 }, (_, n) => idOf(n)).sort());
  });

  it('begins a new file when the old one was moved away, and when it was removed', async () => {
    await using f = await folder();
    const queue = openFileDeadLetterQueue(f.path);
    await queue.put([letter(1)]);
    renameSync(f.path, `${f.path}.old`);
    await queue.put([letter(2)]);
    rmSync(f.path);
    await queue.put([letter(1)]);
    await queue.close();
    expect([await ids(`${f.path}.old`), await ids(f.path)]).toEqual([[idOf(1)], [idOf(1)]]);
  });
});

describe('repair', () => {
  const torn: [string, string][] = [
    ['half a line', '{"id":"bus:shop/main/000'],
    ['a whole line without its end', JSON.stringify({ id: 'never confirmed' })],
    ['a torn multi-byte character', '{"id":"ü'.slice(0, -1)],
    ['a long torn line', `{"id":"x","input":"${'y'.repeat(600_000)}`],
  ];
  it.each(torn)('cuts %s at the end', async (_title, tail) => {
    await using f = await folder();
    await put(f.path, letter(1), letter(2));
    appendFileSync(f.path, tail);
    expect(await ids(f.path)).toEqual([idOf(1), idOf(2)]);
    await put(f.path, letter(3));
    expect(await ids(f.path)).toEqual([idOf(1), idOf(2), idOf(3)]);
  });

  it('leaves nothing of a file that holds only a torn line', async () => {
    await using f = await folder();
    mkdirSync(join(f.dir, 'dlq'));
    writeFileSync(f.path, '{"id"');
    expect(await read(f.path)).toEqual([]);
    await put(f.path, letter(1));
    expect(await ids(f.path)).toEqual([idOf(1)]);
  });

  it('syncs what a killed process left before it counts as stored', async () => {
    await using f = await folder();
    await put(f.path, letter(1));
    const syncs: number[] = [];
    await spied('sync', async function (original) {
      await original.call(this);
      syncs.push(1);
    });
    await put(f.path, letter(1));
    expect(syncs.length).toBeGreaterThan(0);
  });
});

describe('faults', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('throws a retriable DLQ_UNAVAILABLE on a full disk, takes back the part that was written, and goes on later', async () => {
    await using f = await folder();
    const queue = openFileDeadLetterQueue(f.path);
    await queue.put([letter(1)]);
    const spy = await spied('appendFile', async function (original, bytes) {
      await original.call(this, (bytes as Buffer).subarray(0, 100));
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    });
    await expect(queue.put([letter(2)])).rejects.toMatchObject({
      code: 'DLQ_UNAVAILABLE',
      retriable: true,
      fix: expect.stringMatching(/space/),
    });
    spy.mockRestore();
    expect(readFileSync(f.path, 'utf8').endsWith('\n')).toBe(true);
    await queue.put([letter(2)]);
    await queue.close();
    expect(await ids(f.path)).toEqual([idOf(1), idOf(2)]);
  });

  it('writes again after a failed sync, because nobody knows what reached the disk', async () => {
    await using f = await folder();
    const queue = openFileDeadLetterQueue(f.path);
    const spy = await spied('datasync', async () => {
      throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    });
    await expect(queue.put([letter(1)])).rejects.toMatchObject({ code: 'DLQ_UNAVAILABLE', retriable: false });
    spy.mockRestore();
    expect(statSync(f.path).size).toBe(0);
    await queue.put([letter(1)]);
    await queue.close();
    expect(await ids(f.path)).toEqual([idOf(1)]);
  });

  const paths: [string, (dir: string) => string][] = [
    [
      'a folder',
      (dir) => {
        mkdirSync(join(dir, 'x'));
        return join(dir, 'x');
      },
    ],
    [
      'a path below a file',
      (dir) => {
        writeFileSync(join(dir, 'x'), '');
        return join(dir, 'x', 'dlq.ndjson');
      },
    ],
  ];
  it.each(paths)('throws DLQ_UNAVAILABLE for %s', async (_title, make) => {
    await using f = await folder();
    const error: unknown = await put(make(f.dir), letter(1)).then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: 'DLQ_UNAVAILABLE',
      retriable: false,
      where: 'error_handling.dead_letter_queue.path',
      fix: expect.any(String),
    });
  });

  it('names the line that is not a letter when reading', async () => {
    await using f = await folder();
    await put(f.path, letter(1));
    appendFileSync(f.path, '{"id":"x"}\n');
    await expect(read(f.path)).rejects.toMatchObject({ code: 'DLQ_UNAVAILABLE', where: `${f.path}:2` });
  });
});

describe('remembered ids', () => {
  it('are bounded, oldest forgotten first', () => {
    const recent = new RecentIds(3);
    for (const id of ['a', 'b', 'c', 'b', 'd']) recent.add(id);
    expect(['a', 'b', 'c', 'd'].map((id) => recent.has(id))).toEqual([false, true, true, true]);
  });
});

describe('kill -9 in the middle of puts', () => {
  it('loses no letter that was confirmed and doubles none after the restart', async () => {
    await using f = await folder();
    let upTo = 0;
    for (const puts of [1, 9, 30]) {
      const confirmed = await killedAfter(f.path, puts);
      // The child starts again at letter 1: everything that is there must be recognised.
      upTo = Math.max(upTo, confirmed);
      const found = await ids(f.path);
      expect(found.slice(0, upTo)).toEqual(Array.from({ length: upTo }, (_, i) => idOf(i + 1)));
      expect(new Set(found).size).toBe(found.length);
      upTo = found.length;
    }
    expect(upTo).toBeGreaterThanOrEqual(60);
  });
});

/** Runs `kill-child.ts` and kills it after so many confirmed puts. Returns the last number that it confirmed. */
async function killedAfter(path: string, puts: number): Promise<number> {
  const { lines, err } = await linesUntilKilled(join(import.meta.dirname, 'kill-child.ts'), [path], puts);
  if (lines.length === 0 || !existsSync(path)) throw new Error(`the child wrote nothing: ${err}`);
  return Number(lines.at(-1));
}

type Method = 'appendFile' | 'datasync' | 'sync';
type Original = (this: FileHandle, ...args: unknown[]) => Promise<void>;

/** Replaces a method of all file handles. */
async function spied(method: Method, replacement: (this: FileHandle, original: Original, ...args: unknown[]) => Promise<void>) {
  const handle = await open(import.meta.filename, 'r');
  const prototype = Object.getPrototypeOf(handle) as Record<Method, Original>;
  await handle.close();
  const original = prototype[method];
  return vi.spyOn(prototype, method).mockImplementation(function (this: FileHandle, ...args) {
    return replacement.call(this, original, ...args);
  });
}
