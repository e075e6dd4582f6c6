// What must hold at the end of a scenario with the shop: compared change by change and row by row with the source.

import type Database from 'better-sqlite3';
import { expect } from 'vitest';
import { type Effect, repeatedPuts } from './audit.ts';
import { changeOf, expectEachOnce, expectPuts, type Line, type Row, replayed } from './evidence.ts';
import type { Replica } from './replicas.ts';
import { historyOf, TABLES } from './shop.ts';

const COLUMNS = { id: 'number', name: 'text', credit: 'number', rev: 'number' } as const;

/** `lines`: what the file destination has. `lastId`: no row of the snapshot has a greater key. */
export async function expectShopDelivered(
  shop: Database.Database,
  lines: readonly Line[],
  replicas: readonly Replica[],
  lastId: number,
): Promise<void> {
  const streamed = lines.filter(({ op }) => op !== 'r');
  expectEachOnce(lines);
  // Exactly the changes since the triggers were installed, in the order in which they were made.
  expect(streamed.map(changeOf)).toEqual(historyOf(shop).slice(-streamed.length));
  for (const table of TABLES) {
    const rows = shop.prepare(`SELECT * FROM ${table} ORDER BY id`).all() as Row[];
    expect(replayed(lines, table), `replay of the file, ${table}`).toEqual(rows);
    for (const replica of replicas) expect(await replica.rows(table, COLUMNS), `${replica.name}, ${table}`).toEqual(rows);
  }
  const isOld = ({ id }: Effect): boolean => id <= lastId;
  for (const replica of replicas) {
    const effects = await replica.effects();
    expect(repeatedPuts(effects, isOld), replica.name).toEqual([]);
    // In postgresql the last change of a key in a batch stands for those before it.
    if (replica.name === 'sqlite') expectPuts(effects, streamed, isOld);
  }
}
