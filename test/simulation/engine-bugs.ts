// Mistakes that only the engine itself can make: planted in its classes for as long as a search goes on.

import { Barriers } from '../../src/engine/barriers.ts';

export const ENGINE_BUGS = {
  'barrier-missing': 'workers do not wait for each other around a truncate or a change of key',
} as const;

/** Returns what takes them out again. */
export function plantEngine(bugs: readonly string[]): () => void {
  if (!bugs.includes('barrier-missing')) return () => {};
  const { othersReach, firstReaches } = Barriers.prototype;
  Object.assign(Barriers.prototype, { othersReach: () => Promise.resolve(true), firstReaches: () => Promise.resolve(true) });
  return () => {
    Object.assign(Barriers.prototype, { othersReach, firstReaches });
  };
}
