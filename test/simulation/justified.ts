// A stop needs a cause: each error by which a pipeline may end, and the fault that must have happened.

import type { ErrorCode } from '../../src/sdk/index.ts';
import type { World } from './world.ts';

export function justified(world: World, owner: string, lane: string, code: ErrorCode): boolean {
  const has = (...faults: string[]): boolean => faults.some((f) => world.faults.has(f));
  const causes: { readonly [code: string]: () => boolean } = {
    STATE_FENCED: () => world.leases.ranOut(owner),
    STATE_UNAVAILABLE: () => has('state down'),
    DESTINATION_POSITION_LOST: () => has(`wiped ${lane}`),
    STATE_LOST: () => has('state lost', `restored ${lane}`),
    SOURCE_POSITION_GONE: () => has(`restored ${lane}`),
    DESTINATION_MISCONFIGURED: () => world.oracle.lane(lane).isToldToJoin,
    STATE_LOG_GAP: () => has(`restored ${lane}`),
  };
  return causes[code]?.() ?? false;
}
