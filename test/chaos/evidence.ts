// What was delivered, read back from files and replicas, and what must hold of it.

import Database from 'better-sqlite3';
import { expect } from 'vitest';
import type { Workspace } from '../e2e/process.ts';
import type { Effect } from './audit.ts';
import { type Change, TABLES } from './shop.ts';
import { rotatedLines, type Victim } from './victim.ts';

export type Row = Record<string, unknown>;

/** A record of the `plain` envelope. */
export interface Line {
  readonly op: string;
  readonly table: string;
  readonly key: { readonly id: number };
  readonly before?: Row;
  readonly after?: Row;
  readonly id: string;
}

/** A database that is closed with its `using` scope. */
export interface Opened extends Disposable {
  readonly db: Database.Database;
}

export function openDatabase(path: string): Opened {
  const db = new Database(path, { timeout: 20_000 });
  return {
    db,
    [Symbol.dispose]: () => {
      db.close();
    },
  };
}

/** The records of a rotated file. */
export function linesOf(work: Workspace, folder = 'out', name = 'changes'): Line[] {
  return rotatedLines(work, folder, name).flatMap((line, i, all) => {
    try {
      return [JSON.parse(line) as Line];
    } catch (error) {
      // A kill may leave half a line behind, which the next start cuts off: nowhere else.
      if (i === all.length - 1) return [];
      throw error;
    }
  });
}

/** What `cdc-run consume` prints of the log on disk. */
export async function consumed(victim: Victim, topic: string): Promise<Line[]> {
  const { out } = await victim.command('consume', topic, '-c', `${topic}.yaml`, '--from-beginning', '--envelope', 'plain');
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** No row that exists now has a greater key. */
export function newestId(db: Database.Database): number {
  return Number(
    db
      .prepare('SELECT max(id) FROM (SELECT id FROM customers UNION ALL SELECT id FROM orders UNION ALL SELECT id FROM history)')
      .pluck()
      .get(),
  );
}

/** As the shop's history has it. */
export function changeOf({ op, table, key, before, after }: Line): Change {
  return { table, op, id: key.id, rev: (after ?? before)?.['rev'] as number };
}

/** No id twice; places only grow; a row comes once per snapshot, and there is one snapshot. */
export function expectEachOnce(lines: readonly Line[]): void {
  expect(new Set(lines.map(({ id }) => id)).size, 'ids').toBe(lines.length);
  const places = lines.map(({ id }) => id.split('/').slice(2).join('/').split('.r.')[0] as string);
  expect(
    places.filter((place, i) => i > 0 && place < (places[i - 1] as string)),
    'places that go back',
  ).toEqual([]);
  const snapshot = lines.filter(({ op }) => op === 'r');
  expect(new Set(snapshot.map(({ table, key }) => `${table}/${key.id}`)).size, 'rows of the snapshot').toBe(snapshot.length);
  const runs = new Set(snapshot.map(({ table, id }) => `${table}/${id.split('.r.')[1]?.split('.').slice(0, -2).join('.')}`));
  expect(runs.size, 'runs of the snapshot').toBe(TABLES.length);
}

/** The rows that somebody has who applies the file's events in order. */
export function replayed(lines: readonly Line[], table: string): Row[] {
  const rows = new Map<unknown, Row>();
  for (const line of lines) {
    if (line.table !== table) continue;
    if (line.before !== undefined) rows.delete(line.before['id']);
    if (line.after !== undefined) rows.set(line.after['id'], line.after);
  }
  return [...rows.values()].sort((a, b) => (a['id'] as number) - (b['id'] as number));
}

/** Each streamed change is put once; beside it at most one put per row that may have been in the snapshot. */
export function expectPuts(effects: readonly Effect[], streamed: readonly Line[], mayBeRead: (effect: Effect) => boolean): void {
  const counts = new Map<string, number>();
  for (const { after, table, key } of streamed) if (after !== undefined) add(counts, `${table}/${key.id}`, -1);
  const old = new Set<string>();
  for (const effect of effects) {
    const key = `${effect.table}/${effect.id}`;
    if (effect.op === 'put') add(counts, key, 1);
    if (mayBeRead(effect)) old.add(key);
  }
  expect(
    [...counts].filter(([key, n]) => n !== 0 && !(n === 1 && old.has(key))),
    'puts that no change accounts for',
  ).toEqual([]);
}

function add(counts: Map<string, number>, key: string, n: number): void {
  counts.set(key, (counts.get(key) ?? 0) + n);
}
