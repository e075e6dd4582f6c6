import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.doUnmock('better-sqlite3');
  vi.resetModules();
});

class Unbuilt {
  constructor() {
    throw new Error('Could not locate the bindings file. Tried: …');
  }
}
class ForeignAbi {
  constructor() {
    throw Object.assign(new Error('compiled against a different Node.js version'), { code: 'ERR_DLOPEN_FAILED' });
  }
}
const cases: [string, () => object][] = [
  [
    'is not installed',
    () => {
      throw Object.assign(new Error(`Cannot find package 'better-sqlite3'`), { code: 'ERR_MODULE_NOT_FOUND' });
    },
  ],
  ['has no native part', () => ({ default: Unbuilt })],
  ['was built for another Node.js', () => ({ default: ForeignAbi })],
];

it.each(cases)('names the command when the driver %s', async (_title, factory) => {
  vi.doMock('better-sqlite3', factory);
  const { openSqliteStateStore } = await import('../../../src/state/sqlite-store.ts');
  const path = join(tmpdir(), `cdc-no-driver-${process.pid}`, 'state.db');
  await expect(openSqliteStateStore(path)).rejects.toMatchObject({
    code: 'DEPENDENCY_MISSING',
    fix: expect.stringContaining('npm install better-sqlite3'),
  });
  expect(existsSync(path)).toBe(false);
  rmSync(dirname(path), { recursive: true, force: true });
});
