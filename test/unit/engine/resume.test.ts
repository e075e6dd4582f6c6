// The resume table of docs/architecture.md, row by row.

import { describe, expect, it } from 'vitest';
import { planResume } from '../../../src/engine/resume.ts';
import type { LaneFacts, ResumeFacts } from '../../../src/engine/resume-rules.ts';
import { type Committed, type Position, sortablePositions } from '../../../src/sdk/index.ts';
import type { PipelineState } from '../../../src/state/store.ts';
import { at, known } from '../../helpers/lane-state.ts';

/** One per worker. */
const points = (...ps: (string | null)[]): Committed => ({ kind: 'points', epoch: 1, points: ps.map((p) => at(p)) });
const EMPTY: Committed = { kind: 'empty', epoch: 0 },
  UNTRACKED: Committed = { kind: 'untracked' };
const lane = (committed: Committed, more: Partial<LaneFacts> = {}): LaneFacts => ({
  name: 'd',
  required: true,
  start: 'snapshot',
  committed,
  ...more,
});

interface Given {
  lanes: LaneFacts[];
  state?: Partial<PipelineState>;
  acknowledged?: string | null;
  snapshots?: boolean;
  rejoin?: string[];
  stateful?: boolean;
}

function plan({ lanes, state, acknowledged = null, snapshots = false, rejoin = [], stateful = false }: Given) {
  const facts: ResumeFacts = {
    state: { used: true, epoch: 1, lanes: {}, transformer: null, lastScheduledMs: null, intent: null, ...state },
    epoch: 2,
    codecs: { s: sortablePositions('n') },
    sources: [{ name: 's', ordering: 'log', snapshots, acknowledged: acknowledged === null ? null : { p: acknowledged as Position } }],
    lanes,
    stateful,
    rejoin,
  };
  const result = planResume(facts);
  const decisions = Object.fromEntries(
    [...result.lanes].map(([name, d]) => [name, d.kind === 'resume' ? (d.point.sources['s']?.['p'] ?? 'beginning') : 'detached']),
  );
  return { start: result.start.sources['s']?.['p'] ?? 'beginning', ...decisions };
}

describe('where a lane resumes', () => {
  it.each<[string, Given, Record<string, string>]>([
    ['at the beginning, at the first start', { lanes: [lane(EMPTY)], state: { used: false } }, { start: 'beginning', d: 'beginning' }],
    [
      'at what its destination holds, not at the cursor in state',
      { lanes: [lane(points('7'))], state: { lanes: { d: known('5') } } },
      { start: '7', d: '7' },
    ],
    [
      'at its cursor, when its destination cannot tell',
      { lanes: [lane(UNTRACKED)], state: { lanes: { d: known('5') } } },
      { start: '5', d: '5' },
    ],
    [
      'at what its destination holds, when the state is lost',
      { lanes: [lane(points('7'))], state: { used: false }, acknowledged: '6' },
      { start: '7', d: '7' },
    ],
    [
      'at what upstream was told, when the state is lost and it cannot tell',
      { lanes: [lane(UNTRACKED)], state: { used: false }, acknowledged: '6' },
      { start: '6', d: '6' },
    ],
    [
      'at the beginning, when the state is lost, it cannot tell, and upstream still has everything',
      { lanes: [lane(UNTRACKED)], state: { used: false } },
      { start: 'beginning', d: 'beginning' },
    ],
    [
      'each at its own place, when the state is lost: one by its destination, one by upstream',
      { lanes: [lane(points('9'), { name: 'h' }), lane(UNTRACKED, { name: 'u' })], state: { used: false }, acknowledged: '6' },
      { start: '6', h: '9', u: '6' },
    ],
    [
      'nowhere, when the state is lost and it is optional and cannot tell',
      {
        lanes: [lane(points('7'), { name: 'r' }), lane(UNTRACKED, { required: false })],
        state: { used: false },
        acknowledged: '6',
      },
      { start: '7', r: '7', d: 'detached' },
    ],
    [
      'nowhere, when the state is lost, it is optional and its destination is empty',
      { lanes: [lane(points('7'), { name: 'r' }), lane(EMPTY, { required: false })], state: { used: false }, acknowledged: '6' },
      { start: '7', r: '7', d: 'detached' },
    ],
    [
      'anew, when the state is lost and the operator lets an empty destination join again',
      { lanes: [lane(EMPTY)], state: { used: false }, acknowledged: '6', snapshots: true, rejoin: ['d'] },
      { start: 'beginning', d: 'beginning' },
    ],
    [
      'with the next event, when it is new with `start: now`',
      { lanes: [lane(points('7'), { name: 'old' }), lane(EMPTY, { start: 'now' })], state: { lanes: { old: known('7') } } },
      { start: '7', old: '7', d: '7' },
    ],
    [
      'at the beginning, when it is new and the source still has that',
      { lanes: [lane(points('7'), { name: 'old' }), lane(EMPTY)], state: { lanes: { old: known('7') } } },
      { start: 'beginning', old: '7', d: 'beginning' },
    ],
    [
      'at the beginning, when it is new and the source reads a snapshot',
      { lanes: [lane(EMPTY)], acknowledged: '6', snapshots: true },
      { start: 'beginning', d: 'beginning' },
    ],
    [
      'at the beginning, when one of its workers has got nothing yet and the source reads its rows',
      { lanes: [lane(points('4', null))], state: { lanes: { d: known('4') } }, acknowledged: '4', snapshots: true },
      { start: 'beginning', d: 'beginning' },
    ],
    [
      'anew, when it was emptied and the operator lets it join again',
      { lanes: [lane(EMPTY)], state: { lanes: { d: known('5') } }, rejoin: ['d'] },
      { start: 'beginning', d: 'beginning' },
    ],
    [
      'nowhere, while it is detached',
      {
        lanes: [lane(points('7'), { name: 'r' }), lane(points('3'), { required: false })],
        state: { lanes: { r: known('7'), d: known('3', { detached: { from: at('3'), sinceMs: 0, reason: 'x' } }) } },
      },
      { start: '7', r: '7', d: 'detached' },
    ],
    [
      'nowhere, when it is optional and behind the required ones',
      {
        lanes: [lane(points('7'), { name: 'r' }), lane(points('3'), { required: false })],
        state: { lanes: { r: known('7'), d: known('3') } },
      },
      { start: '7', r: '7', d: 'detached' },
    ],
    [
      'nowhere, when it is optional and behind what upstream holds, beside one that joins by snapshot',
      {
        lanes: [lane(EMPTY, { name: 'r' }), lane(points('3'), { required: false })],
        state: { lanes: { r: known('7'), d: known('3') } },
        acknowledged: '5',
        snapshots: true,
        rejoin: ['r'],
      },
      { start: 'beginning', r: 'beginning', d: 'detached' },
    ],
    [
      'where it stands, when it is optional and ahead',
      {
        lanes: [lane(points('7'), { name: 'r' }), lane(points('9'), { required: false })],
        state: { lanes: { r: known('7'), d: known('9') } },
      },
      { start: '7', r: '7', d: '9' },
    ],
    [
      'nowhere, when it is optional and missed queue messages',
      {
        lanes: [lane(points('7'), { name: 'r' }), lane(points('7'), { required: false })],
        state: { lanes: { r: known('7'), d: known('7', { lacksForgotten: true }) } },
      },
      { start: '7', r: '7', d: 'detached' },
    ],
  ])('%s', (_title, given, expected) => {
    expect(plan(given)).toEqual(expected);
  });

  it.each<[string, string, Given]>([
    [
      'its required destination is older than what upstream holds',
      'SOURCE_POSITION_GONE',
      { lanes: [lane(points('3'))], state: { lanes: { d: known('5') } }, acknowledged: '4' },
    ],
    [
      'its destination held a point and is empty now',
      'DESTINATION_POSITION_LOST',
      { lanes: [lane(EMPTY)], state: { lanes: { d: known('5') } } },
    ],
    [
      'the state is lost and a destination that keeps points is empty',
      'STATE_LOST',
      { lanes: [lane(EMPTY)], state: { used: false }, acknowledged: '4' },
    ],
    [
      'its destination was put back to before what its transformers took in',
      'SOURCE_POSITION_GONE',
      {
        lanes: [lane(points('3'))],
        state: { lanes: { d: known('5') }, transformer: { point: at('6'), state: new Uint8Array() } },
        stateful: true,
      },
    ],
    [
      'one of its workers was put back, and the oldest stood there anyway',
      'SOURCE_POSITION_GONE',
      {
        lanes: [lane(points('3', '3'))],
        state: { lanes: { d: known('3', { points: [at('3'), at('5')] }) }, transformer: { point: at('5'), state: new Uint8Array() } },
        stateful: true,
      },
    ],
    [
      'it was put back to when it had another number of workers',
      'SOURCE_POSITION_GONE',
      {
        lanes: [lane(points('3'))],
        state: { lanes: { d: known('3', { points: [at('3'), at('5')] }) }, transformer: { point: at('5'), state: new Uint8Array() } },
        stateful: true,
      },
    ],
    [
      'the state of its stateful transformers is lost',
      'STATE_LOST',
      { lanes: [lane(points('7'))], state: { used: false }, acknowledged: '4', stateful: true },
    ],
    [
      'the state is lost and its destination is older than what upstream holds',
      'SOURCE_POSITION_GONE',
      { lanes: [lane(points('3'))], state: { used: false }, acknowledged: '4' },
    ],
    [
      'the state of its stateful transformers is lost, and only a destination shows that there was one',
      'STATE_LOST',
      { lanes: [lane(points('7'))], state: { used: false }, stateful: true },
    ],
    [
      'one of its workers lacks what the source has forgotten, also where another has got nothing yet',
      'SOURCE_POSITION_GONE',
      { lanes: [lane(points('3', null))], state: { lanes: { d: known('5') } }, acknowledged: '4', snapshots: true },
    ],
    ['it is new and the source can no longer serve the beginning', 'SOURCE_POSITION_GONE', { lanes: [lane(EMPTY)], acknowledged: '4' }],
    [
      'it shall join by snapshot but still holds rows',
      'DESTINATION_MISCONFIGURED',
      { lanes: [lane(points('3'))], state: { lanes: { d: known('5') } }, rejoin: ['d'] },
    ],
  ])('not at all when %s: %s', (_title, code, given) => {
    expect(() => plan(given)).toThrow(expect.objectContaining({ code, fix: expect.stringMatching(/./) as string }) as Error);
  });
});

describe('where the source resumes', () => {
  it('at the oldest required lane', () => {
    const lanes = ['a', 'b'].map((name, i) => lane(points(i === 0 ? '9' : '4'), { name }));
    expect(plan({ lanes, state: { lanes: { a: known('9'), b: known('4') } } }).start).toBe('4');
  });

  it('at the saved place of its stateful transformers', () => {
    const transformer = { point: at('2'), state: new Uint8Array() };
    expect(plan({ lanes: [lane(points('7'))], state: { lanes: { d: known('7') }, transformer }, stateful: true }).start).toBe('2');
    expect(plan({ lanes: [lane(points('7'))], state: { lanes: { d: known('7') }, transformer }, stateful: false }).start).toBe('7');
  });
});
