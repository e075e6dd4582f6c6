// From configuration to queues. Those of the same file are opened once.

import { resolve } from 'node:path';
import type { DeadLetterQueue } from '../engine/api.ts';
import type { DeadLetterQueueConfig, PipelineConfig } from '../engine/pipeline-config.ts';
import { additiveOnly, type Clock, type Descriptor, type Logger, type Random } from '../sdk/index.ts';
import { type Cipher, createCipher } from './cipher.ts';
import { openDestinationDeadLetterQueue } from './destination-queue.ts';
import { openFileDeadLetterQueue } from './file-queue.ts';
import { placeOf } from './place.ts';
import { protecting } from './protection.ts';
import { openSqliteDeadLetterQueue } from './sqlite-queue.ts';
import type { DeadLetterStore } from './store.ts';

export interface QueueDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly version: string;
  resolve(kind: Descriptor['kind'], type: string): Promise<Descriptor>;
}

/** One queue and how it is reached. */
export interface OpenQueue {
  /** Writes, with what must not be kept in clear protected. */
  readonly queue: DeadLetterQueue;
  /** Reads; `null` for a destination. */
  readonly store: DeadLetterStore | null;
  readonly cipher: Cipher | null;
  /** For people: the path, or the destination. */
  readonly place: string;
  readonly config: DeadLetterQueueConfig;
}

export interface OpenQueues {
  /** Each once: the pipeline's, then those of destinations. */
  readonly all: readonly OpenQueue[];
  of(lane: string | null): OpenQueue;
  close(): Promise<void>;
}

/** Nothing is created before the first letter. */
export async function openQueues(config: PipelineConfig, deps: QueueDeps): Promise<OpenQueues> {
  const all: OpenQueue[] = [],
    byLane = new Map<string | null, OpenQueue>();
  const lanes = config.destinations.map((d) => ({ lane: d.name, queue: d.deadLetterQueue }));
  for (const { lane, queue } of [{ lane: null, queue: config.deadLetterQueue }, ...lanes]) {
    if (queue === null) continue;
    const known = all.find((one) => isSame(one.config, queue));
    const open = known ?? (await openQueue(config.name, lane, queue, deps));
    if (known === undefined) all.push(open);
    byLane.set(lane, open);
  }
  const ofPipeline = byLane.get(null) as OpenQueue;
  return {
    all,
    of: (lane) => byLane.get(lane) ?? ofPipeline,
    close: async () => {
      for (const { queue } of all) await queue.close();
    },
  };
}

function isSame(a: DeadLetterQueueConfig, b: DeadLetterQueueConfig): boolean {
  return a.type !== 'destination' && b.type === a.type && resolve(a.path) === resolve(b.path) && a.key === b.key;
}

async function openQueue(pipeline: string, lane: string | null, config: DeadLetterQueueConfig, deps: QueueDeps): Promise<OpenQueue> {
  const cipher = config.key === null ? null : createCipher(config.key);
  const place = placeOf(config);
  if (config.type === 'destination') {
    const queue = await openDestination(pipeline, lane, config.destination, deps);
    return { queue: protecting(queue, cipher), store: null, cipher, place, config };
  }
  const path = resolve(config.path);
  const store = config.type === 'file' ? openFileDeadLetterQueue(path) : openSqliteDeadLetterQueue(path, deps.clock);
  return { queue: protecting(store, cipher), store, cipher, place, config };
}

type LetterDestination = Extract<DeadLetterQueueConfig, { type: 'destination' }>['destination'];

async function openDestination(
  pipeline: string,
  lane: string | null,
  { name, type, config, envelope }: LetterDestination,
  deps: QueueDeps,
): Promise<DeadLetterQueue> {
  const { clock, random, version } = deps;
  const descriptor = await deps.resolve('destination', type);
  if (descriptor.kind !== 'destination') throw new TypeError(`${type} is a ${descriptor.kind}`);
  const { holdsPoint, input } = descriptor.capabilities(config as never);
  return openDestinationDeadLetterQueue({
    pipeline,
    lane,
    name,
    holdsPoint,
    input,
    envelope,
    version,
    now: () => clock.now(),
    open: () =>
      descriptor.create(config as never, {
        pipeline,
        name,
        clock,
        random,
        logger: deps.logger.child({ component: name }),
        schemaEvolution: additiveOnly,
      }),
  });
}
