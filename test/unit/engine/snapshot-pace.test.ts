import { describe, expect, it } from 'vitest';
import { SnapshotPace } from '../../../src/engine/snapshot-pace.ts';
import type { SnapshotProgress } from '../../../src/sdk/index.ts';

const progress = (rows: number, run = 'r1'): SnapshotProgress[] => [
  { source: 's', run, table: 'items', chunk: 1, lastKey: null, state: 'running', rows },
];

function paced(...steps: readonly (readonly [rows: number, ms: number, run?: string])[]): SnapshotPace {
  const pace = new SnapshotPace();
  for (const [rows, ms, run] of steps) pace.follow(progress(rows, run), ms);
  return pace;
}

describe('the pace of a snapshot', () => {
  it.each([
    ['goes by the rows of this process', paced([4000, 0], [5000, 1000]), 10_000, 1000, 5000],
    ['is slower when nothing comes for a while', paced([4000, 0], [5000, 1000]), 10_000, 2000, 10_000],
    ['begins again with another run', paced([4000, 0], [0, 1000, 'r2'], [100, 2000, 'r2']), 1100, 2000, 10_000],
    ['is unknown without an estimate', paced([0, 0], [500, 1000]), null, 1000, null],
    ['is unknown behind an estimate that was too low', paced([0, 0], [500, 1000]), 500, 1000, null],
    ['is unknown at first', paced([0, 0], [500, 100]), 1000, 100, null],
    ['is unknown when no row has come', paced([500, 0], [500, 5000]), 1000, 5000, null],
  ])('%s', (_, pace, estimate, nowMs, etaMs) => {
    expect(pace.etaMs('items', estimate, nowMs)).toBe(etaMs);
    expect(pace.etaMs('nothing', estimate, nowMs)).toBe(null);
  });
});
