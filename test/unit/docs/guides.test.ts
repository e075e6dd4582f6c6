// The pages that tell how to write a source, a destination or a plugin: what they show are files, and the files do what the
// pages say. The contract suites of the examples are registered by importing them.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runPipeline } from '../../../src/index.ts';
import type { RunSummary } from '../../../src/sdk/index.ts';
import '../../fixtures/guides/journal-source.test.ts';
import '../../fixtures/guides/log-file-destination.test.ts';
import '../../fixtures/guides/uppercase.test.ts';
import { blocksOf, GUIDES, ROOT } from './pages.ts';

/** Page → the languages of its code that must come from files. The pipelines of README.md are checked in examples.test.ts. */
const PAGES = [
  ['README.md', ['ts']],
  ['docs/writing-a-source.md', ['ts', 'yaml', 'json']],
  ['docs/writing-a-destination.md', ['ts', 'yaml']],
  ['docs/writing-a-plugin.md', ['ts', 'yaml']],
] as const;

describe.each(PAGES)('%s', (page, languages) => {
  const shown = blocksOf(page).filter((b) => (languages as readonly string[]).includes(b.language));

  it('shows files, not copies that grow old', () => {
    expect(shown.filter((b) => b.file === null).map((b) => `line ${b.line}`)).toEqual([]);
    expect([...new Set(shown.map((b) => b.language))].sort()).toEqual([...languages].sort());
  });

  it.each(shown.map((b) => [b.file ?? '', b.text] as const))('shows %s as it is', (file, text) => {
    expect(text).toBe(readFileSync(join(ROOT, file), 'utf8'));
  });
});

/** A copy of the examples, and how to run the pipeline in it. Data paths are made absolute, for the test has no folder of its own. */
class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), 'cdc-guides-'));
  constructor() {
    cpSync(GUIDES, this.folder, { recursive: true });
  }

  at(name: string): string {
    return join(this.folder, name);
  }
  read(name: string): string {
    return readFileSync(this.at(name), 'utf8');
  }

  async run(): Promise<RunSummary> {
    const set = [
      `source.path=${this.at('counters.json')}`,
      `destination.path=${this.at('changes.log')}`,
      `plugins.hooks[0].params.path=${this.at('last-run.json')}`,
      `state.path=${this.at('state.db')}`,
      `error_handling.dead_letter_queue.path=${this.at('dlq.ndjson')}`,
    ];
    const handle = await runPipeline(this.at('counters.yaml'), { set });
    return handle.done;
  }

  append(change: object): void {
    const journal = JSON.parse(this.read('counters.json')) as { changes: object[] };
    writeFileSync(this.at('counters.json'), JSON.stringify({ ...journal, changes: [...journal.changes, change] }));
  }

  lines(): { op: string; after: unknown }[] {
    return this.read('changes.log')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line.slice(line.indexOf(' '))) as { op: string; after: unknown });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

describe('the examples of the guides', () => {
  it('run as plugins of a user, in one pipeline', async () => {
    using work = new Workspace();
    expect(await work.run()).toMatchObject({ outcome: 'done', error: null, eventsRead: 3, delivered: { 'log-file-destination': 3 } });
    expect(work.lines().map(({ op, after }) => [op, after])).toEqual([
      ['c', { id: 1, name: 'VISITS', value: 1 }],
      ['u', { id: 1, name: 'VISITS', value: 2 }],
      ['c', { id: 2, name: 'ORDERS', value: 1 }],
    ]);
    expect(JSON.parse(work.read('last-run.json'))).toMatchObject({ pipeline: 'counters', outcome: 'done', eventsRead: 3 });
  });

  it('continue where the last run ended', async () => {
    using work = new Workspace();
    await work.run();
    work.append({ before: { id: 2, name: 'orders', value: 1 }, after: null, ts_ms: 1_767_225_603_000 });
    expect(await work.run()).toMatchObject({ outcome: 'done', eventsRead: 1 });
    expect(work.lines().map((l) => l.op)).toEqual(['c', 'u', 'c', 'd']);
  });

  it('send what cannot be decoded to the dead letter queue, and go on', async () => {
    using work = new Workspace();
    work.append({ before: null, after: { id: 'three', name: 'x', value: 1 }, ts_ms: 1_767_225_603_000 });
    work.append({ before: null, after: { id: 4, name: 'refunds', value: 1 }, ts_ms: 1_767_225_604_000 });
    expect(await work.run()).toMatchObject({ outcome: 'done', deadLetters: 1, delivered: { 'log-file-destination': 4 } });
    expect(JSON.parse(work.read('dlq.ndjson'))).toMatchObject({ stage: 'decode', at: expect.stringContaining('change 4 of ') as string });
  });

  it('cut off the line that a crash left unfinished', async () => {
    using work = new Workspace();
    writeFileSync(work.at('changes.log'), 'counters {"op":"c","after":null}\ncounters {"op":');
    await work.run();
    expect(work.lines().map((l) => l.op)).toEqual(['c', 'c', 'u', 'c']);
  });
});
