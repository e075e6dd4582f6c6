// Where everything resumes when a log on disk is there: the rows of the resume table that name it.

import { describe, expect, it } from 'vitest';
import { type LogFacts, planDurableResume } from '../../../src/engine/resume-durable.ts';
import type { LaneFacts, ResumeFacts } from '../../../src/engine/resume-rules.ts';
import { type Committed, type Position, type ResumePoint, type SnapshotProgress, sortablePositions } from '../../../src/sdk/index.ts';
import type { DetachedState, LaneState, PipelineState } from '../../../src/state/store.ts';
import { laneOf } from '../../helpers/lane-state.ts';

const place = (p: string | null, snapshots: SnapshotProgress[] = []) => ({
  sources: p === null ? {} : { s: { p: p as Position } },
  snapshots,
});
const point = (seq: number | null, p: string | null, snapshots: SnapshotProgress[] = [], id = 'L'): ResumePoint => ({
  epoch: 1,
  log: seq === null ? null : { id, seq },
  ...place(p, snapshots),
});
const progress = (run: string, chunk: number, state: SnapshotProgress['state'] = 'running'): SnapshotProgress => ({
  source: 's',
  run,
  table: 't',
  chunk,
  lastKey: null,
  state,
  rows: 0,
});
const holds = (...points: ResumePoint[]): Committed => ({ kind: 'points', epoch: 1, points });
const EMPTY: Committed = { kind: 'empty', epoch: 0 },
  UNTRACKED: Committed = { kind: 'untracked' };
const gone = (at: ResumePoint, more: Partial<DetachedState> = {}): LaneState =>
  laneOf(at, { detached: { from: at, sinceMs: 0, reason: 'it was away', ...more } });

/** Records 11 to 50 are held; before them the source stood at 3, behind them it stands at 9. */
const LOG: LogFacts = { id: 'L', firstSeq: 11, lastSeq: 50, head: place('3'), tail: place('9'), runBegan: () => 0 };

function plan(committed: Committed, more: Partial<LaneFacts> = {}, facts: Partial<ResumeFacts> = {}, log: Partial<LogFacts> = {}) {
  const lane: LaneFacts = { name: 'd', required: true, start: 'snapshot', committed, ...more };
  const state: PipelineState = { used: true, epoch: 1, lanes: {}, transformer: null, lastScheduledMs: null, intent: null, ...facts.state };
  const result = planDurableResume(
    {
      epoch: 2,
      codecs: { s: sortablePositions('n') },
      sources: [{ name: 's', ordering: 'log', snapshots: true, acknowledged: { p: '9' as Position } }],
      lanes: [lane],
      stateful: false,
      rejoin: [],
      ...facts,
      state,
    },
    { ...LOG, ...log },
  );
  const decision = result.lanes.get('d');
  return {
    start: result.start.sources['s']?.['p'] ?? 'beginning',
    snapshots: result.start.snapshots.map((s) => `${s.run} ${s.chunk}`),
    after: decision?.kind === 'detached' ? 'detached' : result.entries.get('d')?.seq,
    at: decision?.kind === 'resume' ? (decision.point.sources['s']?.['p'] ?? 'beginning') : null,
    saved: decision?.kind === 'resume' && (decision.isNew || decision.isMoved === true) ? decision.point.log?.seq : null,
  };
}
const withLane = (state: LaneState): Partial<ResumeFacts> => ({ state: { lanes: { d: state } } as unknown as PipelineState });

describe('a lane with a log on disk', () => {
  it.each<[string, ReturnType<typeof plan>, number | 'detached', string | null]>([
    ['reads on behind its own record', plan(holds(point(20, '5'))), 20, '5'],
    [
      'reads on behind the cursor in state when its destination cannot tell',
      plan(UNTRACKED, {}, withLane(laneOf(point(20, '5')))),
      20,
      '5',
    ],
    ['reads the whole log when its point is of another one and not covered by the end', plan(holds(point(70, '4', [], 'M'))), 10, '4'],
    ['stands at the end when its point is of another log and has everything', plan(holds(point(70, '9', [], 'M'))), 50, '9'],
    ['stands at the end when it is further than what the log had written', plan(holds(point(60, '9'))), 50, '9'],
    [
      'begins with the oldest record when the state is lost and it cannot tell',
      plan(UNTRACKED, {}, { state: { used: false } as PipelineState }),
      10,
      '3',
    ],
    ['joins at the end with `start: now`', plan(EMPTY, { start: 'now' }), 50, '9'],
    ['joins at the oldest record with `start: log_start`', plan(EMPTY, { start: 'log_start' }), 10, '3'],
    ['joins at the end for a snapshot', plan(EMPTY), 50, '9'],
    [
      'is detached when it is optional and the log has been cut behind it',
      plan(holds(point(5, '2')), { required: false }),
      'detached',
      null,
    ],
    [
      'goes on by itself after it was detached, when the log still has all that it lacks',
      plan(holds(point(20, '5')), { required: false }, withLane(gone(point(20, '5')))),
      20,
      '5',
    ],
    [
      'stays detached when an operator moved it while its destination was away, which holds the place before',
      plan(holds(point(20, '5')), { required: false }, withLane(gone(point(20, '5'), { holdsOldPlace: true }))),
      'detached',
      null,
    ],
    [
      'stays detached when the log no longer has all that it lacks',
      plan(holds(point(5, '2')), { required: false }, withLane(gone(point(5, '2')))),
      'detached',
      null,
    ],
    [
      'stays detached when its point is of another log',
      plan(holds(point(20, '5', [], 'M')), { required: false }, withLane(gone(point(20, '5', [], 'M')))),
      'detached',
      null,
    ],
  ])('%s', (_title, found, after, at) => {
    expect([found.after, found.at]).toEqual([after, at]);
    expect(found.start).toBe('9');
  });

  it.each<[string, string, () => unknown]>([
    ['the log has been cut behind it', 'STATE_LOG_GAP', () => plan(holds(point(5, '2')))],
    ['its point is of another log and older than this one', 'STATE_LOG_GAP', () => plan(holds(point(70, '2', [], 'M')))],
    ['its destination held a point and is empty now', 'DESTINATION_POSITION_LOST', () => plan(EMPTY, {}, withLane(laneOf(point(20, '5'))))],
    ['the state is lost and its destination is empty', 'STATE_LOST', () => plan(EMPTY, {}, { state: { used: false } as PipelineState })],
    [
      'it is new, the source has no rows to read and the log was cut',
      'SOURCE_POSITION_GONE',
      () => plan(EMPTY, {}, { sources: [{ name: 's', ordering: 'log', snapshots: false, acknowledged: null }] }),
    ],
  ])('stops the start when %s: %s', (_title, code, found) => {
    expect(found).toThrow(expect.objectContaining({ code, fix: expect.stringMatching(/./) as string }) as Error);
  });
});

it('saves the place of a lane that was further than the log is now: the numbers between are given out again', () => {
  expect(plan(holds(point(60, '9')))).toMatchObject({ after: 50, at: '9', saved: 50 });
  expect(plan(holds(point(60, '8')))).toMatchObject({ after: 10, at: '8', saved: 10 });
  expect(plan(holds(point(50, '9'))).saved).toBeNull();
});

describe('an optional lane that was away when the log had lost its tail', () => {
  const away = (end: ResumePoint): Partial<ResumeFacts> =>
    withLane(laneOf(point(60, '8'), { detached: { from: point(60, '8'), sinceMs: 0, reason: 'it was away', logEnd: end } }));
  const optional = { required: false };

  it.each<[string, number | 'detached', string | null, number | null, ResumePoint, ResumePoint, Partial<LogFacts>]>([
    ['goes on where the log ended then', 30, '8', 30, point(40, '8'), point(30, '7'), {}],
    ['goes on at its own record when the log still had that', 25, '6', null, point(25, '6'), point(30, '7'), {}],
    ['looks through the whole log when it does not have all of what the log had then', 10, '6', 10, point(40, '6'), point(30, '7'), {}],
    ['stays detached when that is gone', 'detached', null, null, point(40, '2'), point(5, '2'), {}],
    ['believes its number when that was another log', 40, '8', null, point(40, '8'), point(30, '7', [], 'M'), {}],
    [
      'goes by the end of the log when that is shorter by now',
      20,
      '8',
      20,
      point(40, '8'),
      point(30, '7'),
      { lastSeq: 20, tail: place('7') },
    ],
  ])('%s', (_title, after, at, saved, holding, end, log) => {
    expect(
      plan(holds(holding), optional, { ...away(end), sources: [{ name: 's', ordering: 'log', snapshots: true, acknowledged: null }] }, log),
    ).toMatchObject({ after, at, saved });
  });
});

describe('a log that ends before what the source has forgotten', () => {
  const older = { tail: place('7') };
  it('is gone on with behind that, when every lane has it', () => {
    expect(plan(holds(point(20, '9', [], 'M')), {}, {}, older)).toMatchObject({ start: '9', after: 50, at: '9' });
    expect(plan(holds(point(60, '9')), {}, {}, older)).toMatchObject({ start: '9', after: 50, at: '9' });
  });
  it('has a lane join there', () => {
    expect(plan(EMPTY, {}, {}, older)).toMatchObject({ start: '9', after: 50, at: '9' });
    expect(plan(EMPTY, { start: 'now' }, {}, older)).toMatchObject({ start: '9', after: 50, at: '9' });
  });
  it('detaches an optional lane that lacks something of it, and stops for a required one', () => {
    expect(plan(holds(point(20, '8')), { required: false }, {}, older)).toMatchObject({ start: '9', after: 'detached' });
    expect(() => plan(holds(point(20, '8')), {}, {}, older)).toThrow(expect.objectContaining({ code: 'SOURCE_POSITION_GONE' }) as Error);
  });
});

describe('the source behind a log on disk', () => {
  const tail = place('9', [progress('r', 4, 'done')]);

  it('goes on with its snapshots where the log ends', () => {
    expect(plan(holds(point(20, '5', [progress('r', 2)])), {}, {}, { tail }).snapshots).toEqual(['r 4']);
  });

  it('reads rows anew for a lane that lacks them and no longer meets them in the log', () => {
    expect(plan(EMPTY, {}, {}, { tail }).snapshots).toEqual([]);
    expect(plan(holds(point(20, '5')), {}, {}, { tail, runBegan: () => 20 }).snapshots).toEqual([]);
    expect(plan(holds(point(20, '5')), {}, {}, { tail, runBegan: () => 21 }).snapshots).toEqual(['r 4']);
  });

  it('begins at the saved place of its stateful transformers', () => {
    const transformer = { point: point(15, '6'), state: new Uint8Array() };
    expect(plan(holds(point(20, '5')), {}, { stateful: true, state: { transformer } as unknown as PipelineState }).start).toBe('6');
  });
});
