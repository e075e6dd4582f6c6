// Which lanes have to let go of a log that is full.

import { expect, it } from 'vitest';
import type { Lane } from '../../../src/engine/lane.ts';
import { LaneSet } from '../../../src/engine/lane-set.ts';
import type { ChangeLog } from '../../../src/log/change-log.ts';
import { silentLogger, systemClock } from '../../../src/sdk/index.ts';

const lane = (name: string, required: boolean, releasedSeq: number): Lane => ({ name, required, releasedSeq }) as unknown as Lane;

function laggards(heldBack: boolean, mayDetach = true): string[] {
  const save = async (): Promise<void> => {};
  const set = new LaneSet({ mayDetach, destinations: [], clock: systemClock, logger: silentLogger, save, exclusive: (change) => change() });
  for (const l of [lane('required', true, 90), lane('slow', false, 10), lane('quick', false, 85)]) set.add(l);
  return set.laggards({ lastSeq: 100, heldBack } as ChangeLog).map((l) => l.name);
}

it('are the optional ones that hold more than twice what the required ones do', () => {
  expect(laggards(true)).toEqual(['slow']);
});

it('are none while the log only waits for its disk, or where lanes block', () => {
  expect([laggards(false), laggards(true, false)]).toEqual([[], []]);
});
