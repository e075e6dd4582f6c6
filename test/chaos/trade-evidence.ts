// What must hold of what was delivered of a shop with many writers, whose rows may come without all of their columns: compared with what
// triggers noted of each change in its own transaction.

import { expect } from 'vitest';
import type { Effect } from './audit.ts';
import type { Line, Row } from './evidence.ts';
import type { Replica } from './replicas.ts';
import { TABLES } from './shop.ts';

const COLUMNS = { id: 'number', name: 'text', credit: 'number', rev: 'number', note: 'text' } as const;
const WIDTH = Object.keys(COLUMNS).length;

/** A change that was committed. `what`: `u orders 12 345`, the number being that of the change. */
export interface Noted {
  readonly what: string;
  /** Behind the moment that `since` says. */
  readonly later: boolean;
}

export interface Traded {
  /** All changes but truncates, in the order in which they were made. */
  readonly history: readonly Noted[];
  /** Rows of a table at the source, by key, with these columns. */
  rows(table: string): Promise<readonly Row[]>;
  /** No change behind the moment has a smaller number. */
  readonly sinceRev: number;
}

/** Compared with what somebody has who applies the lines in order, and with the replicas. */
export async function expectTradeDelivered(traded: Traded, lines: readonly Line[], replicas: readonly Replica[]): Promise<void> {
  expect(new Set(lines.map(({ id }) => id)).size, 'ids').toBe(lines.length);
  expectEachChangeOnce(traded.history, lines);
  for (const table of TABLES) {
    const rows = await traded.rows(table);
    expectSameRows(replayed(lines, table), rows, `replay of the file, ${table}`);
    for (const replica of replicas) expectSameRows(await replica.rows(table, COLUMNS), rows, `${replica.name}, ${table}`);
  }
  for (const replica of replicas) expectPutsOfLines(await replica.effects(), lines, traded.sinceRev, replica.name);
}

/**
 * A row never goes back, and behind the snapshot one of `orders` is put no more often than it was handed over. In the snapshot
 * it may come again: what one destination has stored of a chunk, another one may not have. So may rows of `customers` after any
 * start: a change of key that did not send the large value has its row read again.
 */
function expectPutsOfLines(effects: readonly Effect[], lines: readonly Line[], since: number, replica: string): void {
  const left = new Map<string, number>(),
    newest = new Map<string, number>();
  for (const { table, after } of lines) {
    const what = `${table}/${String(after?.['id'])}/${String(after?.['rev'])}`;
    if (after !== undefined) left.set(what, (left.get(what) ?? 0) + 1);
  }
  const wrong = effects.filter(({ op, table, id, rev }) => {
    if (op !== 'put') return false;
    const what = `${table}/${id}/${rev}`,
      row = `${table}/${id}`,
      isBack = rev < (newest.get(row) ?? 0);
    newest.set(row, rev);
    left.set(what, (left.get(what) ?? 0) - 1);
    return isBack || (table === 'orders' && rev > since && (left.get(what) as number) < 0);
  });
  expect(wrong.slice(0, 10), replica).toEqual([]);
}

/** Each line is a change that was committed, and each change since is a line. */
function expectEachChangeOnce(history: readonly Noted[], lines: readonly Line[]): void {
  const committed = new Set(history.map(({ what }) => what));
  const streamed = lines
    .filter(({ op }) => /[cud]/.test(op))
    .map(({ op, table, key, before, after }) => {
      // Without full identity a delete says only which row it was.
      const rev = (after ?? before)?.['rev'];
      return rev === undefined ? null : `${op} ${table} ${key.id} ${String(rev)}`;
    });
  const known = streamed.filter((what) => what !== null);
  expect(new Set(known).size, 'changes that are there twice').toBe(known.length);
  expect(
    known.filter((what) => !committed.has(what)),
    'changes that were never made',
  ).toEqual([]);
  const seen = new Set(known);
  const missing = history.filter(({ what, later }) => later && !seen.has(what) && !what.startsWith('d customers')).map(({ what }) => what);
  expect(missing, 'changes that are lost').toEqual([]);
}

/** An update that does not send every column changes the row that is there; where none is, its row has yet to be read. */
function replayed(lines: readonly Line[], table: string): Row[] {
  const rows = new Map<unknown, Row>();
  for (const { op, table: of, key, before, after } of lines) {
    if (of !== table) continue;
    if (op === 't') rows.clear();
    const oldId = before?.['id'] ?? key?.id,
      old = rows.get(oldId);
    if (op === 'd' || before !== undefined) rows.delete(oldId);
    if (after === undefined || (Object.keys(after).length < WIDTH && old === undefined)) continue;
    rows.set(after['id'], { ...old, ...after });
  }
  return [...rows.values()].sort((a, b) => (a['id'] as number) - (b['id'] as number));
}

/** The first few that differ: the rows themselves would fill pages. */
function expectSameRows(actual: readonly Row[], wanted: readonly Row[], what: string): void {
  const textOf = (row: Row): string => {
    const { id, name, credit, rev, note } = row;
    return JSON.stringify({ id, name, credit, rev, note: typeof note === 'string' ? `${note.length} ${note.slice(0, 12)}` : note });
  };
  const there = new Set(actual.map(textOf)),
    should = new Set(wanted.map(textOf));
  expect(
    {
      missing: [...should].filter((row) => !there.has(row)).slice(0, 10),
      wrong: [...there].filter((row) => !should.has(row)).slice(0, 10),
      rows: actual.length,
    },
    what,
  ).toEqual({ missing: [], wrong: [], rows: wanted.length });
}
