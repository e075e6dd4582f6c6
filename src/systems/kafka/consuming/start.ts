// Where a partition that was given to us begins. Pure.
//
// The pipeline's own place counts, because it moves with what destinations have. What the group has committed counts beside it when
// somebody else has committed it: then another member has delivered what lies between. What we have committed ourselves says
// nothing new, and an operator who moves the pipeline's place back wants to read it again.

import type { Position } from '../../../sdk/index.ts';
import type { ConsumingConfig } from './config.ts';
import { offsetOf } from './position.ts';

export interface StartFacts {
  /** Of the pipeline; `null`: it has never had the partition. */
  readonly stored: Position | null;
  /** Of the group; `null`: none. */
  readonly committed: { readonly offset: bigint; readonly metadata: string } | null;
  /** What our own commits say. */
  readonly member: string;
  readonly low: bigint;
  readonly high: bigint;
  readonly reset: ConsumingConfig['auto_offset_reset'];
}

export type Start =
  /** `isFresh`: nobody knows it yet, so it must be stored before anything is read: at the next start "latest" would be later. */
  | { readonly kind: 'at'; readonly next: bigint; readonly isFresh: boolean }
  | { readonly kind: 'gone' | 'diverged'; readonly next: bigint }
  | { readonly kind: 'unknown' };

export function startOf({ stored, committed, member, low, high, reset }: StartFacts): Start {
  const own = stored === null ? null : offsetOf(stored) + 1n,
    ofGroup = committed !== null && (own === null || committed.metadata !== member) ? committed.offset : null;
  if (own === null && ofGroup === null) {
    if (reset === 'none') return { kind: 'unknown' };
    return { kind: 'at', next: reset === 'earliest' ? low : high, isFresh: reset === 'latest' && high > 0n };
  }
  const next = own === null || (ofGroup !== null && ofGroup > own) ? (ofGroup as bigint) : own;
  if (next < low) return { kind: 'gone', next };
  if (next > high) return { kind: 'diverged', next };
  return { kind: 'at', next, isFresh: false };
}
