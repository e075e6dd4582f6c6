// Moves of points: what is refused, and that a crash between any two effects is finished as if there had been none.

import { describe, expect, it } from 'vitest';
import type { OpenDestination } from '../../../src/engine/components.ts';
import { finishIntent } from '../../../src/engine/finish-move.ts';
import { type MoveFacts, planMoves } from '../../../src/engine/move-points.ts';
import type { LogPlace } from '../../../src/log/change-log.ts';
import { CdcError, type Committed, type Position, sortablePositions } from '../../../src/sdk/index.ts';
import { FakeHoldingDestination, FakeRecordsDestination, Faults, HoldingStore, UntrackedStore } from '../../../src/sdk/testing/index.ts';
import { MemoryStateStore } from '../../../src/state/memory-store.ts';
import type { LaneState } from '../../../src/state/store.ts';
import { at, known } from '../../helpers/lane-state.ts';
import { destination } from '../../helpers/pipeline.ts';

const points = (...ps: string[]): Committed => ({ kind: 'points', epoch: 1, points: ps.map((p) => at(p)) });

interface Given {
  readonly lanes: MoveFacts['lanes'];
  readonly known: Record<string, LaneState>;
  readonly acknowledged?: string;
  readonly stateful?: boolean;
  /** The source reads rows. */
  readonly snapshots?: boolean;
  readonly to: Record<string, string | null>;
  /** Where the log on disk begins and ends. */
  readonly log?: { readonly head: string | null; readonly tail: string; readonly firstSeq?: number; readonly queues?: readonly string[] };
}

function plan({ lanes, known: states, acknowledged, stateful = false, snapshots = false, to, log }: Given): Record<string, string[]> {
  const facts: MoveFacts = {
    pipeline: 'orders',
    state: {
      used: true,
      epoch: 3,
      lanes: states,
      transformer: stateful ? { point: at('5'), state: new Uint8Array() } : null,
      lastScheduledMs: null,
      intent: null,
    },
    codecs: { s: sortablePositions('n') },
    acknowledged: acknowledged === undefined ? {} : { s: { p: acknowledged as Position } },
    snapshots: snapshots ? ['s'] : [],
    lanes,
    log: log === undefined ? null : { firstSeq: log.firstSeq ?? 1, head: at(log.head), tail: at(log.tail), queues: log.queues ?? [] },
  };
  const moves = planMoves(facts, new Map(Object.entries(to).map(([lane, p]): [string, LogPlace] => [lane, at(p)])));
  return Object.fromEntries(
    moves.map(({ lane, partitions }) => [lane, partitions.map((m) => `${m.from ?? '-'} ${m.effect} ${m.to ?? '-'}`)]),
  );
}

const required = (name: string, committed: Committed) => ({ name, required: true, committed });
const optional = (name: string, committed: Committed) => ({ name, required: false, committed });

/** The source was told to forget all up to 6. */
const back: Given = { lanes: [required('a', points('7'))], known: { a: known('7') }, acknowledged: '6', to: { a: '2' } };

describe('planMoves', () => {
  it.each<[string, Given, Record<string, string[]>]>([
    [
      'starts from what the destination holds, not from the cursor',
      { lanes: [required('a', points('7'))], known: { a: known('5') }, to: { a: '6' } },
      { a: ['7 again 6'] },
    ],
    [
      'starts from the cursor when the destination cannot tell',
      { lanes: [required('a', { kind: 'untracked' })], known: { a: known('5') }, to: { a: '6' } },
      { a: ['5 skips 6'] },
    ],
    [
      'says what the furthest worker gets again and what the last one never gets',
      { lanes: [required('a', points('7', '4', '6', '3'))], known: { a: known('3') }, to: { a: '5' } },
      { a: ['7 again 5', '3 skips 5'] },
    ],
    ['leaves out lanes that stand there', { lanes: [required('a', points('7'))], known: { a: known('7') }, to: { a: '7' } }, {}],
    [
      'goes back as far as upstream holds',
      { lanes: [required('a', points('7'))], known: { a: known('7') }, acknowledged: '4', to: { a: '4' } },
      { a: ['7 again 4'] },
    ],
    [
      'goes back to the beginning while nothing was acknowledged',
      { lanes: [required('a', points('7'))], known: { a: known('7') }, to: { a: null } },
      { a: ['7 again -'] },
    ],
    [
      'moves an optional lane back with the required ones',
      {
        lanes: [required('a', points('7')), optional('b', points('7'))],
        known: { a: known('7'), b: known('7') },
        to: { a: '3', b: '3' },
      },
      { a: ['7 again 3'], b: ['7 again 3'] },
    ],
    ['goes back to what only the log holds', { ...back, log: { head: null, tail: '9' } }, { a: ['7 again 2'] }],
    ['goes back to the very beginning of the log', { ...back, log: { head: '2', tail: '6', firstSeq: 40 } }, { a: ['7 again 2'] }],
    [
      'leaves an optional lane behind the required ones, where the log holds what it lacks',
      {
        lanes: [required('a', points('7')), optional('b', points('7'))],
        known: { a: known('7'), b: known('7') },
        acknowledged: '7',
        to: { b: '3' },
        log: { head: null, tail: '7' },
      },
      { b: ['7 again 3'] },
    ],
    [
      'sends a log with messages of a queue again as long as all of it is there',
      { ...back, log: { head: null, tail: '9', queues: ['q'] } },
      { a: ['7 again 2'] },
    ],
  ])('%s', (_title, given, expected) => {
    expect(plan(given)).toEqual(expected);
  });

  const one: Given = { lanes: [required('a', points('7'))], known: { a: known('7') }, to: { a: '3' } };
  it.each<[string, string, RegExp, Given]>([
    ['what upstream may have forgotten', 'SOURCE_POSITION_GONE', /may forget everything up to n 4/, { ...one, acknowledged: '4' }],
    ['the beginning of a source that was acknowledged', 'SOURCE_POSITION_GONE', /n 4/, { ...one, acknowledged: '4', to: { a: null } }],
    [
      'the beginning of a source that reads its rows',
      'STATE_MOVE_REFUSED',
      /deleted since would stay/,
      { ...one, snapshots: true, to: { a: null } },
    ],
    [
      'what neither upstream nor the log holds',
      'SOURCE_POSITION_GONE',
      /n 6, and the log begins .* record 40/,
      { ...back, log: { head: '3', tail: '9', firstSeq: 40 } },
    ],
    ['what a log that ends too early would hold', 'SOURCE_POSITION_GONE', /up to n 6, so/, { ...back, log: { head: null, tail: '5' } }],
    [
      'what lies before the log, although upstream has it: it is not read again',
      'STATE_LOG_GAP',
      /begins with record 40 \(s at n 3\)/,
      { ...one, to: { a: '2' }, log: { head: '3', tail: '9', firstSeq: 40 } },
    ],
    [
      'a log with messages of a queue whose beginning is gone',
      'STATE_MOVE_REFUSED',
      /"q" is a queue/,
      { ...back, log: { head: null, tail: '9', firstSeq: 40, queues: ['q'] } },
    ],
    ['a pipeline with a stateful transformer', 'STATE_MOVE_REFUSED', /stateful transformer/, { ...one, stateful: true }],
    [
      'a detached lane',
      'STATE_MOVE_REFUSED',
      /detached/,
      { ...one, known: { a: known('7', { detached: { from: at('2'), sinceMs: 0, reason: 'x' } }) } },
    ],
    [
      'a lane with a replay that is not finished',
      'STATE_MOVE_REFUSED',
      /replay that has come to record 5/,
      { ...one, known: { a: known('7', { replay: { log: 'l', from: 3, to: null, next: 5, tables: [] } }) } },
    ],
    ['a destination that is empty', 'STATE_MOVE_REFUSED', /no point yet/, { ...one, lanes: [required('a', { kind: 'empty', epoch: 1 })] }],
    ['a lane that is not configured', 'STATE_MOVE_REFUSED', /no destination "z"/, { ...one, to: { z: '3' } }],
    [
      'an optional lane behind the required ones',
      'STATE_MOVE_REFUSED',
      /would be detached/,
      { lanes: [required('a', points('7')), optional('b', points('7'))], known: { a: known('7'), b: known('7') }, to: { b: '3' } },
    ],
  ])('refuses %s', (_title, code, message, given) => {
    expect(() => plan(given)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(message) as string,
        fix: expect.stringMatching(/\.$/) as string,
      }) as Error,
    );
  });
});

describe('finishIntent', () => {
  class Killed extends Error {}

  /** State and destinations as they are when an intent was written, and a process that dies before its n-th effect. */
  async function world() {
    const state = new MemoryStateStore();
    const stores = [new HoldingStore(new Faults()), new HoldingStore(new Faults())];
    await state.acquire('orders', 'me', 0, 1000);
    const lanes = { a: known('7'), b: known('7'), c: known('7') };
    for (const [i, lane] of ['a', 'b'].entries()) {
      const d = new FakeHoldingDestination(stores[i] as HoldingStore);
      await d.claim({ pipeline: 'orders', lane }, 4);
      await d.setPoints({ pipeline: 'orders', lane }, 4, [at('7', 4)]);
    }
    const intent = { atMs: 0, what: 'a test', lanes: { a: at('3'), b: at('3'), c: at('3') } };
    await state.save('orders', 'me', 1000, { used: true, epoch: 4, lanes, intent });
    const process = async (
      effects: number,
      rejoin: readonly string[] = [],
      ask = <T>(call: () => Promise<T>): Promise<T | CdcError> => call(),
    ) => {
      let left = effects;
      const step = async (): Promise<void> => {
        if (left-- <= 0) throw new Killed();
      };
      const opened = [
        ...stores.map((store) => new FakeHoldingDestination(store, step)),
        new FakeRecordsDestination(new UntrackedStore(new Faults()), step),
      ].map((d, i): OpenDestination => {
        const holdsPoint = i < 2;
        return {
          config: destination('fake', {}, { name: 'abc'[i] as string, required: i !== 1 }),
          destination: d,
          capabilities: { holdsPoint, idempotent: true, input: 'rows', keyless: true, maxInFlight: 1, creates: [] },
        };
      });
      return finishIntent({
        pipeline: 'orders',
        state: await state.load('orders'),
        destinations: opened,
        rejoin,
        clock: { now: () => 77 },
        ask: (_destination, call) => ask(call),
        save: async (change) => {
          await step();
          await state.save('orders', 'me', 1000, change);
        },
      });
    };
    const outcome = async () => {
      const { lanes: stored, intent: left, epoch } = await state.load('orders');
      return {
        cursors: Object.values(stored).map((l) => [l.points[0]?.sources['s']?.['p'], l.joinedAt.sources['s']?.['p']]),
        held: stores.map((s, i) => s.lane({ pipeline: 'orders', lane: 'ab'[i] as string }).points?.[0]?.sources['s']?.['p']),
        epochs: new Set(stores.map((s, i) => s.lane({ pipeline: 'orders', lane: 'ab'[i] as string }).epoch - epoch)),
        left,
      };
    };
    return { process, outcome, stores, state };
  }
  const DONE = {
    cursors: [
      ['3', '3'],
      ['3', '3'],
      ['3', '3'],
    ],
    held: ['3', '3'],
    epochs: new Set([0]),
    left: null,
  };

  it('moves cursors and held points under an epoch above all', async () => {
    const { process, outcome } = await world();
    expect(await process(99)).toMatchObject({ epoch: 5, intent: null });
    expect(await outcome()).toEqual(DONE);
  });

  it('is finished by the next process wherever one was killed, also twice', async () => {
    for (let first = 0; first < 8; first++) {
      for (let second = 0; second < 8; second++) {
        const { process, outcome } = await world();
        const killed = await process(first).then(
          () => false,
          (error: unknown) => error instanceof Killed,
        );
        expect(killed, `${first} effects`).toBe(true);
        expect((await outcome()).left).not.toBeNull();
        await process(second).catch(() => {});
        await process(99);
        expect(await outcome(), `killed after ${first} and ${second}`).toEqual(DONE);
      }
    }
  });

  it('sets no point in a required destination that was emptied meanwhile, and keeps the intent', async () => {
    const { process, outcome, stores } = await world();
    stores[0]?.wipe();
    await expect(process(99)).rejects.toMatchObject({
      code: 'DESTINATION_POSITION_LOST',
      where: 'destination "a"',
      fix: 'Restore its data, or run with `--rejoin a` to let it join anew.',
    });
    const { held, left } = await outcome();
    expect(held).toEqual([undefined, '7']);
    expect(left).not.toBeNull();
  });

  it.each([
    ['required, and joins anew', 0, ['a']],
    ['optional', 1, []],
  ])('moves the others when an emptied destination is %s', async (_case, index, rejoin) => {
    const { process, outcome, stores } = await world();
    stores[index]?.wipe();
    await process(99, rejoin);
    const { cursors, held, left } = await outcome();
    expect(held).toEqual(['3', '3'].map((p, i) => (i === index ? undefined : p)));
    expect(cursors).toEqual([0, 1, 2].map((i) => (i === index ? ['7', undefined] : ['3', '3'])));
    expect(left).toBeNull();
  });

  it.each<[string, (stores: readonly HoldingStore[], calls: number) => void]>([
    ['from the beginning', ([, b]) => ((b as HoldingStore).faults.down = true)],
    ['once its point was read', ([, b], calls) => ((b as HoldingStore).faults.down = calls > 2)],
  ])('moves the others when an optional destination is away %s, and detaches it where it was to go on', async (_case, strike) => {
    const { process, outcome, stores, state } = await world();
    let calls = 0;
    await process(99, [], (call) => {
      strike(stores, ++calls);
      return call().catch((error: CdcError) => error);
    });
    expect(await outcome()).toEqual({ ...DONE, held: ['3', '7'], epochs: expect.anything() });
    const { lanes } = await state.load('orders');
    expect(lanes['b']?.detached).toEqual({
      from: at('3', 5),
      sinceMs: 77,
      reason: '"a test" could not move its point: the store does not answer',
      holdsOldPlace: true,
    });
    expect([lanes['a']?.detached, lanes['c']?.detached]).toEqual([null, null]);
  });

  it('does nothing where nothing was asked for', async () => {
    const state = await new MemoryStateStore().load('orders');
    const fail = (): never => {
      throw new CdcError('INTERNAL_UNEXPECTED', 'called');
    };
    expect(
      await finishIntent({ pipeline: 'orders', state, destinations: [], rejoin: [], clock: { now: fail }, ask: fail, save: fail }),
    ).toBe(state);
  });
});
