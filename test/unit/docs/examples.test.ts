// Every YAML of the pages and of pipelines/ is a valid pipeline file, and what needs no server also runs.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { KINDS, type Kind, listTypes } from '../../../src/catalog.ts';
import { formatIssue, loadPipelines, parsePipelineText } from '../../../src/config/load.ts';
import { runPipeline } from '../../../src/index.ts';
import { blocksOf, GUIDES, pages, ROOT, textOf } from './pages.ts';

const blocks = pages().flatMap(blocksOf);
const yaml = blocks.filter((b) => b.language === 'yaml');

describe('the pages', () => {
  it('name the language of each block that is code', () => {
    expect([...new Set(blocks.map((b) => b.language))].sort()).toEqual(['', 'json', 'mermaid', 'sh', 'ts', 'yaml']);
    expect(yaml.length).toBeGreaterThan(3);
  });

  it.each(yaml.map((b) => [`${b.page}:${b.line}`, b] as const))('%s is a valid pipeline file', async (_, block) => {
    const { pipelines, problems, warnings } = await parsePipelineText(block.text, {
      file: block.page,
      baseDir: block.file === null ? ROOT : GUIDES,
      env: {},
    });
    expect([...problems, ...warnings].map(formatIssue)).toEqual([]);
    expect(pipelines.length).toBeGreaterThan(0);
    expect(
      pipelines.flatMap((p) => p.unavailable),
      'examples use what is there',
    ).toEqual([]);
  });

  it('link to pages that exist', () => {
    const broken = pages().flatMap((page) =>
      linksOf(page)
        .filter((target) => !exists(page, target))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('the table of README.md', () => {
  /** `| [sources](…) | `sqlite` …, | `kafka`, … |` → the names of one cell; what stands in brackets explains. */
  const namesIn = (cell = ''): string[] => [...cell.replaceAll(/\([^)]*\)/g, '').matchAll(/`(\w+)`/g)].map((m) => m[1] ?? '').sort();
  const rowOf = (kind: Kind): string[] =>
    textOf('README.md')
      .split('\n')
      .find((line) => line.startsWith(`| [${kind}`))
      ?.split('|') ?? [];

  it.each(KINDS)('tells which types of %s are available', async (kind) => {
    const types = (await listTypes()).filter((t) => t.kind === kind),
      [, , now, later] = rowOf(kind);
    expect(namesIn(now)).toEqual(
      types
        .filter((t) => t.available)
        .map((t) => t.type)
        .sort(),
    );
    expect(namesIn(later)).toEqual(
      types
        .filter((t) => !t.available)
        .map((t) => t.type)
        .sort(),
    );
  });
});

/** Targets of links inside of the repository, without their anchors. */
function linksOf(page: string): string[] {
  const text = textOf(page)
    .replaceAll(/^```[\s\S]*?^```$/gm, '')
    .replaceAll(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((m) => m[1] ?? '').filter((target) => !/^[a-z]+:/.test(target));
}

function exists(page: string, target: string): boolean {
  try {
    const path = join(ROOT, page, '..', target);
    return readdirSync(join(path, '..')).includes(path.replace(/\/$/, '').split('/').at(-1) ?? '');
  } catch {
    return false;
  }
}

const files = readdirSync(join(ROOT, 'pipelines'), { recursive: true, encoding: 'utf8' }).filter((name) => /\.ya?ml$/.test(name));

describe('pipelines/', () => {
  it.each(files)('%s is valid, and its first line says what it shows', async (name) => {
    const file = join(ROOT, 'pipelines', name);
    const { problems, warnings } = await loadPipelines([file], { env: {} });
    expect([...problems, ...warnings].map(formatIssue)).toEqual([]);
    expect(readFileSync(file, 'utf8').split('\n')[0]).toMatch(/^# \S.*\.$/);
  });

  it('orders.yaml delivers the shop twice: all of it, then what has changed', async () => {
    using work = new Shop();
    const first = await work.run(),
      second = await work.run();
    expect(first).toMatchObject({ outcome: 'done', error: null, deadLetters: 0 });
    expect(second).toMatchObject({ outcome: 'done', error: null, deadLetters: 0 });
    expect(first.delivered).toEqual({ replica: first.eventsRead, files: first.eventsRead });
    expect(second.eventsRead).toBeLessThan(first.eventsRead);
    expect(second.resumedFrom).not.toEqual({});
    for (const table of ['products', 'orders', 'order_items'])
      expect(work.rows('replica.db', table), table).toEqual(work.rows('shop.db', table));
    expect(new Set(work.rows('replica.db', 'customers').map((row) => (row as { card_number: string }).card_number))).toEqual(
      new Set(['****-****-****-****']),
    );
    expect(work.lines('customers') + work.lines('products') + work.lines('orders') + work.lines('order_items')).toBe(
      first.eventsRead + second.eventsRead,
    );
  });
});

/** A folder for the data of pipelines/orders.yaml, whose own data paths start at the working directory. */
class Shop {
  readonly #folder = mkdtempSync(join(tmpdir(), 'cdc-shop-'));
  #at(name: string): string {
    return join(this.#folder, name);
  }

  async run() {
    const set = [
      `source.path=${this.#at('shop.db')}`,
      `plugins.hooks.hooks[0].params.path=${this.#at('shop.db')}`,
      `destinations[0].path=${this.#at('replica.db')}`,
      `destinations[1].path=${this.#at('{table}.ndjson')}`,
      `state.path=${this.#at('state.db')}`,
      `error_handling.dead_letter_queue.path=${this.#at('dlq.ndjson')}`,
    ];
    return (await runPipeline(join(ROOT, 'pipelines/orders.yaml'), { set })).done;
  }

  rows(file: string, table: string): unknown[] {
    const db = new Database(this.#at(file), { readonly: true });
    try {
      return db.prepare(`SELECT * FROM "${table}" ORDER BY 1, 2`).all();
    } finally {
      db.close();
    }
  }

  lines(table: string): number {
    return readFileSync(this.#at(`${table}.ndjson`), 'utf8').split('\n').length - 1;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
