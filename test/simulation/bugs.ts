// Mistakes to plant, in the fakes and in what the engine is given, each standing for a mistake that an engine or an adapter
// could make. `run.ts --bugs` counts the schedules until each is found: a simulator that does not find them sees nothing.

import type { ChangeBatch, Destination, LaneBatch, PointHoldingDestination, ReadContext, Source } from '../../src/sdk/index.ts';
import { CdcError } from '../../src/sdk/index.ts';
import { HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import type { FakeQueue } from '../../src/sdk/testing/fakes/queue-source.ts';
import { applyEvent } from '../../src/sdk/testing/fakes/rows.ts';
import type { FakeWindow } from '../../src/sdk/testing/fakes/window.ts';
import { placeText } from './audited.ts';
import type { LaneStore } from './destinations.ts';
import { ENGINE_BUGS } from './engine-bugs.ts';
import type { World } from './world.ts';

export const BUGS = {
  ...ENGINE_BUGS,
  'acknowledge-before-durable': 'upstream may forget a batch as soon as it is read',
  'state-save-dropped': 'some saves of the state report success and store nothing',
  'dlq-write-lost': 'dead letters are reported as parked and are not',
  'double-start-unfenced': 'the destination stores whatever point it is given, under any epoch',
  'point-stored-despite-failures': 'the point is stored although events of the batch were refused, and they are not named',
  'point-not-stored': 'the rows are stored without the point',
  'cursor-before-write': 'a write is confirmed, and with it its cursor saved, before it has happened',
  'unknown-outcome-as-failure': 'a lost reply is reported as a failure that stored nothing',
  'redelivery-dropped': 'the queue forgets what a dead session had received',
  'lease-ignored': 'the lease is granted to whoever asks',
  'resume-skips-one': 'the source resumes one event too late',
  'resume-covers-unsent': 'a batch is said to cover the rest of its transaction',
  'boundaries-ignored': 'a chunk does not end where a faster lane stands',
  'reject-not-awaited': 'the source goes on before a rejected input is parked',
  'key-order-broken': 'events of a batch come in reverse',
  'window-state-empty': 'the window saves nothing of what it holds',
  'chunk-dropped-by-position': 'rows of a snapshot are taken for events of the stream',
  'gap-not-recorded': 'the state does not keep that a destination is detached',
  'checkpoint-out-of-order': 'what one worker has done is stored as done by all',
  'joining-not-said': 'a snapshot for one destination is sent as if it were for all',
  'replay-moves-point': 'a replay leaves the place of what it has sent',
  'replay-forgotten': 'a restart does not know of a replay that was under way',
  'replay-before-join': 'with a replay it is forgotten where its lane joined or was placed',
  'replay-dropped-by-point': 'a replay leaves out what the point covers',
  'parked-keys-forgotten': 'a restart does not know which keys are parked',
  'move-without-intent': 'an operator moves points without having stored that first',
  'move-under-old-epoch': 'moved points are stored under the epoch they had',
  'windowed-point-stored': 'a window is confirmed although some of it failed',
  'old-copy-unnoticed': 'a destination that was put back is taken to hold what it held last',
  'snapshot-start-unsaved': 'the stream beside a snapshot begins at the end of the log at every start',
} as const;
export type BugName = keyof typeof BUGS;

/** `object` with some members replaced; private fields stay reachable because calls go to the object itself. */
function overlay<T extends object>(object: T, changes: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const changed = (changes as Record<PropertyKey, unknown>)[name];
      const value = changed ?? Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}

export function plantQueue(world: World, queue: FakeQueue): FakeQueue {
  if (!world.has('redelivery-dropped')) return queue;
  return overlay(queue, {
    closeSession(session: object): void {
      const before = queue.ready.length;
      queue.closeSession(session);
      queue.ready.length = Math.min(before, queue.ready.length);
    },
  });
}

/** Always wrapped, so that a schedule is the same with and without a trace. */
export function plantSource(world: World, source: Source): Source {
  const read = source.read.bind(source);
  source.read = (ctx, signal) => withChangedBatches(world, read(changedContext(world, ctx), signal));
  return source;
}

function changedContext(world: World, ctx: ReadContext): ReadContext {
  if (world.tracing) world.trace(`  read from snapshots ${JSON.stringify(ctx.snapshots)}, boundaries ${JSON.stringify(ctx.boundaries)}`);
  return {
    ...ctx,
    boundaries: world.has('boundaries-ignored') ? [] : ctx.boundaries,
    assign: async (partition) => {
      const from = await ctx.assign(partition);
      world.trace(`  assigned ${partition} from ${from}`);
      if (world.has('snapshot-start-unsaved') && ctx.snapshots.some((s) => s.state === 'running'))
        return world.log.head()[partition] ?? null;
      if (from === null || !world.has('resume-skips-one')) return from;
      const rest = world.log.partitions
        .get(partition)
        ?.transactions.flatMap((t) => t.records)
        .find((r) => r.position > from);
      return rest?.position ?? from;
    },
    reject: (input, at, error) => {
      if (!world.has('reject-not-awaited')) return ctx.reject(input, at, error);
      ctx.reject(input, at, error).catch(() => {});
      return Promise.resolve();
    },
  };
}

async function* withChangedBatches(world: World, batches: AsyncIterable<ChangeBatch>): AsyncIterable<ChangeBatch> {
  for await (const batch of batches) {
    if (world.tracing)
      world.trace(
        `  batch of ${batch.partition}: ${batch.events.map((e) => `${e.op} ${e.position} ${JSON.stringify(e.after)}`).join(', ')} → ${batch.resume} ${JSON.stringify(batch.snapshots ?? '')}`,
      );
    if (world.has('chunk-dropped-by-position') && batch.events.some((e) => e.snapshot !== false)) {
      yield { ...batch, events: batch.events.map((e) => e.copy({ snapshot: false })) };
      continue;
    }
    if (world.has('joining-not-said')) for (const progress of batch.snapshots ?? []) Reflect.deleteProperty(progress, 'joining');
    if (world.has('acknowledge-before-durable') && batch.resume !== null) world.log.acknowledge({ [batch.partition]: batch.resume });
    if (world.has('resume-covers-unsent') && batch.resume !== null) {
      const end = world.log.partitions.get(batch.partition)?.transactions.find((t) => t.end >= (batch.resume as string))?.end;
      yield { ...batch, resume: end ?? batch.resume };
    } else if (world.has('key-order-broken') && batch.events.length > 1 && batch.events[0]?.snapshot === false)
      yield { ...batch, events: [...batch.events].reverse() };
    else yield batch;
  }
}

export function plantWindow(world: World, window: FakeWindow): FakeWindow {
  if (world.has('window-state-empty')) window.save = () => Buffer.from('[]');
  return window;
}

export function plantStore(world: World, store: HoldingStore): HoldingStore {
  if (world.has('point-not-stored')) {
    const lane = store.lane.bind(store);
    store.lane = (id) => {
      const record = lane(id);
      if (record.points !== null) record.points = new Proxy(record.points, { set: () => true });
      return record;
    };
  }
  return store;
}

export function plantDestination(world: World, store: LaneStore, destination: Destination): Destination {
  const write = destination.write.bind(destination);
  if (world.has('cursor-before-write') && !(store instanceof HoldingStore)) {
    destination.write = async (batch, signal) => {
      void write(batch, signal).catch(() => {});
      return { kind: 'stored' };
    };
  }
  plantReplay(world, destination, write);
  if (!(store instanceof HoldingStore)) return destination;
  const holding = destination as PointHoldingDestination;
  if (world.has('unknown-outcome-as-failure')) {
    destination.write = async (batch, signal) =>
      write(batch, signal).catch((error: unknown) => {
        if (!(error instanceof CdcError) || error.code !== 'DESTINATION_OUTCOME_UNKNOWN') throw error;
        throw new CdcError('DESTINATION_UNREACHABLE', error.message, { retriable: true, fix: 'Wait.' });
      });
  }
  if (world.has('old-copy-unnoticed')) plantOldCopy(world, store, holding);
  if (world.has('point-stored-despite-failures')) {
    destination.write = async (batch, signal) => {
      const result = await write(batch, signal);
      return result.kind === 'refused'
        ? destination.write(
            { ...batch, encoded: batch.encoded, skip: new Set([...batch.skip, ...result.failed.map((f) => f.index)]) },
            signal,
          )
        : result;
    };
  }
  if (world.has('checkpoint-out-of-order')) {
    destination.write = async (batch, signal) => {
      const result = await write(batch, signal),
        held = [...store.lanes.values()][0];
      if (result.kind === 'stored' && held?.points) held.points = held.points.map(() => batch.through);
      return result;
    };
  }
  if (world.has('double-start-unfenced')) plantFencingOff(store, holding, write);
  return destination;
}

function plantReplay(world: World, destination: Destination, write: Destination['write']): void {
  const isReplay = ({ events, through, previous }: LaneBatch): boolean =>
    events.some((e) => e.op !== 'r') && placeText(through) === placeText(previous);
  if (world.has('replay-dropped-by-point'))
    destination.write = async (batch, signal) => (isReplay(batch) ? { kind: 'stored' } : write(batch, signal));
  if (!world.has('replay-moves-point')) return;
  destination.write = (batch, signal) => {
    const last = batch.events.at(-1);
    if (last === undefined || last.source !== 'log' || !isReplay(batch)) return write(batch, signal);
    const sources = { ...batch.through.sources, log: { ...batch.through.sources['log'], [last.partition]: last.position } };
    return write({ ...batch, encoded: () => batch.encoded(), through: { ...batch.through, sources } }, signal);
  };
}

/** Adopts whatever epoch and point the writer believes in, right before the write. */
function plantFencingOff(store: HoldingStore, destination: PointHoldingDestination, write: Destination['write']): void {
  destination.claim = async (lane, epoch) => {
    store.lane(lane).epoch = Math.max(epoch, store.lane(lane).epoch);
  };
  const record = (): { epoch: number; points: unknown[] | null } | undefined => [...store.lanes.values()][0];
  destination.write = async (batch: LaneBatch, signal) => {
    try {
      return await write(batch, signal);
    } catch (error) {
      const held = record();
      if (!(error instanceof CdcError) || error.code !== 'DESTINATION_FENCED' || held === undefined) throw error;
      for (const [i, event] of batch.events.entries()) {
        if (batch.skip.has(i)) continue;
        applyEvent(store.rows, event, batch, true);
        store.observer.applied?.(event);
      }
      held.points = [batch.through];
      held.epoch = Math.max(held.epoch, batch.through.epoch);
      return { kind: 'stored' };
    }
  };
}

/** The points it held last, whoever put an older copy back since. */
function plantOldCopy(world: World, store: HoldingStore, destination: PointHoldingDestination): void {
  const committed = destination.committed.bind(destination);
  destination.committed = async (lane) => {
    const found = await committed(lane),
      cursor = (await world.state.load(lane.pipeline)).lanes[lane.lane]?.points;
    if (found.kind !== 'points' || cursor === undefined) return found;
    store.lane(lane).points = cursor.slice();
    return { ...found, points: cursor };
  };
}
