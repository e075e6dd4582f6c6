import { existsSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeFolder, makeFolderSync } from '../../../src/util/make-folder.ts';

describe.each([
  ['makeFolder', makeFolder],
  ['makeFolderSync', async (path: string, options?: { mode: number }) => makeFolderSync(path, options)],
])('%s', (_name, make) => {
  it('makes what is missing, with its mode, and says what was the first of it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cdc-folder-'));
    try {
      expect(await make(join(dir, 'a', 'b', 'c'), { mode: 0o700 })).toBe(join(dir, 'a'));
      for (const made of ['a', 'a/b', 'a/b/c']) expect(statSync(join(dir, made)).mode & 0o777).toBe(0o700);
      expect(await make(join(dir, 'a', 'b'))).toBeUndefined();
      writeFileSync(join(dir, 'file'), '');
      await expect(make(join(dir, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
      await expect(make(join(dir, 'file', 'x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it.runIf(existsSync('/proc/self'))('ends where the system lets nothing be made', async () => {
    await expect(make('/proc/nothing/at/all')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
