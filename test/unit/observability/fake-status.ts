// A running pipeline as the engine would show it, for tests of everything that looks at one.

import type { LaneStatus, PipelineHandle, PipelineStatus, SnapshotStatus, SourceStatus } from '../../../src/engine/api.ts';
import type { HealthConfig, PipelineConfig } from '../../../src/engine/pipeline-config.ts';
import type { Clock, RunSummary } from '../../../src/sdk/index.ts';

export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export function fakeRun(over: Partial<RunSummary> = {}): RunSummary {
  return {
    pipeline: 'orders',
    runId: 3,
    startedAtMs: NOW_MS - 1300,
    endedAtMs: null,
    outcome: 'running',
    eventsRead: 12,
    eventsFiltered: 0,
    deadLetters: 0,
    delivered: { replica: 12 },
    resumedFrom: {},
    error: null,
    ...over,
  };
}

export function fakeSnapshot(over: Partial<SnapshotStatus> = {}): SnapshotStatus {
  return { table: 'orders', state: 'running', rows: 700, estimate: null, etaMs: null, error: null, ...over };
}

export function fakeSource(over: Partial<SourceStatus> = {}): SourceStatus {
  return {
    name: 'shop',
    type: 'sqlite',
    state: 'streaming',
    read: 12,
    positions: { main: 'change 712' },
    snapshots: [],
    lastEventMs: NOW_MS - 50,
    lagMs: null,
    lag: null,
    ...over,
  };
}

export function fakeLane(over: Partial<LaneStatus> = {}): LaneStatus {
  return {
    name: 'replica',
    type: 'sqlite',
    required: true,
    state: 'running',
    delivered: 12,
    deadLetters: 0,
    discardedValues: 0,
    queued: 0,
    lagBytes: null,
    lagMs: 120,
    point: null,
    lastError: null,
    breaker: 'closed',
    batchSize: 1000,
    parkedKeys: 0,
    workers: 1,
    replay: null,
    ...over,
  };
}

export function fakeStatus(over: Partial<PipelineStatus> = {}): PipelineStatus {
  return {
    name: 'orders',
    file: 'pipelines/orders.yaml',
    mode: 'continuous',
    state: 'running',
    epoch: 3,
    startedMs: NOW_MS - 60_000,
    run: fakeRun(),
    sources: [fakeSource()],
    lanes: [fakeLane()],
    log: { type: 'memory', events: 0, bytes: 0, neededEvents: 0, neededBytes: 0, maxEvents: 10_000, maxBytes: 1_000_000 },
    lastCheckpointMs: NOW_MS - 500,
    lastProgressMs: NOW_MS - 100,
    nextRunMs: null,
    error: null,
    ...over,
  };
}

export function fakeHealth(over: Partial<HealthConfig> = {}): HealthConfig {
  return { enabled: true, host: '127.0.0.1', port: 0, endpoints: [], stallAfterMs: 60_000, ...over };
}

export function fakeConfig(over: Partial<PipelineConfig> = {}): PipelineConfig {
  const batch = { maxEvents: 1000, maxBytes: 1_000_000, timeoutMs: 200 };
  const retry = {
    maxAttempts: 4,
    maxElapsedMs: null,
    initialDelayMs: 1000,
    maxDelayMs: 8000,
    backoff: 'exponential',
    jitter: 0.5,
  } as const;
  return {
    name: 'orders',
    file: 'pipelines/orders.yaml',
    schemaEvolution: { mode: 'lenient', tables: [] },
    baseDir: '/pipelines',
    topicPrefix: null,
    sources: [{ name: 'shop', type: 'sqlite', config: {}, where: 'source' }],
    destinations: [
      {
        name: 'replica',
        type: 'sqlite',
        config: {},
        where: 'destinations[0]',
        required: true,
        start: 'snapshot',
        deadLetterQueue: null,
        envelope: { type: 'debezium', options: {} },
        batch,
        transformers: [],
        parallelism: { workers: 1, strategy: 'hash', field: null, ranges: [], module: null },
        delivery: { retry, circuitBreaker: null, rateLimit: null, adaptive: null, writeTimeoutMs: 300_000, parkedKeys: 'wait' },
      },
    ],
    transformers: [],
    middleware: [],
    hooks: [],
    sync: { mode: 'continuous', schedule: null, timezone: 'UTC', batch, checkpointIntervalMs: 1000, shutdownTimeoutMs: 30_000 },
    log: { type: 'memory', maxEvents: 10_000, maxBytes: 1_000_000 },
    state: { type: 'sqlite', path: '.cdc/state.db', leaseMs: 10_000, checkpoints: 20 },
    deduplication: null,
    retry,
    deadLetterQueue: { type: 'file', path: 'dlq/orders.ndjson', key: null },
    health: fakeHealth({ enabled: false }),
    unavailable: [],
    ...over,
  };
}

export function fakeHandle(
  status: PipelineStatus,
  config: PipelineConfig = fakeConfig({ name: status.name }),
): PipelineHandle & { stops: number } {
  const handle = {
    name: status.name,
    config,
    stops: 0,
    done: Promise.resolve(status.run),
    status: () => status,
    stop: async () => {
      handle.stops += 1;
      return status.run;
    },
    replay: () => Promise.reject(new Error('not asked for')),
    snapshot: () => Promise.reject(new Error('not asked for')),
    pause: () => Promise.reject(new Error('not asked for')),
  };
  return handle;
}

/** Time stands still; sleeps end only when they are aborted. */
export const stoppedClock: Clock = {
  now: () => NOW_MS,
  sleep: (_ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) resolve();
      else
        signal?.addEventListener(
          'abort',
          () => {
            resolve();
          },
          { once: true },
        );
    }),
};
