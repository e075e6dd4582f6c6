// Replays of what a run has left, over the fakes of the SDK and queues in files.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type OpenQueues, openQueues } from '../../../src/dead-letters/open.ts';
import { purgeDeadLetters } from '../../../src/dead-letters/purge.ts';
import { type ReplayReport, type ReplayRequest, replayDeadLetters } from '../../../src/dead-letters/replay.ts';
import type { LaneKeys } from '../../../src/dead-letters/replay-plan.ts';
import type { DeadLetter } from '../../../src/engine/api.ts';
import { startPipeline } from '../../../src/engine/pipeline.ts';
import type { PipelineConfig } from '../../../src/engine/pipeline-config.ts';
import { CdcError, type ChangeEvent, type Descriptor, type Transformer } from '../../../src/sdk/index.ts';
import {
  type Change,
  FakeHoldingDestination,
  FakeLog,
  FakeRecordsDestination,
  Faults,
  fakeDestination,
  fakeLogSource,
  fakeTransformer,
  HoldingStore,
  insert,
  UntrackedStore,
  update,
} from '../../../src/sdk/testing/index.ts';
import { component, delivery, destination, memoryDeps, pipeline, plugin, runOptions } from '../../helpers/pipeline.ts';

/** Later whole rows of a parked key are delivered: so letters may be superseded. */
const HOLDING = destination('fake_holding', {}, { delivery: delivery({ parkedKeys: 'pass' }) });
const RECORDS = destination('fake_records');
const all = (): boolean => true;
const named = (name: string) => (e: ChangeEvent) => e.after?.['name'] === name;

/** A pipeline with two stores that outlive its runs, and its queue in a folder of its own. */
async function world(parts: Partial<PipelineConfig> = {}, transformers: Record<string, Partial<Transformer>> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'cdc-replay-'));
  const log = new FakeLog(),
    faults = { holding: new Faults(), records: new Faults() };
  const holding = new HoldingStore(faults.holding),
    records = new UntrackedStore(faults.records);
  const deps = memoryDeps([
    fakeLogSource(log),
    fakeDestination('holding', () => new FakeHoldingDestination(holding)),
    fakeDestination('records', () => new FakeRecordsDestination(records)),
    ...Object.keys(transformers).map((name) => fakeTransformer(name, () => ({ transform: (events) => events, ...transformers[name] }))),
  ] as Descriptor[]);
  const config = pipeline({
    sources: [component('fake_log')],
    destinations: [HOLDING],
    transformers: Object.keys(transformers).map((name) => plugin(name)),
    deadLetterQueue: { type: 'file', path: join(dir, 'q.ndjson'), key: null },
    ...parts,
  });
  const queues: OpenQueues = await openQueues(config, deps);
  const request = (more: Partial<ReplayRequest> = {}): ReplayRequest => ({
    config,
    deps,
    queues,
    selects: all,
    force: false,
    dryRun: false,
    signal: new AbortController().signal,
    ...more,
  });
  return {
    config,
    deps,
    queues,
    log,
    faults,
    holding,
    records,
    run: (changes: Change[]) => {
      log.commit(changes);
      return startPipeline(config, { ...deps, deadLettersOf: (lane) => queues.of(lane).queue }, runOptions()).done;
    },
    replay: async (more: Partial<ReplayRequest> = {}) => replayDeadLetters(request(more)),
    letters: async (): Promise<DeadLetter[]> => {
      const found: DeadLetter[] = [];
      for (const { store } of queues.all) for await (const letter of store?.letters() ?? []) found.push(letter);
      return found;
    },
    names: () => [...holding.rows.values()].map((row) => row['name']).sort(),
    /** Where the destination stands, whoever has written last. */
    place: () => ({ ...holding.lane({ pipeline: 'test', lane: 'fake_holding' }).points?.[0], epoch: 0 }),
    async [Symbol.asyncDispose]() {
      await queues.close();
      await rm(dir, { recursive: true });
    },
  };
}
function outcomes({ letters, error }: ReplayReport): string[] {
  if (error !== null) throw error;
  return letters.map((l) => l.outcome);
}

/** As a lane does that holds back keys: everything of the first letter on waits behind it. */
async function park(w: Awaited<ReturnType<typeof world>>): Promise<void> {
  const [first, ...behind] = await w.letters();
  const error = new CdcError('DLQ_KEY_PARKED', `behind ${first?.event?.id}`);
  await w.queues.of(null).queue.put(behind.map((letter) => ({ ...letter, attempts: 0, error })));
}

describe('a replay', () => {
  it('sends the letters of a key in order, and keeps the later ones when one is refused again', async () => {
    await using w = await world();
    w.faults.holding.rejects = (e) => e.key?.['id'] === 2;
    await w.run([insert(1, 'a'), insert(2, 'bad'), update(2, 'better'), insert(3, 'c'), update(2, 'best')]);
    await park(w);
    w.faults.holding.rejects = named('better');
    const before = w.place();
    const report = await w.replay();
    expect(outcomes(report)).toEqual(['sent', 'failed', 'held']);
    expect(w.names()).toEqual(['a', 'bad', 'c']);
    expect((await w.letters()).map((l) => [l.event?.after?.['name'], l.attempts, l.error.code])).toEqual([
      ['better', 2, 'DESTINATION_EVENT_REJECTED'],
      ['best', 1, 'DLQ_KEY_PARKED'],
    ]);
    w.faults.holding.rejects = () => false;
    expect(outcomes(await w.replay())).toEqual(['sent', 'sent']);
    expect(w.names()).toEqual(['a', 'best', 'c']);
    expect([await w.letters(), w.place()]).toEqual([[], before]);
    expect((await w.run([insert(4, 'd')])).delivered).toEqual({ fake_holding: 1 });
  });

  it('does not send what newer events of its key may have overtaken, unless it is forced', async () => {
    await using w = await world();
    w.faults.holding.rejects = named('old');
    await w.run([insert(1, 'a'), update(1, 'old'), update(1, 'new')]);
    w.faults.holding.rejects = () => false;
    const report = await w.replay();
    expect(report.letters).toMatchObject([{ outcome: 'superseded', error: { code: 'DLQ_SUPERSEDED' } }]);
    expect([w.names(), (await w.letters()).length]).toEqual([['new'], 1]);
    expect(outcomes(await w.replay({ force: true }))).toEqual(['sent']);
    expect(w.names()).toEqual(['old']);
  });

  it('only says what it would do when it is asked to', async () => {
    await using w = await world();
    w.faults.holding.rejects = named('bad');
    await w.run([insert(1, 'a'), insert(2, 'bad')]);
    const { epoch } = w.holding.lane({ pipeline: 'test', lane: 'fake_holding' });
    w.faults.holding.rejects = () => false;
    expect(outcomes(await w.replay({ dryRun: true, force: true }))).toEqual(['planned']);
    expect(outcomes(await w.replay({ dryRun: true }))).toEqual(['superseded']);
    expect([w.names(), w.holding.lane({ pipeline: 'test', lane: 'fake_holding' }).epoch]).toEqual([['a'], epoch]);
  });

  it('does not send a letter before an earlier one of its key that was not chosen', async () => {
    await using w = await world();
    w.faults.holding.rejects = (e) => e.key?.['id'] === 1;
    await w.run([insert(1, 'x'), update(1, 'y'), insert(2, 'z')]);
    await park(w);
    w.faults.holding.rejects = () => false;
    const [, second] = await w.letters();
    expect(outcomes(await w.replay({ selects: (l) => l.id === second?.id, force: true }))).toEqual(['held']);
    expect((await w.letters()).length).toBe(2);
  });

  it('takes letters of a transformer through it and the later ones, then to all destinations', async () => {
    const seen: string[] = [];
    let refuses = true;
    const note = (step: string): Partial<Transformer> => ({
      transform: (events) => {
        for (const e of events) seen.push(`${step} ${String(e.after?.['name'])}`);
        if (step === 'two' && refuses && events.some(named('bad'))) throw new Error('not yet');
        for (const e of events) e.replace('after', 'note', step);
        return events;
      },
    });
    await using w = await world({ destinations: [HOLDING, RECORDS] }, { one: note('one'), two: note('two'), three: note('three') });
    await w.run([insert(1, 'a'), insert(2, 'bad')]);
    refuses = false;
    seen.length = 0;
    w.faults.records.rejects = named('bad');
    expect(outcomes(await w.replay({ force: true }))).toEqual(['failed']);
    expect(seen).toEqual(['two bad', 'three bad']);
    expect(w.names()).toEqual(['a', 'bad']);
    // What one destination refuses is its letter now, as it was sent to it.
    expect(await w.letters()).toMatchObject([{ stage: 'write', lane: 'fake_records', event: { after: { name: 'bad', note: 'three' } } }]);
    w.faults.records.rejects = () => false;
    expect(outcomes(await w.replay({ force: true }))).toEqual(['sent']);
    expect([w.records.records.length, await w.letters()]).toEqual([2, []]);
  });

  it('drops a letter that a filter leaves out by now, and keeps one that its transformer refuses again', async () => {
    let work: Transformer['transform'] = () => {
      throw new Error('no');
    };
    await using w = await world({}, { picky: { transform: (events) => work(events) } });
    await w.run([insert(1, 'a')]);
    expect(outcomes(await w.replay({ force: true }))).toEqual(['failed']);
    expect(await w.letters()).toMatchObject([{ attempts: 2 }]);
    work = () => [];
    expect(outcomes(await w.replay({ force: true }))).toEqual(['filtered']);
    expect(await w.letters()).toEqual([]);
  });

  it('says which letters can never be sent', async () => {
    await using w = await world({}, { picky: { transform: () => [] } });
    await w.run([]);
    const base = { pipeline: 'test', attempts: 1, firstMs: 1, lastMs: 1, event: null, input: '%%%', at: 'line 1' };
    const error = new CdcError('SOURCE_DATA_INVALID', 'bad');
    await w.queues.of(null).queue.put([{ ...base, id: 'a', lane: null, stage: 'decode', component: 'fake_log', error }]);
    expect((await w.replay()).letters).toMatchObject([{ outcome: 'impossible', error: { code: 'DLQ_NOT_REPLAYABLE' } }]);
    expect((await w.letters()).length).toBe(1);
  });

  it('waits for nobody: another process that runs the pipeline is named', async () => {
    await using w = await world();
    await w.deps.state.acquire('test', 'other', w.deps.clock.now(), w.deps.clock.now() + 60_000);
    await expect(w.replay()).rejects.toMatchObject({ code: 'STATE_LOCKED', fix: expect.stringContaining('Stop it first') });
  });

  it('fences a run that was thought dead', async () => {
    await using w = await world();
    w.faults.holding.rejects = named('bad');
    await w.run([insert(1, 'bad')]);
    const { epoch } = w.holding.lane({ pipeline: 'test', lane: 'fake_holding' });
    w.faults.holding.rejects = () => false;
    await w.replay();
    expect(w.holding.lane({ pipeline: 'test', lane: 'fake_holding' }).epoch).toBe(epoch + 1);
    expect((await w.deps.state.load('test')).epoch).toBe(epoch + 1);
  });
});

describe('a replay that ends before its end', () => {
  /** The destination has it, the queue still does. */
  async function interrupted(w: Awaited<ReturnType<typeof world>>): Promise<void> {
    const [queue] = w.queues.all;
    const store = queue?.store as { remove: unknown };
    const { remove } = store;
    store.remove = async () => {
      throw new CdcError('DLQ_UNAVAILABLE', 'killed');
    };
    expect(await w.replay({ force: true })).toMatchObject({ error: { code: 'DLQ_UNAVAILABLE' } });
    store.remove = remove;
  }

  it('between the confirmation and the queue leaves the letter there, and can be done again', async () => {
    await using w = await world();
    w.faults.holding.rejects = named('bad');
    await w.run([insert(1, 'bad')]);
    w.faults.holding.rejects = () => false;
    await interrupted(w);
    expect([w.names(), (await w.letters()).length]).toEqual([['bad'], 1]);
    expect(outcomes(await w.replay())).toEqual(['superseded']);
    expect(outcomes(await w.replay({ force: true }))).toEqual(['sent']);
    expect([w.names(), await w.letters()]).toEqual([['bad'], []]);
  });

  it('is reported where a repeat would be seen', async () => {
    await using w = await world({ destinations: [RECORDS] });
    w.faults.records.rejects = named('bad');
    await w.run([insert(1, 'bad')]);
    w.faults.records.rejects = () => false;
    await interrupted(w);
    expect(outcomes(await w.replay())).toEqual(['interrupted']);
    expect(w.records.records.length).toBe(1);
    expect(outcomes(await w.replay({ force: true }))).toEqual(['sent']);
  });

  it('does not send again to a destination that has confirmed it', async () => {
    let refuses = true;
    const picky: Partial<Transformer> = {
      transform: (events) => {
        if (refuses) throw new Error('no');
        return events;
      },
    };
    await using w = await world({ destinations: [RECORDS, HOLDING] }, { picky });
    await w.run([insert(1, 'a')]);
    refuses = false;
    const confirmed = w.faults.records;
    confirmed.rejects = () => {
      // The second destination goes away once the first is written to.
      w.faults.holding.down = true;
      return false;
    };
    expect(await w.replay({ force: true })).toMatchObject({ error: { code: 'DESTINATION_UNREACHABLE' }, untried: 1 });
    w.faults.holding.down = false;
    confirmed.rejects = () => false;
    expect(await w.letters()).toMatchObject([{ replay: { delivered: ['fake_records'] } }]);
    expect(outcomes(await w.replay({ force: true }))).toEqual(['sent']);
    expect([w.records.records.length, w.names(), await w.letters()]).toEqual([1, ['a'], []]);
  });
});

describe('keys that a destination holds back', () => {
  function heldBack(...ids: unknown[]): LaneKeys & { readonly held: Set<unknown>; saved: number } {
    const held = new Set(ids);
    return {
      held,
      saved: 0,
      blocking: (e) => (held.has(e.key?.['id']) ? { id: 'first' } : null),
      release: (e) => void held.delete(e.key?.['id']),
      async save() {
        this.saved++;
      },
    };
  }

  it('let their letters through, and are let go once the last of them is delivered', async () => {
    await using w = await world();
    w.faults.holding.rejects = (e) => e.key?.['id'] !== 9;
    await w.run([insert(1, 'a'), update(1, 'b'), insert(2, 'c'), insert(9, 'z')]);
    w.faults.holding.rejects = named('b');
    const keys = heldBack(1, 2);
    expect(outcomes(await w.replay({ keysOf: async () => keys }))).toEqual(['sent', 'failed', 'sent']);
    expect([[...keys.held], keys.saved > 0]).toEqual([[1], true]);
  });

  it('are let go when their letters are purged', async () => {
    await using w = await world();
    w.faults.holding.rejects = () => true;
    await w.run([insert(1, 'a'), update(1, 'b'), insert(2, 'c')]);
    const keys = heldBack(1, 2),
      [first, , third] = await w.letters();
    const { config, deps, queues } = w;
    const purge = (ids: unknown[]): Promise<number> =>
      purgeDeadLetters({ config, deps, queues, selects: (l) => ids.includes(l.id), keysOf: async () => keys });
    expect([await purge([first?.id, third?.id]), [...keys.held]]).toEqual([2, [1]]);
    expect((await w.letters()).length).toBe(1);
  });
});
