// A part of the schedules of test/simulation/snapshot: enough to see at once that a rule is broken.

import { expect, it } from 'vitest';
import type { BugName } from '../../simulation/snapshot/bugs.ts';
import { runSchedule } from '../../simulation/snapshot/schedule.ts';

const SCHEDULES = 2_000;
const TIMEOUT_MS = 120_000;

it(
  `loses, repeats and ages no row in ${SCHEDULES} schedules with crashes`,
  () => {
    for (let seed = 1; seed <= SCHEDULES; seed++) expect(runSchedule(seed)).toBeNull();
  },
  TIMEOUT_MS,
);

it('does the same when a seed is run again', () => {
  const traceOf = (seed: number): string[] => {
    const lines: string[] = [];
    runSchedule(seed, { say: (line) => lines.push(line) });
    return lines;
  };
  for (const seed of [1, 2, 3, 4, 5]) expect(traceOf(seed), `seed ${seed}`).toEqual(traceOf(seed));
});

it.each<BugName>(['no-drop', 'match-chunk-key', 'record-after-s', 'all-seen', 'bound-xmax+1', 'part-not-listed', 'h-page-header'])(
  'finds the planted mistake %s',
  (bug) => {
    let found = null;
    for (let seed = 1; seed <= 500 && found === null; seed++) found = runSchedule(seed, { bug });
    expect(found).not.toBeNull();
  },
  TIMEOUT_MS,
);
