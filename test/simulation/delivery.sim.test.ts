// The real engine in thousands of seeded worlds with crashes, zombies, lost replies and lost stores: invariants 1 to 7 hold,
// and the same search finds every planted mistake.

import { expect, it } from 'vitest';
import { BUGS, type BugName } from './bugs.ts';
import { isDeterministic, reproduction, search } from './schedule.ts';

/** The long search is run.ts. */
const SCHEDULES = 5_000;
/** Most are found in ten; what needs two rare faults at once takes longer. */
const SCHEDULES_PER_BUG = 5_000;

it('does the same when a seed is run again', async () => {
  for (const seed of [1, 2, 3, 4, 5]) expect(await isDeterministic(seed), `seed ${seed}`).toBe(true);
});

it(`keeps all invariants in ${SCHEDULES} schedules`, async () => {
  const found = await search(1, SCHEDULES);
  expect(found === null ? null : `${found.violation}\n  again: ${reproduction(found)}`).toBeNull();
});

it.each(Object.keys(BUGS) as BugName[])('finds the planted mistake %s', async (name) => {
  const found = await search(1, SCHEDULES_PER_BUG, { bugs: [name] });
  expect(found?.violation, BUGS[name]).toEqual(expect.any(String));
});
