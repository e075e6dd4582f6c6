import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PipelineDocument } from '../../../src/state/document.ts';
import { TakenError } from '../../../src/state/document-store.ts';
import { DOCUMENT_VERSION, formatDocument, parseDocument } from '../../../src/state/document-text.ts';
import { classifyStateError } from '../../../src/state/errors.ts';
import { openFileStateStore } from '../../../src/state/file-store.ts';
import { Generations, slugOf } from '../../../src/state/generations.ts';
import { openExistingStateStore } from '../../../src/state/open.ts';
import { A, B, laneAt } from './store-suite.ts';

const SLUG = slugOf('orders');

class Folder implements AsyncDisposable {
  readonly dir: string;
  constructor(dir: string) {
    this.dir = dir;
  }
  get path(): string {
    return join(this.dir, 'state');
  }
  file(rest: string): string {
    return join(this.path, `${SLUG}.${rest}`);
  }
  files(): string[] {
    return readdirSync(this.path)
      .map((name) => name.replace(`${SLUG}.`, ''))
      .sort();
  }
  /** Numbers of the generations, the newest last. */
  numbers(): number[] {
    return this.files()
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true });
  }
}
const folder = async (): Promise<Folder> => new Folder(await mkdtemp(join(tmpdir(), 'cdc-state-')));

async function filled(f: Folder, saves = 3): Promise<void> {
  const store = await openFileStateStore(f.path);
  await store.acquire('orders', A, 0, 1000);
  for (let n = 1; n <= saves; n++) {
    const delivered = [{ bucket: 1, lastMs: n, ids: new Uint8Array(16).fill(n) }];
    await store.save('orders', A, 1000, { used: true, epoch: n, lanes: { bus: laneAt(n) }, delivered });
  }
  await store.close();
}

async function epochIn(f: Folder): Promise<number> {
  const store = await openFileStateStore(f.path);
  await store.delivered('orders');
  return (await store.load('orders')).epoch;
}

describe('the folder', () => {
  it('holds two generations, the name and nothing else, for its owner alone', async () => {
    await using f = await folder();
    await filled(f);
    const [older = 0, newest = 0] = f.numbers();
    expect(newest).toBe(older + 1);
    expect(f.files().filter((name) => !/^\d+$/.test(name) && !/^\d+\.ids-1-/.test(name))).toEqual(['name']);
    for (const name of readdirSync(f.path)) expect(statSync(join(f.path, name)).mode & 0o777, name).toBe(0o600);
    expect(statSync(f.path).mode & 0o777).toBe(0o700);
  });

  it('tells pipelines apart whose names differ in case or in signs alone', () => {
    const slugs = ['orders', 'Orders', 'or/ders', 'or.ders', '注文', 'x'.repeat(100)].map(slugOf);
    expect(new Set(slugs.map((s) => s.toLowerCase())).size).toBe(slugs.length);
    for (const slug of slugs) expect(slug).toMatch(/^[a-z0-9-]{1,60}$/);
  });

  it('is found by its path alone, and not made by looking', async () => {
    await using f = await folder();
    expect(await openExistingStateStore(f.path)).toBeNull();
    expect(existsSync(f.path)).toBe(false);
    await filled(f);
    expect(await (await openExistingStateStore(f.path))?.pipelines()).toEqual(['orders']);
  });

  it('is cleared of what a killed process left', async () => {
    await using f = await folder();
    await filled(f);
    const next = (f.numbers().at(-1) ?? 0) + 1;
    writeFileSync(f.file(`${next}.tmp-12345678`), 'half');
    writeFileSync(f.file(`${next}.ids-4-12345678`), 'half');
    await filled(f, 1);
    expect(f.files().filter((name) => name.includes('12345678'))).toEqual([]);
  });
});

describe('damage', () => {
  const newest = (f: Folder): string => f.file(String(f.numbers().at(-1)));
  const flip = (path: string): void => {
    const bytes = readFileSync(path);
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  };
  const older = (f: Folder): string => f.file(String(f.numbers().at(-2)));

  const cases: [string, RegExp, (f: Folder) => void][] = [
    ['a flipped bit in the newest generation', /checksum/, (f) => flip(newest(f))],
    ['a newest generation that was cut', /checksum/, (f) => writeFileSync(newest(f), readFileSync(newest(f)).subarray(0, 200))],
    ['an empty newest generation', /first line/, (f) => writeFileSync(newest(f), '')],
    ['damage of both', /damaged/, (f) => [older(f), newest(f)].map(flip)],
    ['an older generation under the number of the newest', /it holds generation/, (f) => writeFileSync(newest(f), readFileSync(older(f)))],
    ['a newest generation that is gone', /without the one before/, (f) => rmSync(newest(f))],
    ['all generations gone', /all generations are missing/, (f) => [older(f), newest(f)].map((p) => rmSync(p))],
    [
      'delivered ids that are gone',
      /missing/,
      (f) => {
        for (const name of f.files()) if (name.includes('.ids-')) rmSync(f.file(name));
      },
    ],
    [
      'delivered ids that were changed',
      /checksum/,
      (f) => {
        for (const name of f.files()) if (name.includes('.ids-')) writeFileSync(f.file(name), 'x');
      },
    ],
  ];
  it.each(cases)('%s is STATE_CORRUPT, and stays so', async (_title, message, damage) => {
    await using f = await folder();
    await filled(f);
    damage(f);
    const error = { code: 'STATE_CORRUPT', retriable: false, message: expect.stringMatching(message), fix: expect.stringMatching(/\.$/) };
    await expect(epochIn(f)).rejects.toMatchObject(error);
    await expect((await openFileStateStore(f.path)).acquire('orders', B, 5000, 6000)).rejects.toMatchObject(error);
    await expect(epochIn(f)).rejects.toMatchObject(error);
  });

  it('of the first save is not taken for a new pipeline', async () => {
    await using f = await folder();
    const store = await openFileStateStore(f.path);
    await store.acquire('orders', A, 0, 1000);
    expect(f.numbers()).toEqual([1, 2]);
    rmSync(f.file('2'));
    await expect(epochIn(f)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('of the predecessor alone loses nothing, and the next save mends it', async () => {
    await using f = await folder();
    await filled(f);
    flip(older(f));
    expect(await epochIn(f)).toBe(3);
    await filled(f, 1);
    expect(await epochIn(f)).toBe(1);
  });

  it.each([
    ['renamed', (path: string) => renameSync(path, `${path}.damaged`)],
    [
      'lost',
      (path: string) => {
        rmSync(path);
        writeFileSync(`${path}.damaged`, '');
      },
    ],
  ])('of the newest goes back by one when the operator has put it aside (%s)', async (_how, putAside) => {
    await using f = await folder();
    await filled(f);
    flip(newest(f));
    putAside(newest(f));
    expect(await epochIn(f)).toBe(2);
    await filled(f, 1);
    expect(await epochIn(f)).toBe(1);
    rmSync(newest(f));
    await expect(epochIn(f)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('is told from a newer version', async () => {
    await using f = await folder();
    await filled(f);
    writeFileSync(newest(f), readFileSync(newest(f), 'utf8').replace(`state ${DOCUMENT_VERSION} `, 'state 99 '));
    await expect(epochIn(f)).rejects.toMatchObject({ code: 'STATE_VERSION', message: expect.stringMatching(/version 99/) });
  });

  it('of the text of a document is always noticed', () => {
    const content = { pipeline: 'orders', forgotten: false, document: new PipelineDocument(), ids: [] };
    const text = formatDocument(7, content);
    expect(parseDocument(7, text).kind).toBe('whole');
    expect(parseDocument(8, text).kind).toBe('damaged');
    for (let i = 0; i < text.length; i++) {
      const other = text.slice(0, i) + String.fromCharCode(text.charCodeAt(i) ^ 1) + text.slice(i + 1);
      expect(parseDocument(7, other).kind, `character ${i}`).not.toBe('whole');
      expect(parseDocument(7, text.slice(0, i)).kind, `cut at ${i}`).toBe('damaged');
    }
  });
});

describe('two processes', () => {
  it('see each other at once', async () => {
    await using f = await folder();
    const [one, two] = [await openFileStateStore(f.path), await openFileStateStore(f.path)];
    await one.acquire('orders', A, 0, 1000);
    expect(await two.acquire('orders', B, 999, 5000)).toEqual({ owner: A, untilMs: 1000 });
    await one.save('orders', A, 1000, { epoch: 3 });
    expect((await two.load('orders')).epoch).toBe(3);
    expect(await two.acquire('orders', B, 1000, 5000)).toEqual({ owner: B, untilMs: 5000 });
    await expect(one.save('orders', A, 2000, { epoch: 9 })).rejects.toMatchObject({ code: 'STATE_FENCED' });
    expect((await two.load('orders')).epoch).toBe(3);
  });

  it('cannot take one number both, nor one that was used and removed since', async () => {
    await using f = await folder();
    await filled(f);
    const [late, quick] = [new Generations(f.path, 'orders'), new Generations(f.path, 'orders')];
    const seen = late.newest(null);
    let last = quick.newest(null);
    if (seen === null || last === null) throw new Error('filled');
    last = quick.commit(last, { ...last.content, ids: [] });
    expect(() => late.commit(seen, seen.content)).toThrow(TakenError);
    for (let n = 0; n < 3; n++) last = quick.commit(last, last.content);
    expect(() => late.commit(seen, seen.content)).toThrow(TakenError);
    expect(late.newest(seen)?.number).toBe(last.number);
    last = quick.commit(last, last.content);
    expect(f.numbers()).toEqual([last.number - 1, last.number]);
  });
});

describe('faults', () => {
  it('says that the folder was removed instead of writing into nowhere', async () => {
    await using f = await folder();
    const store = await openFileStateStore(f.path);
    await store.acquire('orders', A, 0, 1000);
    rmSync(f.path, { recursive: true });
    const gone = { code: 'STATE_UNAVAILABLE', message: expect.stringMatching(/removed/) };
    await expect(store.save('orders', A, 1000, { epoch: 2 })).rejects.toMatchObject(gone);
    await filled(f);
    await expect(store.load('orders')).rejects.toMatchObject(gone);
  });

  it('calls a full disk retriable, and a file in the place of the folder a mistake', async () => {
    await using f = await folder();
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    expect(classifyStateError(f.path, full)).toMatchObject({ code: 'STATE_UNAVAILABLE', retriable: true });
    writeFileSync(f.path, '');
    await expect(openFileStateStore(f.path)).rejects.toMatchObject({
      code: 'STATE_UNAVAILABLE',
      retriable: false,
      message: expect.stringMatching(/not a folder/),
    });
  });
});
