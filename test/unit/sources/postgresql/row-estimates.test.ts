import { describe, expect, it } from 'vitest';
import { RowEstimates } from '../../../../src/snapshot/row-estimates.ts';
import type { TableStatus } from '../../../../src/snapshot/types.ts';
import { plannedRows } from '../../../../src/sources/postgresql/row-estimates.ts';

const status = (table: string, run: string, state: TableStatus['state'] = 'running'): TableStatus => ({
  table,
  run,
  state,
  rows: 0,
  chunk: 0,
  where: null,
  rereads: 0,
  waitsFor: null,
  error: null,
});

describe('estimates of rows', () => {
  it.each([
    ['[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 1234}}]', 1234],
    ['[{"Plan": {}}]', null],
    ['[]', null],
    ['Seq Scan', null],
    ['', null],
  ])('reads %s of the planner as %s', (plan, rows) => {
    expect(plannedRows(plan)).toBe(rows);
  });

  it('are asked for once per run, of tables that are not done', () => {
    const estimates = new RowEstimates(async () => null),
      tables = [status('a', '1', 'done'), status('b', '1'), status('c', '1', 'paused')];
    expect(estimates.next(tables)?.table).toBe('b');
    estimates.set(tables[1] as TableStatus, 10);
    expect(estimates.next(tables)?.table).toBe('c');
    estimates.set(tables[2] as TableStatus, null);
    expect(estimates.next(tables)).toBe(null);
    expect(estimates.next([status('b', '2')])?.table).toBe('b');
    expect([estimates.of('b'), estimates.of('c'), estimates.of('a')]).toEqual([10, null, null]);
  });
});
