// What every state store promises, run against each of them.

import { describe, expect, it } from 'vitest';
import { CdcError, type Position, type ResumePoint, type RunSummary } from '../../../src/sdk/index.ts';
import { KEPT_RUNS, type LaneState, type PointIntent, type StateStore } from '../../../src/state/store.ts';
import { laneOf } from '../../helpers/lane-state.ts';

export const A = 'host-a/1/x';
export const B = 'host-b/2/y';
const P = 'orders';

export function pointAt(n: number): ResumePoint {
  return {
    epoch: 3,
    log: { id: 'log-1', seq: n },
    sources: { shop: { main: String(n).padStart(16, '0') as Position } },
    snapshots: [{ source: 'shop', run: 'r1', table: 'public.orders', chunk: n, lastKey: '["ü",1]', state: 'running', rows: n * 10 }],
  };
}

export function laneAt(n: number): LaneState {
  return laneOf(pointAt(n), { joinedAt: pointAt(0) });
}

/** A store, and the same data opened anew. */
export interface StoreUnderTest extends AsyncDisposable {
  store: StateStore;
  reopen(): Promise<StateStore>;
}

export function describeStateStore(name: string, open: () => Promise<StoreUnderTest>, keptRuns = KEPT_RUNS): void {
  describe(name, () => {
    describe('lease', () => {
      const cases: [string, { holder: string; untilMs: number } | null, string, number, { owner: string; untilMs: number }][] = [
        ['is granted when nobody has it', null, A, 1000, { owner: A, untilMs: 1500 }],
        ['is renewed for its owner', { holder: A, untilMs: 2000 }, A, 1000, { owner: A, untilMs: 1500 }],
        ['is refused while somebody else holds it', { holder: B, untilMs: 1001 }, A, 1000, { owner: B, untilMs: 1001 }],
        ['is granted at the millisecond at which it runs out', { holder: B, untilMs: 1000 }, A, 1000, { owner: A, untilMs: 1500 }],
        ['is granted after it ran out', { holder: B, untilMs: 999 }, A, 1000, { owner: A, untilMs: 1500 }],
      ];
      it.each(cases)('%s', async (_title, before, owner, nowMs, expected) => {
        await using test = await open();
        if (before !== null) await test.store.acquire(P, before.holder, 0, before.untilMs);
        expect(await test.store.acquire(P, owner, nowMs, nowMs + 500)).toEqual(expected);
      });

      it('is free after a release', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 10_000);
        await test.store.release(P, A);
        expect(await test.store.acquire(P, B, 1, 500)).toEqual({ owner: B, untilMs: 500 });
      });

      it('is not given back by somebody who does not hold it', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 10_000);
        await test.store.release(P, B);
        await test.store.release('unknown', B);
        expect(await test.store.acquire(P, B, 1, 500)).toEqual({ owner: A, untilMs: 10_000 });
      });

      it('is extended by each save, and never shortened', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        await test.store.save(P, A, 5000, {});
        await test.store.save(P, A, 2000, {});
        expect(await test.store.acquire(P, B, 4999, 9000)).toEqual({ owner: A, untilMs: 5000 });
      });

      it('belongs to one pipeline', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        expect((await test.store.acquire('other', B, 0, 1000)).owner).toBe(B);
      });
    });

    describe('fencing', () => {
      const writes: [string, (store: StateStore) => Promise<unknown>][] = [
        ['save', (s) => s.save(P, A, 99_999, { epoch: 7, lanes: { bus: laneAt(9) } })],
        ['beginRun', (s) => s.beginRun(P, A, 1)],
        ['endRun', (s) => s.endRun(P, A, summary(1))],
        ['recordError', (s) => s.recordError(P, A, 'bus', new CdcError('SOURCE_FAILED', 'x'), 1)],
        ['forget', (s) => s.forget(P, A)],
        ['setPluginValue', (s) => s.setPluginValue(P, A, 'audit', 'k', new Uint8Array([1]))],
      ];
      it.each(writes)('%s of a process that lost its lease is refused and changes nothing', async (_name, write) => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        await test.store.save(P, A, 1000, { used: true, epoch: 4, lanes: { bus: laneAt(5) } });
        await test.store.acquire(P, B, 1000, 2000);
        const before = await everything(test.store);
        await expect(write(test.store)).rejects.toMatchObject({ code: 'STATE_FENCED', retriable: false });
        expect(await everything(test.store)).toEqual(before);
        expect(await test.store.acquire(P, A, 1500, 3000)).toEqual({ owner: B, untilMs: 2000 });
      });

      it.each(writes)('%s without any lease is refused', async (_name, write) => {
        await using test = await open();
        await expect(write(test.store)).rejects.toMatchObject({ code: 'STATE_FENCED' });
      });

      it('refuses writes after the own release', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        await test.store.release(P, A);
        await expect(test.store.save(P, A, 1, {})).rejects.toMatchObject({ code: 'STATE_FENCED' });
      });

      it('lets the owner write after its time ran out as long as nobody else came', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        await test.store.save(P, A, 9000, { epoch: 2 });
        expect((await test.store.load(P)).epoch).toBe(2);
      });
    });

    describe('state', () => {
      it('of an unknown pipeline is that of an unused one', async () => {
        await using test = await open();
        expect(await test.store.load(P)).toEqual({
          used: false,
          epoch: 0,
          lanes: {},
          transformer: null,
          lastScheduledMs: null,
          intent: null,
        });
        expect(await test.store.pipelines()).toEqual([]);
      });

      it('comes back as it was saved', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        const detached: LaneState = {
          points: [pointAt(3), pointAt(4)],
          joinedAt: pointAt(1),
          lacksForgotten: true,
          replay: { log: 'l', from: 3, to: null, next: 7, tables: ['a'] },
          joining: pointAt(3),
          detached: { from: pointAt(2), sinceMs: 1_700_000_000_123, reason: 'the log was full', logEnd: pointAt(1), holdsOldPlace: true },
        };
        const transformer = { point: pointAt(6), state: new Uint8Array([0, 255, 10]) };
        await test.store.save(P, A, 1000, {
          used: true,
          epoch: 5,
          lanes: { bus: laneAt(1), 'lane "2"': detached },
          transformer,
          lastScheduledMs: 42,
        });
        const expected = {
          used: true,
          epoch: 5,
          lanes: { bus: laneAt(1), 'lane "2"': detached },
          transformer,
          lastScheduledMs: 42,
          intent: null,
        };
        expect(await test.store.load(P)).toEqual(expected);
        expect(await (await test.reopen()).load(P)).toEqual(expected);
      });

      it('changes only in what a save names, and forgets a lane saved as null', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        await test.store.save(P, A, 1000, { used: true, epoch: 5, lanes: { a: laneAt(1), b: laneAt(2) }, lastScheduledMs: 7 });
        await test.store.save(P, A, 1000, { lanes: { a: null, c: laneAt(3) } });
        await test.store.save(P, A, 1000, { epoch: 6 });
        expect(await test.store.load(P)).toEqual({
          used: true,
          epoch: 6,
          lanes: { b: laneAt(2), c: laneAt(3) },
          transformer: null,
          lastScheduledMs: 7,
          intent: null,
        });
      });

      it('is kept apart per pipeline', async () => {
        await using test = await open();
        for (const [i, pipeline] of ['b', 'a'].entries()) {
          await test.store.acquire(pipeline, A, 0, 1000);
          await test.store.save(pipeline, A, 1000, { lanes: { bus: laneAt(i) } });
        }
        expect((await test.store.load('b')).lanes).toEqual({ bus: laneAt(0) });
        expect((await test.store.load('a')).lanes).toEqual({ bus: laneAt(1) });
        expect(await test.store.pipelines()).toEqual(['a', 'b']);
      });

      it('is not touched by changes of the objects that were saved or loaded', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        const state = new Uint8Array([1, 2]);
        await test.store.save(P, A, 1000, { transformer: { point: pointAt(1), state } });
        state[0] = 99;
        const loaded = await test.store.load(P);
        loaded.transformer?.state.fill(7);
        expect((await test.store.load(P)).transformer?.state).toEqual(new Uint8Array([1, 2]));
      });
    });

    describe('an intent of the operator', () => {
      const intent: PointIntent = { atMs: 7, what: 'offsets set', lanes: { bus: pointAt(2), 'lane "2"': pointAt(3) } };

      it('stays until it is removed, whatever else is saved', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        await test.store.save(P, A, 1000, { epoch: 2, intent });
        await test.store.save(P, A, 1000, { epoch: 3, lanes: { bus: laneAt(1) } });
        expect(await (await test.reopen()).load(P)).toMatchObject({ epoch: 3, intent });
        await test.store.save(P, A, 1000, { lanes: { bus: laneAt(2) }, intent: null });
        expect(await test.store.load(P)).toMatchObject({ epoch: 3, intent: null, lanes: { bus: laneAt(2) } });
      });
    });

    describe('checkpoints', () => {
      const MINUTE = 60_000;
      const ids = async (store: StateStore): Promise<number[][]> => (await store.checkpoints(P)).map(({ id, atMs }) => [id, atMs]);

      it('hold where all lanes but detached ones stood, newest first', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        const detached: LaneState = { ...laneAt(1), detached: { from: pointAt(1), sinceMs: 1, reason: 'x' } };
        await test.store.save(P, A, 1000, { lanes: { b: laneAt(1), a: laneAt(2), c: detached }, checkpoint: { atMs: 5, keep: 9 } });
        await test.store.save(P, A, 1000, { lanes: { a: laneAt(3) }, checkpoint: { atMs: 5 + MINUTE, keep: 9 } });
        expect(await (await test.reopen()).checkpoints(P)).toEqual([
          { id: 2, atMs: 5 + MINUTE, lanes: { a: [pointAt(3)], b: [pointAt(1)] } },
          { id: 1, atMs: 5, lanes: { a: [pointAt(2)], b: [pointAt(1)] } },
        ]);
      });

      it('are at least a minute apart, hold something new, and the oldest are forgotten', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        const at = (n: number, atMs: number, more: { keep?: number; always?: true } = {}): Promise<void> =>
          test.store.save(P, A, 1000, { lanes: { a: laneAt(n) }, checkpoint: { atMs, keep: 3, ...more } });
        await at(1, 0);
        await at(2, MINUTE - 1);
        expect(await ids(test.store)).toEqual([[1, 0]]);
        await at(2, MINUTE);
        await at(2, 5 * MINUTE); // nothing has moved
        await test.store.save(P, A, 1000, {
          lanes: { a: { ...laneAt(2), points: [{ ...pointAt(2), epoch: 9, log: null }] } },
          checkpoint: { atMs: 6 * MINUTE, keep: 3 },
        });
        expect(await ids(test.store)).toEqual([
          [2, MINUTE],
          [1, 0],
        ]);
        await at(3, MINUTE + 1, { always: true });
        await at(4, -MINUTE); // the clock was set back
        expect(await ids(test.store)).toEqual([
          [4, -MINUTE],
          [3, MINUTE + 1],
          [2, MINUTE],
        ]);
        await at(5, 9 * MINUTE, { keep: 0 });
        expect((await ids(test.store))[0]).toEqual([4, -MINUTE]);
      });
    });

    describe('ids of delivered messages', () => {
      it('are kept by bucket, replaced and forgotten', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        expect(await test.store.delivered(P)).toEqual([]);
        const bucket = (n: number, size: number) => ({ bucket: n, lastMs: n * 10, ids: new Uint8Array(size).fill(n) });
        await test.store.save(P, A, 1000, { lanes: { a: laneAt(1) }, delivered: [bucket(2, 16), bucket(1, 32)] });
        await test.store.save(P, A, 1000, { delivered: [bucket(2, 48), { bucket: 1, ids: null }, bucket(3, 16)] });
        await test.store.save(P, A, 1000, { epoch: 5 });
        expect(await (await test.reopen()).delivered(P)).toEqual([bucket(2, 48), bucket(3, 16)]);
      });
    });

    describe('forgetting a pipeline', () => {
      it('leaves nothing of it, and nothing else is touched', async () => {
        await using test = await open();
        for (const name of [P, 'other']) {
          await test.store.acquire(name, A, 0, 1000);
          await test.store.beginRun(name, A, 1);
          await test.store.save(name, A, 1000, {
            used: true,
            epoch: 4,
            lanes: { a: laneAt(1) },
            transformer: { point: pointAt(1), state: new Uint8Array(3) },
            checkpoint: { atMs: 1, keep: 3 },
            delivered: [{ bucket: 1, lastMs: 2, ids: new Uint8Array(16) }],
          });
          await test.store.recordError(name, A, 'bus', new CdcError('SOURCE_FAILED', 'x'), 1);
          await test.store.setPluginValue(name, A, 'audit', 'k', new Uint8Array([1]));
        }
        const other = await everything(test.store, 'other');
        await test.store.forget(P, A);
        const store = await test.reopen();
        expect(await everything(store, P)).toEqual(await everything(store, 'never seen'));
        expect(await everything(store, 'other')).toEqual(other);
        expect(await store.pipelines()).toEqual(['other']);
        await expect(store.save(P, A, 1000, {})).rejects.toMatchObject({ code: 'STATE_FENCED' });
        expect(await store.acquire(P, B, 5, 99)).toEqual({ owner: B, untilMs: 99 });
        expect(await store.pipelines()).toEqual(['orders', 'other']);
      });
    });

    describe('runs', () => {
      it('are numbered from 1, listed newest first, and keep their summary with its error', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        expect(await test.store.beginRun(P, A, 10)).toBe(1);
        const done: RunSummary = {
          ...summary(1),
          delivered: { bus: 12 },
          resumedFrom: { shop: { main: 'line 3' } },
          error: new CdcError('SOURCE_FAILED', 'gone', { where: 'sources[0]', fix: 'Look.', retriable: true }),
        };
        await test.store.endRun(P, A, done);
        expect(await test.store.beginRun(P, A, 20)).toBe(2);
        const [second, first] = await (await test.reopen()).runs(P, 10);
        expect(second).toMatchObject({ runId: 2, startedAtMs: 20, endedAtMs: null, outcome: 'running', error: null });
        expect({ ...first, error: null }).toEqual({ ...done, error: null });
        expect(first?.error).toBeInstanceOf(CdcError);
        expect(first?.error?.toJSON()).toEqual(done.error?.toJSON());
        expect(await test.store.runs(P, 1)).toHaveLength(1);
      });

      it('that were killed are failed ones once the next begins', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        await test.store.beginRun(P, A, 10);
        await test.store.beginRun(P, A, 20);
        expect((await test.store.runs(P, 9)).map((r) => [r.runId, r.outcome, r.endedAtMs])).toEqual([
          [2, 'running', null],
          [1, 'failed', null],
        ]);
      });

      it(`are forgotten beyond the last ${keptRuns}, without reusing a number`, async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        for (let i = 1; i <= 5; i++) await test.store.endRun(P, A, summary(i));
        await test.store.endRun(P, A, summary(keptRuns + 2));
        const next = await (await test.reopen()).beginRun(P, A, 1);
        const ids = (await test.store.runs(P, 9999)).map((r) => r.runId);
        expect([next, ids]).toEqual([keptRuns + 3, [keptRuns + 3, keptRuns + 2, 5, 4]]);
      });
    });

    describe('errors', () => {
      it('are counted while the code stays the same, and begin anew with another', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        const record = (component: string, error: CdcError, at: number): Promise<void> =>
          test.store.recordError(P, A, component, error, at);
        await record('bus', new CdcError('DESTINATION_FAILED', 'first'), 10);
        await record('bus', new CdcError('DESTINATION_FAILED', 'second'), 20);
        await record('shop', new CdcError('SOURCE_FAILED', 'x'.repeat(5000)), 30);
        expect(await test.store.errors(P)).toEqual([
          { component: 'shop', code: 'SOURCE_FAILED', message: `${'x'.repeat(2000)}…`, count: 1, firstMs: 30, lastMs: 30 },
          { component: 'bus', code: 'DESTINATION_FAILED', message: 'second', count: 2, firstMs: 10, lastMs: 20 },
        ]);
        await record('bus', new CdcError('DESTINATION_FULL', 'other'), 40);
        expect((await test.store.errors(P))[0]).toEqual({
          component: 'bus',
          code: 'DESTINATION_FULL',
          message: 'other',
          count: 1,
          firstMs: 40,
          lastMs: 40,
        });
      });
    });

    describe('plugin values', () => {
      it('are kept per pipeline, plugin and key', async () => {
        await using test = await open();
        await test.store.acquire(P, A, 0, 1000);
        expect(await test.store.getPluginValue(P, 'audit', 'k')).toBeNull();
        await test.store.setPluginValue(P, A, 'audit', 'k', new Uint8Array([1]));
        await test.store.setPluginValue(P, A, 'audit', 'k2', new Uint8Array([]));
        await test.store.setPluginValue(P, A, 'other', 'k', new Uint8Array([3]));
        await test.store.setPluginValue(P, A, 'audit', 'k', new Uint8Array([4, 0, 255]));
        const again = await test.reopen();
        expect(await again.getPluginValue(P, 'audit', 'k')).toEqual(new Uint8Array([4, 0, 255]));
        expect(await again.getPluginValue(P, 'audit', 'k2')).toEqual(new Uint8Array([]));
        expect(await again.getPluginValue(P, 'other', 'k')).toEqual(new Uint8Array([3]));
        expect(await again.getPluginValue('unknown', 'audit', 'k')).toBeNull();
      });
    });
  });
}

function summary(runId: number): RunSummary {
  return {
    pipeline: P,
    runId,
    startedAtMs: 10,
    endedAtMs: 15,
    outcome: 'done',
    eventsRead: 12,
    eventsFiltered: 1,
    deadLetters: 0,
    delivered: {},
    resumedFrom: {},
    error: null,
  };
}

async function everything(store: StateStore, pipeline = P): Promise<unknown> {
  return [
    await store.load(pipeline),
    await store.runs(pipeline, 99),
    await store.errors(pipeline),
    await store.getPluginValue(pipeline, 'audit', 'k'),
    await store.checkpoints(pipeline),
    await store.delivered(pipeline),
  ];
}
