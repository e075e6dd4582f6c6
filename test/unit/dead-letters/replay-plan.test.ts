import { describe, expect, it } from 'vitest';
import { judge, type LaneFacts, type Verdict } from '../../../src/dead-letters/replay-plan.ts';
import type { DeadLetter } from '../../../src/engine/api.ts';
import { CdcError, type ChangeEventInit, type Position, type ResumePoint } from '../../../src/sdk/index.ts';
import { event, letter, ORDERS } from './samples.ts';

const FACTS: LaneFacts = { keys: null, point: null, idempotent: true, force: false };
const parked = { error: new CdcError('DLQ_KEY_PARKED', 'behind it') };
const KEYLESS: Partial<ChangeEventInit> = { op: 'c', before: null, table: { ...ORDERS, key: [] } };
const pointAt = (n: number): ResumePoint => ({
  epoch: 1,
  log: null,
  snapshots: [],
  sources: { shop: { main: String(n).padStart(16, '0') as Position } },
});

/** A letter of the row `id`, at position `n`. */
const of = (n: number, id: number, init: Partial<ChangeEventInit> = {}, more: Partial<DeadLetter> = {}): DeadLetter =>
  letter(n, { event: event(n, { before: { id: BigInt(id) }, after: { id: BigInt(id) }, ...init }), ...more });

function verdicts(
  letters: readonly DeadLetter[],
  facts: Partial<LaneFacts> = {},
  chosen: readonly number[] = letters.map((_, i) => i),
): Verdict[] {
  const candidates = letters.map((l, i) => ({ letter: l, events: l.event === null ? [] : [l.event], selected: chosen.includes(i) }));
  return [...judge(candidates, { ...FACTS, ...facts }).values()];
}

describe('a letter is', () => {
  const cases: [string, Verdict[], Verdict[]][] = [
    ['held back when newer events of its key may be there', verdicts([of(1, 1)]), ['superseded']],
    ['sent all the same by force', verdicts([of(1, 1)], { force: true }), ['send']],
    ['sent when one behind it waits for it', verdicts([of(1, 1), of(2, 2), of(3, 1, {}, parked)]), ['send', 'superseded', 'send']],
    ['not sent without the one it waits for', verdicts([of(1, 1), of(3, 1, {}, parked)], { force: true }, [1]), ['held']],
    ['sent when nothing came after it', verdicts([of(7, 1)], { point: pointAt(7) }), ['send']],
    ['not sent when something did', verdicts([of(7, 1)], { point: pointAt(8) }), ['superseded']],
    [
      'not taken for the last one by a position of a snapshot',
      verdicts([of(7, 1, { op: 'r', snapshot: { run: 'r', table: 'public.orders', chunk: 1, place: 'last' } })], { point: pointAt(7) }),
      ['superseded'],
    ],
    ['sent when it has no key and adds a row', verdicts([of(1, 1, KEYLESS), of(2, 1, KEYLESS)]), ['send', 'send']],
    ['not sent when it has no key and changes a row', verdicts([of(1, 1, { ...KEYLESS, op: 'u' })]), ['superseded']],
    [
      'sent when the destination holds back its key',
      verdicts([of(1, 1), of(2, 2)], {
        keys: { blocking: (e) => (e.key?.['id'] === 1n ? { id: 'x' } : null), release: () => {}, save: async () => {} },
      }),
      ['send', 'superseded'],
    ],
    [
      'not sent when its key was let go, although one behind it once waited for it',
      verdicts([of(1, 1), of(3, 1, {}, parked)], { keys: { blocking: () => null, release: () => {}, save: async () => {} } }),
      ['superseded', 'held'],
    ],
    [
      'reported when a replay of it was interrupted and a repeat is seen',
      verdicts([of(1, 1, KEYLESS, { replay: { startedMs: 1, delivered: [] } })], { idempotent: false }),
      ['interrupted'],
    ],
    [
      'held behind both keys of a change of key',
      verdicts([of(1, 1), of(2, 2, { before: { id: 1n } }), of(3, 2)], { force: true }, [1, 2]),
      ['held', 'held'],
    ],
    [
      'held behind a truncate of its table',
      verdicts([of(1, 1, { op: 't', before: null, after: null }), of(2, 2)], { force: true }, [1]),
      ['held'],
    ],
    [
      'a truncate held behind any row of its table',
      verdicts([of(1, 1), of(2, 1, { op: 't', before: null, after: null })], { force: true }, [1]),
      ['held'],
    ],
  ];
  it.each(cases)('%s', (_title, found, expected) => {
    expect(found).toEqual(expected);
  });
});
