// What a simulated pipeline looks like: drawn from the seed, and written as the configuration that the engine gets.

import type { ComponentConfig, DestinationConfig, PipelineConfig } from '../../src/engine/pipeline-config.ts';
import type { FakeDestinationKind } from '../../src/sdk/testing/fakes/descriptors.ts';
import type { Dice } from './random.ts';

export interface LaneShape {
  readonly name: string;
  /** `windowed`: publishes a window of records at a time; see windowed.ts. */
  readonly kind: FakeDestinationKind | 'windowed';
  readonly required: boolean;
  readonly batchEvents: number;
  /** 1: always; else the number changes from start to start. */
  readonly workers: number;
  readonly lingerMs: number;
  /** How it joins anew: with all rows, emptied before, or with what comes next. */
  readonly start: 'snapshot' | 'now';
  /** A filter of its own lets nothing through: it moves all the same. */
  readonly passesNothing: boolean;
}

export interface Shape {
  readonly lanes: readonly LaneShape[];
  readonly partitions: readonly string[];
  readonly queue: boolean;
  readonly snapshot: boolean;
  /** Rows that are there before the pipeline first starts. */
  readonly preloaded: number;
  readonly windows: boolean;
  readonly filters: boolean;
  readonly explodes: boolean;
  readonly chokes: boolean;
  readonly beforeImages: boolean;
  readonly silentStart: boolean;
  /** Destinations refuse some events for good. */
  readonly refusals: boolean;
  readonly garbage: boolean;
  readonly transactions: number;
  readonly messages: number;
  readonly logEvents: number;
  /** The log outlives the process. */
  readonly disk: boolean;
  readonly sourceBatch: number;
  /** A dead process is known to be dead at once (same host), or its lease must run out. */
  readonly sameHost: boolean;
  readonly faults: number;
  /** Destinations that hold a point refuse a batch as a whole. */
  readonly nameless: boolean;
  /** A circuit breaker that opens soon. */
  readonly breaker: boolean;
  /** Upstream keeps what was acknowledged, as brokers and files do: an operator can go back. */
  readonly retains: boolean;
  /** What operators do: replay, offsets set, rollback, copies put back. */
  readonly operations: number;
}

export function drawShape(dice: Dice, seed: number): Shape {
  const snapshot = dice.chance(0.35),
    windows = dice.chance(0.2);
  const lane = (name: string, kind: LaneShape['kind'], required: boolean): LaneShape => ({
    name,
    kind,
    required,
    batchEvents: 1 + dice.int(4),
    workers: kind === 'holding' && dice.chance(0.3) ? 2 + dice.int(2) : 1,
    lingerMs: dice.chance(0.25) ? 15 : 0,
    // What a window has taken in cannot be read again.
    start: snapshot && !windows && kind === 'holding' && dice.chance(0.7) ? 'snapshot' : 'now',
    passesNothing: kind !== 'holding' && dice.chance(0.1),
  });
  const lanes = [
    ...(dice.chance(0.85) ? [lane('tx', 'holding', true)] : []),
    ...(dice.chance(0.6) ? [lane('idem', 'rows', true)] : []),
    ...(dice.chance(0.4) ? [lane('append', 'records', true)] : []),
    ...(dice.chance(0.25) ? [lane('windowed', 'windowed', true)] : []),
  ];
  if (lanes.length === 0) lanes.push(lane('tx', 'holding', true));
  if (dice.chance(0.4)) lanes.push(lane('optional', dice.chance(snapshot ? 0.8 : 0.5) ? 'holding' : 'rows', false));
  return {
    lanes,
    snapshot,
    partitions: snapshot || dice.chance(0.5) ? ['p0'] : ['p0', 'p1'],
    preloaded: snapshot ? 2 + dice.int(7) : 0,
    queue: dice.chance(0.25),
    windows,
    filters: dice.chance(0.4),
    explodes: dice.chance(0.25),
    chokes: dice.chance(0.15),
    beforeImages: dice.chance(0.5),
    silentStart: dice.chance(0.7),
    refusals: dice.chance(0.3),
    garbage: dice.chance(0.25),
    transactions: 3 + dice.int(7),
    messages: 2 + dice.int(4),
    logEvents: 3 + dice.int(8),
    disk: dice.chance(0.4),
    sourceBatch: 1 + dice.int(snapshot ? 2 : 4),
    sameHost: dice.chance(0.5),
    faults: dice.int(7),
    nameless: seed % 3 === 0,
    breaker: seed % 4 === 0,
    retains: !snapshot && dice.chance(0.5),
    operations: dice.chance(0.5) ? 1 + dice.int(4) : 0,
  };
}

/** Virtual milliseconds: small, so that a schedule of some hundred steps sees leases run out and checkpoints come. */
export const LEASE_MS = 400;
const CHECKPOINT_MS = 40;
/** A segment has an eighth of them. */
export const DISK_EVENTS = 40;
export const SHUTDOWN_MS = 5000;
const BREAKER = { failureThreshold: 2, resetTimeoutMs: 60, halfOpenProbes: 2 } as const;
const RETRY = { maxAttempts: 4, maxElapsedMs: null, initialDelayMs: 5, maxDelayMs: 20, backoff: 'exponential', jitter: 0.5 } as const;

/** Operators change the number of workers from start to start. */
const workersOf = ({ workers }: LaneShape, start: number): number => (workers === 1 ? 1 : 1 + ((start * workers) % 4));

export function configOf(name: string, shape: Shape, start: number): PipelineConfig {
  const component = (n: string, type: string): ComponentConfig => ({ name: n, type, config: {}, where: n });
  const plugin = (type: string) => ({ ...component(type, type), timeoutMs: 10_000 });
  const maxBytes = 1 << 20;
  return {
    name,
    file: `${name}.yaml`,
    baseDir: '.',
    sources: [component('log', 'fake_log'), ...(shape.queue ? [component('queue', 'fake_queue')] : [])],
    destinations: shape.lanes.map(
      (lane): DestinationConfig => ({
        ...component(lane.name, `fake_${lane.kind}`),
        config: lane.name,
        required: lane.required,
        start: lane.start,
        envelope: { type: 'plain', options: {} },
        batch: { maxEvents: lane.batchEvents, maxBytes, timeoutMs: lane.lingerMs },
        deadLetterQueue: null,
        transformers: lane.passesNothing ? [plugin('nothing')] : [],
        parallelism: { workers: workersOf(lane, start), strategy: 'hash', field: null, ranges: [], module: null },
        delivery: {
          retry: RETRY,
          circuitBreaker: shape.breaker ? BREAKER : null,
          rateLimit: null,
          adaptive: null,
          writeTimeoutMs: 0,
          parkedKeys: 'wait',
        },
      }),
    ),
    transformers: [
      ...(shape.chokes ? [plugin('choke')] : []),
      ...(shape.filters ? [plugin('filter')] : []),
      ...(shape.explodes ? [plugin('explode')] : []),
      ...(shape.windows ? [plugin('window')] : []),
    ],
    middleware: [],
    hooks: [],
    sync: {
      mode: 'continuous',
      schedule: null,
      timezone: 'UTC',
      batch: { maxEvents: shape.sourceBatch, maxBytes, timeoutMs: 0 },
      checkpointIntervalMs: CHECKPOINT_MS,
      shutdownTimeoutMs: SHUTDOWN_MS,
    },
    topicPrefix: null,
    log: shape.disk
      ? {
          type: 'disk',
          path: 'log',
          maxEvents: DISK_EVENTS,
          maxBytes,
          maxAgeMs: null,
          whenFull: 'detach',
          durability: 'fsync',
          compression: 'none',
        }
      : { type: 'memory', maxEvents: shape.logEvents, maxBytes },
    state: { type: 'sqlite', path: 'state.db', leaseMs: LEASE_MS, checkpoints: 20 },
    // Not drawn: schedules stay what they were.
    deduplication: shape.queue && shape.faults % 2 === 0 ? { windowMs: 1000, maxIds: 1000 } : null,
    schemaEvolution: { mode: 'lenient', tables: [] },
    retry: RETRY,
    deadLetterQueue: { type: 'file', path: 'dead.ndjson', key: null },
    health: { enabled: false, host: '127.0.0.1', port: 0, endpoints: [], stallAfterMs: 60_000 },
    unavailable: [],
  };
}
