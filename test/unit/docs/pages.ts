// The pages of the repository and the code blocks in them.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');
export const GUIDES = join(ROOT, 'test/fixtures/guides');

export interface Block {
  readonly page: string;
  readonly line: number;
  /** `ts`, `yaml`, `sh`; empty without one. */
  readonly language: string;
  readonly text: string;
  /** The file it shows, from `<!-- file: path -->` on the line above. */
  readonly file: string | null;
}

/** README.md, CHANGELOG.md, CONTRIBUTING.md and everything in docs/, from the root of the repository. */
export function pages(): string[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...docs.sort()];
}

export function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [],
    lines = textOf(page).split('\n');
  for (let i = 0; i < lines.length; i++) {
    const language = /^```(\w*)$/.exec(lines[i] ?? '')?.[1];
    if (language === undefined) continue;
    const first = i + 1,
      end = lines.indexOf('```', first);
    if (end < 0) throw new Error(`${page}:${first}: the block has no end`);
    const file = /^<!-- file: (\S+) -->$/.exec(lines[i - 1] ?? '')?.[1] ?? null;
    blocks.push({ page, line: first, language, text: `${lines.slice(first, end).join('\n')}\n`, file });
    i = end;
  }
  return blocks;
}
