// The real snapshot engine between a small database and lanes, in seeded schedules with crashes; and the same search finds every
// planted mistake. By hand: run.ts beside this file.

import { expect, it } from 'vitest';
import { BUGS, type BugName } from './bugs.ts';
import { runSchedule, type Violation } from './schedule.ts';

const SCHEDULES = 20_000;
/** Most are found in a thousand; what needs a repeat, or lanes that have drifted apart, takes longer. */
const SCHEDULES_PER_BUG = 60_000;

function search(schedules: number, bug: BugName | null = null): Violation | null {
  for (let seed = 1; seed <= schedules; seed++) {
    const found = runSchedule(seed, { bug });
    if (found !== null) return found;
  }
  return null;
}

it(`keeps all invariants in ${SCHEDULES} schedules`, () => {
  expect(search(SCHEDULES)).toBeNull();
});

it.each(Object.keys(BUGS) as BugName[])('finds the planted mistake %s', (bug) => {
  expect(search(SCHEDULES_PER_BUG, bug)?.problem, BUGS[bug]).toEqual(expect.any(String));
});
