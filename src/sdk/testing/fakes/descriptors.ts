// Descriptors of the fakes, bound to a world that outlives their sessions: what a test's `resolve` hands to the engine.

import {
  type ComponentContext,
  type Destination,
  type DestinationDescriptor,
  defineDestination,
  defineSource,
  defineTransformer,
  Keys,
  type Source,
  type SourceDescriptor,
  type Transformer,
  type TransformerDescriptor,
} from '../../index.ts';
import type { FakeLog } from './log.ts';
import { FakeLogSource, type FakeLogSourceOptions } from './log-source.ts';
import { type FakeQueue, FakeQueueSource } from './queue-source.ts';

const NO_KEYS = Keys({});
/** Makes one session; sees the component's name. */
type Make<T> = (ctx: ComponentContext) => T;

export function fakeLogSource(
  log: FakeLog,
  options: FakeLogSourceOptions = {},
  make: Make<Source> = (ctx) => new FakeLogSource(log, { name: ctx.name, ...options }),
): SourceDescriptor {
  return defineSource({
    type: 'fake_log',
    title: 'A log in memory',
    config: NO_KEYS,
    capabilities: () => ({
      ordering: 'log',
      deletes: true,
      beforeImage: options.beforeImages ?? true,
      snapshot: options.snapshot ?? false,
      schemaChanges: true,
      risks: [],
      creates: [],
    }),
    create: async (_config, ctx) => make(ctx),
  }) as unknown as SourceDescriptor;
}

export function fakeQueueSource(
  queue: FakeQueue,
  make: Make<Source> = (ctx) => new FakeQueueSource(queue, { name: ctx.name }),
): SourceDescriptor {
  return defineSource({
    type: 'fake_queue',
    title: 'A queue in memory',
    config: NO_KEYS,
    capabilities: () => ({
      ordering: 'queue',
      deletes: false,
      beforeImage: false,
      snapshot: false,
      schemaChanges: false,
      risks: [],
      creates: [],
    }),
    create: async (_config, ctx) => make(ctx),
  }) as unknown as SourceDescriptor;
}

/** `holding`: rows with the point in one transaction. `rows`: upserts one by one. `records`: appends one by one. */
export type FakeDestinationKind = 'holding' | 'rows' | 'records';

export function fakeDestination(
  kind: FakeDestinationKind,
  make: Make<Destination>,
  input: 'bytes' | 'rows' = kind === 'records' ? 'bytes' : 'rows',
): DestinationDescriptor {
  return defineDestination({
    type: `fake_${kind}`,
    title: 'A store in memory',
    config: NO_KEYS,
    capabilities: () => ({
      holdsPoint: kind === 'holding',
      idempotent: kind !== 'records',
      input,
      keyless: kind === 'records',
      maxInFlight: 1,
      creates: [],
    }),
    create: async (_config, ctx) => make(ctx),
  }) as unknown as DestinationDescriptor;
}

export function fakeTransformer(type: string, make: () => Transformer): TransformerDescriptor {
  return defineTransformer({
    type,
    title: 'A transformer for tests',
    config: NO_KEYS,
    create: () => make(),
  }) as unknown as TransformerDescriptor;
}
