import { describe, expect, it } from 'vitest';
import { planReplay, type ReplayAsk, type ReplayFacts } from '../../../src/engine/replay-plan.ts';
import type { ResumePoint } from '../../../src/sdk/index.ts';
import type { LaneState } from '../../../src/state/store.ts';
import { laneOf } from '../../helpers/lane-state.ts';

const at = (id: string | null, seq = 0): ResumePoint => ({ epoch: 1, log: id === null ? null : { id, seq }, sources: {}, snapshots: [] });

function facts(lane: Partial<LaneState> = {}, more: Partial<ReplayFacts> = {}): ReplayFacts {
  const state = laneOf(at('log', 90), { joinedAt: at('log', 20), ...lane });
  return { pipeline: 'orders', state, log: { id: 'log', firstSeq: 5 }, place: 90, ...more };
}
const ask = (more: Partial<ReplayAsk> = {}): ReplayAsk => ({ destination: 'd', from: 30, to: null, tables: [], force: false, ...more });

describe('a replay', () => {
  it('goes up to where the lane stands when it begins', () => {
    const { request, end, notes } = planReplay(facts(), ask({ tables: ['a'] }));
    expect({ request, end, notes }).toEqual({ request: { log: 'log', from: 30, to: null, next: 30, tables: ['a'] }, end: 90, notes: [] });
    // An end at or behind the lane is the same: it never goes further.
    expect(planReplay(facts(), ask({ to: 90 })).request.to).toBeNull();
    expect(planReplay(facts(), ask({ to: 1000 })).request.to).toBeNull();
  });

  it('ends before that only by force', () => {
    expect(planReplay(facts(), ask({ to: 40, force: true }))).toMatchObject({ request: { to: 40 }, end: 40 });
  });

  it('says so when the join is of another log, and begins no earlier than this one', () => {
    for (const joinedAt of [at('older', 70), at(null)]) {
      const { request, notes } = planReplay(facts({ joinedAt }), ask({ from: 5 }));
      expect([request.from, notes]).toEqual([
        5,
        ['where "d" joined is not known in this log: the bound is its first record, 5, or that place, which is looked for at the start'],
      ]);
    }
  });

  const detached = { from: at(null), sinceMs: 0, reason: 'behind' };
  const pending = { log: 'log', from: 30, to: null, next: 44, tables: [] };
  const refusals: [string, ReplayFacts, Partial<ReplayAsk>, RegExp][] = [
    ['before the lane joined', facts(), { from: 20 }, /^record 20 is before record 21, with which/],
    ['before the log begins', facts({ joinedAt: at('log', 2) }), { from: 4 }, /^record 4 is before record 5, the first/],
    [
      'before the log begins, the join being of another',
      facts({ joinedAt: at(null) }),
      { from: 4 },
      /^record 4 is before record 5, the first/,
    ],
    ['an end before the lane', facts(), { to: 89 }, /^record 89 is before record 90/],
    ['nothing in between', facts(), { from: 91 }, /^there is nothing between record 91 and record 90/],
    ['an end before the beginning', facts(), { to: 29, force: true }, /^there is nothing between record 30 and record 29/],
    ['a lane that never ran', facts({}, { state: undefined }), {}, /has no lane yet/],
    ['a lane of another log', facts({}, { place: null }), {}, /does not stand in this log/],
    ['a detached lane', facts({ detached }), {}, /is detached/],
    ['a second one', facts({ replay: pending }), {}, /has a replay already, which has come to record 44/],
  ];
  it.each(refusals)('is refused: %s', (_title, from, more, message) => {
    expect(() => planReplay(from, ask(more))).toThrow(
      expect.objectContaining({ code: 'LOG_REPLAY_REFUSED', message: expect.stringMatching(message) }),
    );
  });
});
