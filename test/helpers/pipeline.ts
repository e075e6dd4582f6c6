// Pipelines for tests without YAML: a normalized configuration with defaults, and engine dependencies in memory.

import { DEFAULT_RUN_OPTIONS, type DeadLetter, type DeadLetterQueue, type EngineDeps, type RunOptions } from '../../src/engine/api.ts';
import type {
  ComponentConfig,
  DeliveryConfig,
  DestinationConfig,
  ParallelismConfig,
  PipelineConfig,
  PluginConfig,
} from '../../src/engine/pipeline-config.ts';
import { CdcError, type Descriptor, silentLogger, systemClock } from '../../src/sdk/index.ts';
import { MemoryStateStore } from '../../src/state/memory-store.ts';

export function component(type: string, config: unknown = {}, name = type): ComponentConfig {
  return { name, type, config, where: name };
}

export function plugin(type: string, config: unknown = {}, name = type): PluginConfig {
  return { ...component(type, config, name), timeoutMs: 30_000 };
}

export const ONE_WORKER: ParallelismConfig = { workers: 1, strategy: 'hash', field: null, ranges: [], module: null };

export function destination(type: string, config: unknown = {}, more: Partial<DestinationConfig> = {}): DestinationConfig {
  return {
    ...component(type, config),
    required: true,
    start: 'snapshot',
    envelope: { type: 'plain', options: {} },
    batch: { maxEvents: 1000, maxBytes: 8 * 1024 * 1024, timeoutMs: 0 },
    deadLetterQueue: null,
    transformers: [],
    parallelism: ONE_WORKER,
    delivery: delivery(),
    ...more,
  };
}

/** Retries without delay, and nothing else switched on. */
export function delivery(more: Partial<DeliveryConfig> = {}): DeliveryConfig {
  return { retry: RETRY, circuitBreaker: null, rateLimit: null, adaptive: null, writeTimeoutMs: 0, parkedKeys: 'wait', ...more };
}

const RETRY = { maxAttempts: 4, maxElapsedMs: null, initialDelayMs: 1, maxDelayMs: 8, backoff: 'exponential', jitter: 0 } as const;

/** A pipeline configuration with the defaults of the loader; `sources` and `destinations` are the caller's. */
export function pipeline(parts: Partial<PipelineConfig> & Pick<PipelineConfig, 'sources' | 'destinations'>): PipelineConfig {
  return {
    name: 'test',
    file: 'test.yaml',
    baseDir: '/',
    transformers: [],
    middleware: [],
    hooks: [],
    sync: {
      mode: 'one_time',
      schedule: null,
      timezone: 'UTC',
      batch: { maxEvents: 1000, maxBytes: 8 * 1024 * 1024, timeoutMs: 0 },
      checkpointIntervalMs: 5000,
      shutdownTimeoutMs: 30_000,
    },
    topicPrefix: null,
    log: { type: 'memory', maxEvents: 100_000, maxBytes: 256 * 1024 * 1024 },
    state: { type: 'sqlite', path: ':memory:', leaseMs: 30_000, checkpoints: 20 },
    deduplication: null,
    schemaEvolution: { mode: 'lenient', tables: [] },
    retry: RETRY,
    deadLetterQueue: { type: 'file', path: 'unused', key: null },
    health: { enabled: false, host: '127.0.0.1', port: 0, endpoints: [], stallAfterMs: 60_000 },
    unavailable: [],
    ...parts,
  };
}

/** Dead letters kept in memory, by id. */
export class MemoryDeadLetters implements DeadLetterQueue {
  readonly letters = new Map<string, DeadLetter>();
  async put(letters: readonly DeadLetter[]): Promise<void> {
    for (const letter of letters) this.letters.set(letter.id, letter);
  }
  async close(): Promise<void> {}
}

/** Engine dependencies in memory. `descriptors` are found by `kind/type`. */
export function memoryDeps(
  descriptors: readonly Descriptor[],
  more: Partial<EngineDeps> & { readonly deadLetters?: MemoryDeadLetters } = {},
): EngineDeps & { deadLetters: MemoryDeadLetters } {
  const deps: Omit<EngineDeps, 'deadLettersOf'> & { readonly deadLetters: MemoryDeadLetters } = {
    clock: systemClock,
    random: () => 0.5,
    logger: silentLogger,
    owner: 'test',
    version: '0.0.0',
    state: new MemoryStateStore(),
    deadLetters: new MemoryDeadLetters(),
    logStore: null,
    isGone: () => false,
    monitor: null,
    resolve: async (kind, type) => {
      const found = descriptors.find((d) => d.kind === kind && d.type === type);
      if (found === undefined) throw new CdcError('CONFIG_UNKNOWN_TYPE', `no ${kind} of type ${type}`);
      return found;
    },
    store: () => {
      const values = new Map<string, Uint8Array>();
      return {
        get: async (key) => values.get(key) ?? null,
        set: async (key, value) => {
          values.set(key, value);
        },
      };
    },
    ...more,
  };
  return { deadLettersOf: () => deps.deadLetters, ...deps };
}

export function runOptions(more: Partial<RunOptions> = {}): RunOptions {
  return { ...DEFAULT_RUN_OPTIONS, ...more };
}
