import { expect, it } from 'vitest';
import { RowMarks } from '../../../src/snapshot/marks.ts';
import type { OutputChunk, TableStatus } from '../../../src/snapshot/types.ts';

const status = (table: string, state: TableStatus['state'], rows: number): TableStatus => ({
  table,
  state,
  rows,
  run: '1.a',
  chunk: 1000,
  where: null,
  rereads: 0,
  waitsFor: null,
  error: null,
});
const chunk = (more: Partial<OutputChunk>): OutputChunk => ({ table: 'b', run: '1.a', chunk: 1000, isFirst: true, isLast: true, ...more });

/** Of the three rows of a chunk of `b`. */
async function marksOf(others: readonly TableStatus[], of: OutputChunk, empty: readonly string[] = []): Promise<string[]> {
  const inOrder = [...others, status('b', 'running', 0)].sort((p, q) => (p.table < q.table ? -1 : 1));
  const marks = new RowMarks(() => inOrder);
  await marks.lookAhead('b', async (table) => empty.includes(table));
  return [0, 1, 2].map(marks.of(of, 3));
}

it('marks the first and the last row of all tables', async () => {
  expect(await marksOf([], chunk({}))).toEqual(['first', 'true', 'last']);
});

it('marks those of a table between others', async () => {
  const others = [status('a', 'done', 5), status('c', 'running', 0)];
  expect(await marksOf(others, chunk({}))).toEqual(['first_in_data_collection', 'true', 'last_in_data_collection']);
});

it('marks no first row when the first table was empty', async () => {
  expect(await marksOf([status('a', 'done', 0)], chunk({ isLast: false }))).toEqual(['first_in_data_collection', 'true', 'true']);
  expect(await marksOf([status('a', 'running', 0)], chunk({ isLast: false }))).toEqual(['first', 'true', 'true']);
});

it('marks nothing within a table', async () => {
  expect(await marksOf([status('c', 'running', 0)], chunk({ isFirst: false, isLast: false }))).toEqual(['true', 'true', 'true']);
});

it('takes a table for the last when those behind it were seen to be empty', async () => {
  const others = [status('c', 'running', 0), status('d', 'paused', 0)];
  expect(await marksOf(others, chunk({ isFirst: false }), ['c', 'd'])).toEqual(['true', 'true', 'last']);
  expect(await marksOf(others, chunk({ isFirst: false }), ['c'])).toEqual(['true', 'true', 'last_in_data_collection']);
});

it('does not ask about tables before it, whose rows may be read and not out', async () => {
  const others = [status('a', 'running', 0), status('c', 'running', 0)],
    asked: string[] = [];
  const marks = new RowMarks(() => [others[0] as TableStatus, status('b', 'running', 0), others[1] as TableStatus]);
  await marks.lookAhead('b', async (table) => asked.push(table) > 0);
  expect(asked).toEqual(['c']);
  expect(marks.of(chunk({ isFirst: false }), 1)(0)).toBe('last_in_data_collection');
  others[0] = status('a', 'done', 1);
  const later = new RowMarks(() => [others[0] as TableStatus, status('b', 'running', 0), others[1] as TableStatus]);
  await later.lookAhead('b', async () => true);
  expect(later.of(chunk({ isFirst: false }), 1)(0)).toBe('last');
});
