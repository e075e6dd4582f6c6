// Which letters may be sent again to a destination, and why the others may not. Pure.
//
// | letter | verdict |
// |---|---|
// | an earlier letter of its key stays | `held` |
// | a replay of it was interrupted, and a repeat does harm there | `interrupted` |
// | the destination holds back its key; where it does not say: the letter, or one behind it, waits for an earlier one | `send` |
// | nothing was delivered after it | `send` |
// | it has no key, and adds a row | `send` |
// | anything else: newer events of its key may be there | `superseded` |

import type { DeadLetter } from '../engine/api.ts';
import type { ChangeEvent, ResumePoint } from '../sdk/index.ts';
import { KeySet } from './keys.ts';

export type Verdict = 'send' | 'held' | 'interrupted' | 'superseded';

/** What a destination has of later events of a key: see parked keys in docs/operating.md. */
export interface LaneKeys {
  /** The event that this one waits behind, or is. */
  blocking(event: ChangeEvent): { readonly id: string } | null;
  release(event: ChangeEvent): void;
  save(): Promise<void>;
}

/** A letter on its way to one destination, with what is to be written there. */
export interface Candidate {
  readonly letter: DeadLetter;
  readonly events: readonly ChangeEvent[];
  readonly selected: boolean;
}

export interface LaneFacts {
  /** `null` when the lane does not say. */
  readonly keys: LaneKeys | null;
  /** What the destination itself holds; `null` when it cannot tell. */
  readonly point: ResumePoint | null;
  readonly idempotent: boolean;
  readonly force: boolean;
}

/** Of candidates in order, those that are not selected among them. */
export function judge(candidates: readonly Candidate[], facts: LaneFacts): ReadonlyMap<Candidate, Verdict> {
  const verdicts = new Map<Candidate, Verdict>(),
    staying = new KeySet(),
    waitedFor = followedByWaiting(candidates);
  for (const candidate of candidates) {
    const verdict = candidate.selected ? verdictOf(candidate, facts, staying, waitedFor.has(candidate)) : null;
    if (verdict !== null) verdicts.set(candidate, verdict);
    if (verdict !== 'send') for (const event of candidate.events) staying.add(event);
  }
  return verdicts;
}

function verdictOf({ letter, events }: Candidate, facts: LaneFacts, staying: KeySet, waitedFor: boolean): Verdict {
  if (events.some((event) => staying.touches(event))) return 'held';
  if (facts.force) return 'send';
  if (letter.replay && !facts.idempotent) return 'interrupted';
  // Where it does say, a key that is free has newer events: a replay was interrupted after its letters, or a whole row passed.
  if (facts.keys === null && (waitedFor || letter.error.code === 'DLQ_KEY_PARKED')) return 'send';
  return events.every((event) => facts.keys?.blocking(event) || isLast(event, facts.point) || addsRow(event)) ? 'send' : 'superseded';
}

/** Nothing of its partition has come after it. */
function isLast(event: ChangeEvent, point: ResumePoint | null): boolean {
  return event.snapshot === false && point?.sources[event.source]?.[event.partition] === event.position;
}

function addsRow(event: ChangeEvent): boolean {
  return event.op === 'm' || (event.key === null && (event.op === 'c' || event.op === 'r'));
}

/** Letters with one of their key behind them that was parked because of it: the destination has nothing newer. */
function followedByWaiting(candidates: readonly Candidate[]): ReadonlySet<Candidate> {
  const found = new Set<Candidate>(),
    waiting = new KeySet();
  for (const candidate of [...candidates].reverse()) {
    if (candidate.events.some((event) => waiting.touches(event))) found.add(candidate);
    if (candidate.letter.error.code === 'DLQ_KEY_PARKED') for (const event of candidate.events) waiting.add(event);
  }
  return found;
}
