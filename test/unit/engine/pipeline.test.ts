// The engine as a whole, over the fakes of `cdc-run/sdk/testing`: what a run delivers, parks, waits for and refuses.

import { describe, expect, it } from 'vitest';
import type { EngineDeps, RunOptions } from '../../../src/engine/api.ts';
import { startPipeline } from '../../../src/engine/pipeline.ts';
import type { DestinationConfig, PipelineConfig } from '../../../src/engine/pipeline-config.ts';
import {
  CdcError,
  type Descriptor,
  defineHook,
  defineMiddleware,
  type HookPayload,
  Keys,
  type ResumePoint,
  systemClock,
} from '../../../src/sdk/index.ts';
import {
  FakeHoldingDestination,
  FakeLog,
  FakeQueue,
  FakeRecordsDestination,
  FakeRowsDestination,
  Faults,
  fakeDestination,
  fakeLogSource,
  fakeQueueSource,
  fakeTransformer,
  HoldingStore,
  insert,
  UntrackedStore,
  update,
} from '../../../src/sdk/testing/index.ts';
import { component, destination, memoryDeps, pipeline, plugin, runOptions } from '../../helpers/pipeline.ts';

/** A log, a queue and three stores that outlive the runs over them. */
function world() {
  const log = new FakeLog(),
    queue = new FakeQueue();
  const faults = { holding: new Faults(), rows: new Faults(), records: new Faults() };
  const holding = new HoldingStore(faults.holding),
    rows = new UntrackedStore(faults.rows),
    records = new UntrackedStore(faults.records);
  const descriptors = [
    fakeLogSource(log),
    fakeQueueSource(queue),
    fakeDestination('holding', () => new FakeHoldingDestination(holding)),
    fakeDestination('rows', () => new FakeRowsDestination(rows)),
    fakeDestination('records', () => new FakeRecordsDestination(records)),
  ] as Descriptor[];
  const deps = memoryDeps(descriptors);
  const run = (
    parts: Partial<PipelineConfig> = {},
    options: Partial<RunOptions> = {},
    more: Partial<EngineDeps> & { extra?: Descriptor[] } = {},
  ) => {
    const config = pipeline({ sources: [component('fake_log')], destinations: [destination('fake_holding')], ...parts });
    return startPipeline(
      config,
      {
        ...deps,
        ...(more.extra === undefined
          ? {}
          : memoryDeps([...descriptors, ...more.extra], { state: deps.state, deadLetters: deps.deadLetters })),
        ...more,
      },
      runOptions(options),
    );
  };
  return { log, queue, faults, holding, rows, records, deps, run };
}
const names = (store: { rows: HoldingStore['rows'] }): unknown[] =>
  [...store.rows.values()].map((r) => (r as { name?: unknown }).name).sort();
const fill = (log: FakeLog, from: number, to: number): void => {
  for (let id = from; id <= to; id++) log.commit([insert(id, `n${id}`)]);
};
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 2000 && !(await condition()); i++) await systemClock.sleep(1);
  expect(await condition()).toBe(true);
};
const all: DestinationConfig[] = [destination('fake_holding'), destination('fake_rows'), destination('fake_records')];

describe('a one_time run', () => {
  it('delivers what exists to every destination and ends', async () => {
    const { log, holding, rows, records, run } = world();
    fill(log, 1, 50);
    const summary = await run({ destinations: all }).done;
    expect(summary).toMatchObject({
      outcome: 'done',
      eventsRead: 50,
      error: null,
      delivered: { fake_holding: 50, fake_rows: 50, fake_records: 50 },
    });
    expect([names(holding).length, names(rows).length, records.records.length]).toEqual([50, 50, 50]);
  });

  it('continues at the second run where the first ended', async () => {
    const { log, records, run } = world();
    fill(log, 1, 5);
    await run({ destinations: all }).done;
    fill(log, 6, 7);
    const second = await run({ destinations: all }).done;
    expect([second.eventsRead, records.records.length, Object.keys(second.resumedFrom['fake_log'] ?? {})]).toEqual([2, 7, ['main']]);
  });

  it("cuts lane batches at the destination's own size", async () => {
    const { log, records, run } = world();
    log.commit(Array.from({ length: 25 }, (_, i) => insert(i, `n${i}`)));
    const summary = await run({ destinations: [destination('fake_records', {}, { batch: { maxEvents: 4, maxBytes: 1e6, timeoutMs: 0 } })] })
      .done;
    expect([summary.delivered['fake_records'], records.records.length]).toEqual([25, 25]);
  });

  it('reads no further than its limit', async () => {
    const { log, run } = world();
    fill(log, 1, 50);
    const summary = await run({}, { limit: 10 }).done;
    expect([summary.outcome, summary.eventsRead]).toEqual(['done', 10]);
    expect((await run({}).done).eventsRead).toBe(40);
  });

  it('merges several sources into one log', async () => {
    const { log, queue, holding, run } = world();
    fill(log, 1, 3);
    for (let id = 101; id <= 103; id++) queue.publish({ id, text: `q${id}` });
    const summary = await run({ sources: [component('fake_log'), component('fake_queue')] }).done;
    expect([summary.eventsRead, names(holding).length, queue.size]).toEqual([6, 6, 0]);
  });
});

describe('events that cannot be delivered', () => {
  it('go to the dead letter queue, and the rest of the batch is stored with the point', async () => {
    const { log, faults, holding, deps, run } = world();
    log.commit([insert(1, 'a'), insert(2, 'bad'), insert(3, 'c')]);
    faults.holding.rejects = (e) => e.after?.['name'] === 'bad';
    const summary = await run().done;
    expect([names(holding), summary.delivered['fake_holding'], summary.deadLetters]).toEqual([['a', 'c'], 2, 1]);
    expect([...deps.deadLetters.letters.values()]).toMatchObject([
      {
        stage: 'write',
        component: 'fake_holding',
        lane: 'fake_holding',
        error: { code: 'DESTINATION_EVENT_REJECTED' },
        event: { after: { id: 2 } },
      },
    ]);
    expect((await run().done).eventsRead).toBe(0);
  });

  it('are parked for one destination only, when only that one refuses them', async () => {
    const { log, faults, records, run } = world();
    log.commit([insert(1, 'a'), insert(2, 'bad')]);
    faults.holding.rejects = (e) => e.after?.['name'] === 'bad';
    const summary = await run({ destinations: all }).done;
    expect([summary.delivered, records.records.length]).toEqual([{ fake_holding: 1, fake_rows: 2, fake_records: 2 }, 2]);
  });

  it('are parked as they were before the transformer that throws', async () => {
    const { log, deps, holding, run } = world();
    log.commit([insert(1, 'a'), insert(2, 'b')]);
    const transformer = fakeTransformer('picky', () => ({
      transform: (list) => {
        for (const e of list) {
          e.replace('after', 'note', 'seen');
          if (e.get('after', 'id') === 2) throw new Error('no twos');
        }
        return list;
      },
    }));
    const summary = await run({ transformers: [plugin('picky')] }, {}, { extra: [transformer as Descriptor] }).done;
    expect([summary.outcome, names(holding), summary.deadLetters]).toEqual(['done', ['a'], 1]);
    expect([...deps.deadLetters.letters.values()]).toMatchObject([
      { stage: 'transform', component: 'picky', lane: null, error: { code: 'PLUGIN_FAILED' }, event: { after: { id: 2, note: null } } },
    ]);
  });

  it('are parked with their input when they cannot be decoded', async () => {
    const { log, deps, holding, run } = world();
    fill(log, 1, 1);
    log.garbage('%%%');
    fill(log, 2, 2);
    await run().done;
    expect([names(holding), [...deps.deadLetters.letters.values()].map((l) => [l.stage, l.input])]).toEqual([
      ['n1', 'n2'],
      [['decode', '%%%']],
    ]);
  });

  it('have a letter for each input at a place that comes again, as of a rotated file, and one for an input that comes again', async () => {
    const { log, deps, run } = world(),
      fake = fakeLogSource(log);
    const rotating = {
      ...fake,
      type: 'rotating',
      create: async (...args: Parameters<typeof fake.create>) => {
        const source = await fake.create(...args),
          read = source.read.bind(source);
        source.read = async function* (ctx, signal) {
          for (const input of ['%1', '%2', '%1']) await ctx.reject(input, 'line 1', new CdcError('SOURCE_DATA_INVALID', 'cannot be read'));
          yield* read(ctx, signal);
        };
        return source;
      },
    } as unknown as Descriptor;
    await run({ sources: [component('rotating')] }, {}, { extra: [rotating] }).done;
    expect([...deps.deadLetters.letters.values()].map((l) => l.input)).toEqual(['%1', '%2']);
  });

  it('stop the lane when the dead letter queue is gone for good', async () => {
    const { log, faults, run } = world();
    fill(log, 1, 1);
    faults.holding.rejects = () => true;
    const broken = {
      put: async () => {
        throw new Error('disk is gone');
      },
      close: async () => {},
    };
    expect(await run({}, {}, { deadLettersOf: () => broken }).done).toMatchObject({
      outcome: 'failed',
      error: { code: 'DLQ_UNAVAILABLE' },
    });
    faults.holding.rejects = () => false;
    expect((await run().done).delivered['fake_holding']).toBe(1);
  });
});

describe('a destination that is down', () => {
  it('is waited for, and gets everything once it is back', async () => {
    const { log, faults, holding, run } = world();
    fill(log, 1, 3);
    faults.holding.down = true;
    const handle = run();
    await systemClock.sleep(20);
    expect(handle.status().state).toBe('starting');
    faults.holding.down = false;
    expect((await handle.done).outcome).toBe('done');
    expect(names(holding).length).toBe(3);
  });

  it('ends the run at once with --fail-fast', async () => {
    const { faults, run } = world();
    faults.holding.down = true;
    expect(await run({}, { failFast: true }).done).toMatchObject({ outcome: 'failed', error: { code: 'DESTINATION_UNREACHABLE' } });
  });

  it('is detached when it is optional, its gap recorded, and joins again when asked', async () => {
    const { log, faults, rows, holding, deps, run } = world();
    const destinations = [destination('fake_holding'), destination('fake_rows', {}, { required: false, start: 'now' })];
    fill(log, 1, 3);
    faults.rows.down = true;
    expect((await run({ destinations }).done).outcome).toBe('done');
    expect((await deps.state.load('test')).lanes['fake_rows']?.detached?.reason).toMatch(/does not answer/);
    faults.rows.down = false;
    fill(log, 4, 5);
    await run({ destinations }).done;
    expect([names(holding).length, names(rows)]).toEqual([5, []]);
    fill(log, 6, 6);
    await run({ destinations }, { rejoin: ['fake_rows'] }).done;
    expect(names(rows)).toEqual(['n6']);
  });

  it('holds up nothing when it is optional and an operator has moved all points', async () => {
    const { log, faults, holding, deps, run } = world();
    const optional = destination('fake_holding', {}, { name: 'optional', required: false });
    const destinations = [destination('fake_rows'), optional];
    fill(log, 1, 3);
    await run({ destinations }).done;
    const { lanes } = await deps.state.load('test'),
      to = { ...(lanes['fake_rows']?.points[0] as ResumePoint), log: null };
    await deps.state.acquire('test', 'cli', 0, Number.MAX_SAFE_INTEGER);
    const intent = { atMs: 0, what: 'offsets set', lanes: { fake_rows: to, optional: to } };
    await deps.state.save('test', 'cli', Number.MAX_SAFE_INTEGER, { intent });
    await deps.state.release('test', 'cli');
    faults.holding.down = true;
    fill(log, 4, 5);
    expect(await run({ destinations }).done).toMatchObject({ outcome: 'done', delivered: { fake_rows: 2 } });
    faults.holding.down = false;
    fill(log, 6, 6);
    expect(await run({ destinations }).done).toMatchObject({ outcome: 'done', delivered: { fake_rows: 1 } });
    expect(names(holding).length).toBe(3);
    expect((await deps.state.load('test')).lanes['optional']?.detached).toMatchObject({
      from: { sources: to.sources },
      holdsOldPlace: true,
    });
  });

  it('is detached when it is optional and holds more than the log may', async () => {
    const { log, faults, deps, holding, run } = world();
    const destinations = [destination('fake_holding'), destination('fake_rows', {}, { required: false })];
    const handle = run({
      destinations,
      sync: {
        ...pipeline({ sources: [], destinations: [] }).sync,
        mode: 'continuous',
        batch: { maxEvents: 10, maxBytes: 1e6, timeoutMs: 0 },
      },
      log: { type: 'memory', maxEvents: 20, maxBytes: 1e9 },
    });
    await until(() => handle.status().lanes.every((l) => l.state === 'running'));
    faults.rows.down = true;
    fill(log, 1, 100);
    await until(() => names(holding).length === 100);
    expect((await deps.state.load('test')).lanes['fake_rows']?.detached).toMatchObject({
      reason: 'it fell behind by more than the log may hold',
    });
    expect((await handle.stop()).outcome).toBe('stopped');
  });

  it('is marked when it is optional and lacks some of a partition that ends, until it has that', async () => {
    const { log, faults, deps, run } = world();
    const destinations = [destination('fake_holding'), destination('fake_rows', {}, { required: false })];
    const { sync } = pipeline({ sources: [], destinations: [] });
    log.openPartition('old');
    const handle = run({ destinations, sync: { ...sync, mode: 'continuous', checkpointIntervalMs: 5 } });
    await until(() => handle.status().lanes.every((l) => l.state === 'running'));
    faults.rows.down = true;
    log.commit([insert(1, 'n1')], 'old');
    log.closePartition('old');
    await until(() => !log.partitions.has('old'));
    expect((await deps.state.load('test')).lanes).toMatchObject({
      fake_holding: { lacksForgotten: false },
      fake_rows: { lacksForgotten: true, points: [{ sources: {} }] },
    });
    faults.rows.down = false;
    await until(async () => (await deps.state.load('test')).lanes['fake_rows']?.lacksForgotten === false);
    expect((await deps.state.load('test')).lanes['fake_rows']?.points[0]?.sources['fake_log']).toHaveProperty('old');
    await handle.stop();
  });

  it('holds the source back when it is required, within the bound of the log', async () => {
    const { log, faults, run } = world();
    const handle = run({
      sync: {
        ...pipeline({ sources: [], destinations: [] }).sync,
        mode: 'continuous',
        batch: { maxEvents: 10, maxBytes: 1e6, timeoutMs: 0 },
      },
      log: { type: 'memory', maxEvents: 20, maxBytes: 1e9 },
    });
    await until(() => handle.status().state === 'running');
    faults.holding.down = true;
    fill(log, 1, 500);
    await until(() => handle.status().log.events >= 20);
    await systemClock.sleep(20);
    expect(handle.status().log.events).toBeLessThan(40);
    faults.holding.down = false;
    await until(() => handle.status().run.delivered['fake_holding'] === 500);
    await handle.stop();
  });

  it('may have stored a batch although the reply was lost: the point tells', async () => {
    const { log, faults, run, holding } = world();
    const applied: string[] = [];
    Object.assign(holding.observer, {
      applied: (e: { id: string }) => {
        applied.push(e.id);
      },
    });
    fill(log, 1, 3);
    faults.holding.lostReplies.push('after_commit', 'before_commit');
    expect((await run().done).outcome).toBe('done');
    expect(applied.length).toBe(new Set(applied).size);
    expect(applied.length).toBe(3);
  });
});

describe('stopping and sharing', () => {
  const continuous = { sync: { ...pipeline({ sources: [], destinations: [] }).sync, mode: 'continuous' as const } };

  it('drains, checkpoints and ends when it is asked to stop', async () => {
    const { log, run, holding } = world();
    fill(log, 1, 5);
    const handle = run(continuous);
    await until(() => names(holding).length === 5);
    expect(await handle.stop()).toMatchObject({ outcome: 'stopped', delivered: { fake_holding: 5 } });
    expect(handle.status().state).toBe('stopped');
  });

  it('lets timers have their turn while a source and a destination never wait', async () => {
    const { descriptor: generator } = await import('../../../src/sources/generator/index.ts');
    const { descriptor: nothing } = await import('../../../src/destinations/null/index.ts');
    const endless = {
      seed: 1,
      count: null,
      rate: null,
      row_bytes: 10,
      keys: 10,
      mix: { create: 10, update: 80, delete: 10 },
      tables: ['t'],
      partitions: 1,
      event_time: 'clock',
    };
    const parts = { ...continuous, sources: [component('generator', endless)], destinations: [destination('null', { encode: false })] };
    const handle = startPipeline(pipeline(parts), memoryDeps([generator, nothing] as never), runOptions());
    await systemClock.sleep(50);
    expect((await handle.stop()).outcome).toBe('stopped');
  });

  it('acknowledges queue messages only once they are delivered', async () => {
    const { queue, faults, run } = world();
    const handle = run({ ...continuous, sources: [component('fake_queue')] });
    await until(() => handle.status().state === 'running');
    faults.holding.down = true;
    queue.publish({ id: 1, text: 'a' });
    await until(() => handle.status().sources[0]?.read === 1);
    await systemClock.sleep(10);
    expect(queue.size).toBe(1);
    faults.holding.down = false;
    await until(() => queue.size === 0);
    await handle.stop();
  });

  it('outlives a queue that is away when a message is to be acknowledged', async () => {
    const { queue, faults, run } = world();
    const handle = run({ ...continuous, sources: [component('fake_queue')] });
    await until(() => handle.status().state === 'running');
    faults.holding.down = true;
    queue.publish({ id: 1, text: 'a' });
    await until(() => handle.status().sources[0]?.read === 1);
    queue.down = true;
    faults.holding.down = false;
    await until(() => handle.status().lanes[0]?.delivered === 1);
    await systemClock.sleep(10);
    expect(handle.status().state).toBe('running');
    queue.down = false;
    queue.dropSessions();
    await until(() => queue.size === 0);
    await handle.stop();
  });

  it('lets a second process stand by until the first has ended', async () => {
    const { log, run, records } = world();
    const parts = {
      ...continuous,
      destinations: [destination('fake_records')],
      state: { type: 'sqlite' as const, path: '', leaseMs: 900, checkpoints: 20 },
    };
    const first = run(parts);
    await until(() => first.status().state === 'running');
    const second = run(parts, {}, { owner: 'second' });
    await until(() => second.status().state === 'standby');
    await first.stop();
    fill(log, 1, 2);
    await until(() => second.status().state === 'running' && records.records.length === 2);
    await second.stop();
  });

  it('refuses to start beside another process with --fail-fast', async () => {
    const { run } = world();
    const first = run(continuous);
    await until(() => first.status().state === 'running');
    expect(await run(continuous, { failFast: true }, { owner: 'second' }).done).toMatchObject({
      outcome: 'failed',
      error: { code: 'STATE_LOCKED' },
    });
    await first.stop();
  });
});

describe('plugins', () => {
  it('tells hooks what happens, in order, and stops the run when before_run fails', async () => {
    const { log, run } = world();
    fill(log, 1, 1);
    const told: string[] = [];
    let fails = false;
    const hook = defineHook({
      type: 'spy',
      title: 'spy',
      config: Keys({}),
      create: () => ({
        handle: (p: HookPayload) => {
          told.push(p.event);
          if (fails) throw new Error('not today');
        },
      }),
    });
    const hooks = [{ ...plugin('spy'), on: ['before_run', 'after_run', 'on_error', 'on_checkpoint'] as const }];
    await run({ hooks }, {}, { extra: [hook as unknown as Descriptor] }).done;
    expect(told).toEqual(['before_run', 'on_checkpoint', 'after_run']);
    fails = true;
    expect(await run({ hooks }, {}, { extra: [hook as unknown as Descriptor] }).done).toMatchObject({
      outcome: 'failed',
      error: { code: 'PLUGIN_FAILED', message: 'not today' },
    });
  });

  it('wraps batches and writes in middleware, the first one outermost', async () => {
    const { log, run } = world();
    fill(log, 1, 1);
    const told: string[] = [];
    const wrap = (type: string) =>
      defineMiddleware({
        type,
        title: type,
        config: Keys({}),
        create: () => ({
          aroundBatch: async (_b, next) => {
            told.push(`${type} batch`);
            await next();
            told.push(`${type} batch end`);
          },
          aroundWrite: async (lane, _b, next) => {
            told.push(`${type} ${lane}`);
            const r = await next();
            told.push(`${type} ${r.kind}`);
            return r;
          },
        }),
      }) as unknown as Descriptor;
    await run({ middleware: [plugin('outer'), plugin('inner')] }, {}, { extra: [wrap('outer'), wrap('inner')] }).done;
    const writes = told.filter((t) => !t.includes('batch'));
    expect(told.filter((t) => t.includes('batch')).slice(0, 4)).toEqual([
      'outer batch',
      'inner batch',
      'inner batch end',
      'outer batch end',
    ]);
    expect(writes.slice(0, 4)).toEqual(['outer fake_holding', 'inner fake_holding', 'inner stored', 'outer stored']);
  });

  it('keeps an update behind the insert it follows', async () => {
    const { log, holding, run } = world();
    for (let i = 0; i < 30; i++) log.commit([i === 0 ? insert(1, 'v0') : update(1, `v${i}`)]);
    await run({ destinations: [destination('fake_holding', {}, { batch: { maxEvents: 3, maxBytes: 1e6, timeoutMs: 0 } })] }).done;
    expect(names(holding)).toEqual(['v29']);
  });
});
