// The list of error codes, its reference page and what the code throws are the same set.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../../src/sdk/index.ts';
import { ROOT, textOf } from './pages.ts';

const FAMILY =
  /['"`]((?:CONFIG|DEPENDENCY|STATE|LOG(?!_LEVEL)|SOURCE|DESTINATION|REGISTRY|PLUGIN|DLQ|CHECK|AUDIT|CONTROL|HEALTH|USAGE|INTERNAL)_[A-Z]+(?:_[A-Z]+)*)['"`]/g;
/** The list itself, the suites and fakes, and the mapping to exit codes speak of codes without throwing them. */
const NOT_THROWN_HERE = ['src/sdk/error-codes.ts', 'src/sdk/testing/', 'src/cli/exit-code.ts', 'src/planned/'];

const sources = ['src', 'plugins']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  )
  .filter((file) => !NOT_THROWN_HERE.some((prefix) => file.startsWith(prefix)));

/** Code → the files that name it. Comments do not count. */
const named = new Map<string, string[]>();
for (const file of sources) {
  const text = readFileSync(join(ROOT, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
  for (const [, code] of text.matchAll(FAMILY)) named.set(code as string, [...(named.get(code as string) ?? []), file]);
}

describe('error codes', () => {
  it('that are listed are thrown somewhere', () => {
    expect(Object.keys(ERROR_CODES).filter((code) => !named.has(code))).toEqual([]);
  });

  it('that are thrown are listed', () => {
    expect(
      [...named].filter(([code]) => !Object.hasOwn(ERROR_CODES, code)).map(([code, files]) => `${code} in ${files.join(', ')}`),
    ).toEqual([]);
  });

  it('that are listed are on the reference page, and no others', () => {
    const page = textOf('docs/reference/error-codes.md');
    expect([...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((m) => m[1]).sort()).toEqual(Object.keys(ERROR_CODES).sort());
  });
});
