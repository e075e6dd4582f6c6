import { describe, expect, it } from 'vitest';
import { type Page, pollRounds } from '../../../src/polling/rounds.ts';
import type { ChangeBatch, Position } from '../../../src/sdk/index.ts';

const batch = (partition: string, resume: string | null): ChangeBatch => ({
  events: [],
  source: 's',
  partition,
  resume: resume as Position | null,
  bytes: 0,
});
const page = (partition: string, resume: string | null, more: Partial<Page> = {}): Page => ({
  batch: batch(partition, resume),
  rejects: [],
  isDone: false,
  ...more,
});

/** Pages per table, and what happened in which order. */
function world(pages: Readonly<Record<string, Page[]>>) {
  const said: string[] = [],
    stop = new AbortController();
  const options = {
    clock: {
      now: () => 0,
      sleep: async (ms: number) => {
        said.push(`sleep ${ms}`);
        if (said.filter((s) => s.startsWith('sleep')).length === 2) stop.abort();
      },
    },
    intervalMs: 7,
    reject: async (input: string | Uint8Array) => {
      said.push(`reject ${String(input)}`);
    },
  };
  const read = async (table: string): Promise<Page> => pages[table]?.shift() ?? page(table, null);
  const run = async (): Promise<string[]> => {
    for await (const b of pollRounds(Object.keys(pages), read, options, stop.signal)) said.push(`${b.partition} ${b.resume}`);
    return said;
  };
  return { run };
}

describe('polling in rounds', () => {
  it('gives each table its turn, and pauses only when none had anything', async () => {
    const { run } = world({ a: [page('a', '1'), page('a', '2')], b: [page('b', '1')] });
    expect(await run()).toEqual(['a 1', 'b 1', 'a 2', 'sleep 7', 'sleep 7']);
  });

  it('ends when all tables are done', async () => {
    const { run } = world({ a: [page('a', '1', { isDone: true })], b: [page('b', '1'), page('b', null, { isDone: true })] });
    expect(await run()).toEqual(['a 1', 'b 1']);
  });

  it('parks what cannot be told before the place behind it goes out', async () => {
    const rejects = [{ input: 'bad', at: 'a', error: new Error('bad') }];
    const { run } = world({ a: [page('a', '1', { rejects, isDone: true })] });
    expect(await run()).toEqual(['reject bad', 'a 1']);
  });
});
