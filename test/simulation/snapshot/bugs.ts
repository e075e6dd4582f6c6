// Mistakes to plant, each in what surrounds the engine or in the rules it is given: one for each way to lose, repeat or age a
// row. `run.ts --bugs` counts the schedules until each is found.

import { RULES, type SnapshotRules } from '../../../src/snapshot/rules.ts';
import type { Visibility } from '../../../src/snapshot/types.ts';
import { type XidSnapshot, xidVisibility } from '../../../src/sources/postgresql/xids.ts';
import type { Dice } from '../random.ts';

export const BUGS = {
  'no-h': 'a chunk does not wait for the end of the log',
  'h-flushed': 'H is the flushed position: asynchronous commits are visible before',
  'h-page-header': 'H behind a page header is taken as it is: an idle server never gets there',
  'no-drop': 'touched rows are sent',
  'match-chunk-key': 'rows are matched by the chunk key where events carry another identity',
  'doubt-drops': 'a row is dropped because its key perhaps equals a touched one',
  'truncate-untouched': 'TRUNCATE touches nothing',
  'record-after-s': 'touched keys are recorded only once S is taken',
  'seen-counts-as-newer': 'keys touched by what S sees drop rows, too: a silent rewrite may have changed them since',
  'no-bound': 'S need not see what was streamed before the run',
  'all-seen': 'what was streamed before S counts as visible in S',
  'bound-xmax': 'the bound is the xmax of a snapshot',
  'bound-xmax+1': 'the bound is the xmax of a snapshot and one',
  'no-bound-within': 'a run that begins within a process needs no bound',
  'not-listed': 'what an incomplete event superseded is dropped for good',
  'part-not-listed': 'a row that an incomplete event superseded is dropped for good',
  'jump-not-listed': 'an incomplete change of key is not read again',
  'order-taken-for-identity': 'a row is taken to stay in its place because its identity does',
  'superseded-unlisted': 'a row read again leaves the list although an incomplete event is newer',
  'merge-stale': 'a row read again goes out without the newer columns',
  'merge-moved': 'columns of a moved row are merged into the one that was under its key',
  'absent-unlisted': 'a key that S lacks leaves the list although its event is newer than S',
  'list-not-saved': 'the list of keys to read again is not stored',
  'progress-early': 'progress is stored before the chunk is confirmed',
  'progress-late': 'the longer list comes behind the events that made it longer',
  'r-by-position': 'rows at or below the stored position are taken for repeats',
  'no-lock': 'S is taken before the lock',
  'no-fingerprint': 'a rewritten table is not noticed',
  'partial-insert': 'the destination inserts incomplete rows',
  'repeat-not-listed': 'an incomplete change of key is repeated after a crash, and its key is not read again',
  'boundaries-ignored': 'chunks do not end where a faster lane stands',
  'lists-of-others-ignored': 'what a faster lane has on its list is not read again',
  'announced-at-place': 'a run begins at a place that a lane covers which has not heard of it',
} as const;
export type BugName = keyof typeof BUGS;
export type Bug = BugName | null;

export function rulesWith(bug: Bug): SnapshotRules {
  switch (bug) {
    case 'no-drop':
      return { ...RULES, rangeRow: () => 'send', listedRow: () => 'send' };
    case 'doubt-drops':
      return { ...RULES, rangeRow: (doubtful, left, since) => (doubtful && since.any ? 'drop' : RULES.rangeRow(doubtful, left, since)) };
    case 'not-listed':
      return { ...RULES, listsAtOnce: () => false, rangeRow: dropsParts };
    case 'part-not-listed':
      return { ...RULES, rangeRow: dropsParts };
    case 'jump-not-listed':
      return { ...RULES, listsAtOnce: () => false };
    case 'order-taken-for-identity':
      return { ...RULES, listsAtOnce: (oldKey, key, isComplete) => RULES.listsAtOnce(oldKey, key, isComplete, true) };
    case 'superseded-unlisted':
      return { ...RULES, listedRow: (doubtful, left, since) => (left === undefined ? RULES.listedRow(doubtful, left, since) : 'drop') };
    case 'merge-moved':
      return {
        ...RULES,
        leavings: (touches) => RULES.leavings(touches.map((t) => (t.op === 'u' && !t.isComplete ? { ...t, oldKey: t.key } : t))),
      };
    case 'absent-unlisted':
      return { ...RULES, absentKey: () => 'drop' };
    default:
      return RULES;
  }
}

const dropsParts: SnapshotRules['rangeRow'] = (doubtful, left, since) =>
  left !== undefined && RULES.rangeRow(doubtful, left, since) === 'list' ? 'drop' : RULES.rangeRow(doubtful, left, since);

export function visibilityWith(bug: Bug, dice: Dice): Visibility<number, XidSnapshot, number> {
  if (bug === 'seen-counts-as-newer') return { ...xidVisibility, sees: (seen, id) => dice.chance(0.5) && xidVisibility.sees(seen, id) };
  if (bug === 'all-seen') return { ...xidVisibility, sees: () => true };
  if (bug === 'no-bound') return { ...xidVisibility, passes: () => true };
  return xidVisibility;
}
