// A pipeline after normalize: the one shape the rest of the program reads. All defaults are filled in, units resolved
// (milliseconds, bytes), aliases replaced by their types; no code behind this asks "is it set?".

import type { HookEvent, SchemaMode } from '../sdk/index.ts';

/** A component as configured. `config` holds the keys of its own type, validated against its descriptor's schema. */
export interface ComponentConfig {
  readonly name: string;
  /** Canonical type name, or the absolute path of a user's plugin module. */
  readonly type: string;
  readonly config: unknown;
  /** YAML path for errors: `destinations[1]`. */
  readonly where: string;
}

export interface EnvelopeConfig {
  readonly type: 'debezium' | 'plain' | 'cdc_event' | 'sync_event' | 'elide' | 'cloudevents' | 'row';
  /** Options of the envelope, validated by its own schema. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface BatchConfig {
  /** Flush at this many events … */
  readonly maxEvents: number;
  /** … or at this many bytes … */
  readonly maxBytes: number;
  /** … or this long after the first event; 0 = as soon as nothing more is waiting. */
  readonly timeoutMs: number;
}

/** Where letters go. `key` encrypts what transformers hide; without it that is left out of them. */
export type DeadLetterQueueConfig =
  | { readonly type: 'file' | 'sqlite'; readonly path: string; readonly key: string | null }
  | {
      readonly type: 'destination';
      readonly destination: ComponentConfig & { readonly envelope: EnvelopeConfig };
      readonly key: string | null;
    };

export interface DestinationConfig extends ComponentConfig {
  /** A required destination holds back the source's acknowledgement; an optional one is detached when it falls too far behind. */
  readonly required: boolean;
  /** Where a destination that is new to the pipeline joins. */
  readonly start: 'snapshot' | 'log_start' | 'now';
  readonly envelope: EnvelopeConfig;
  readonly batch: BatchConfig;
  /** Its own; `null` = the pipeline's. */
  readonly deadLetterQueue: DeadLetterQueueConfig | null;
  /** Its own transformers, on copies of the events; a `filter` key is the first of them. */
  readonly transformers: readonly PluginConfig[];
  readonly delivery: DeliveryConfig;
  readonly parallelism: ParallelismConfig;
}

/** Several workers for one destination. */
export interface ParallelismConfig {
  readonly workers: number;
  readonly strategy: 'hash' | 'range' | 'custom';
  /** Column that decides; `null` = the key. */
  readonly field: string | null;
  /** For `range`: where the next worker begins, ascending. */
  readonly ranges: readonly number[];
  /** For `custom`: absolute path of the module that exports `partition(event)`. */
  readonly module: string | null;
}

/** What a lane does when its destination fails or is slow. */
export interface DeliveryConfig {
  readonly retry: RetryConfig;
  /** `null`: none. */
  readonly circuitBreaker: CircuitBreakerConfig | null;
  readonly rateLimit: RateLimitConfig | null;
  readonly adaptive: AdaptiveBatchConfig | null;
  /** A write that has not answered by then is aborted; 0 = never. */
  readonly writeTimeoutMs: number;
  /** What happens to later events of a key that has one in the dead letter queue: `pass` lets whole rows through. */
  readonly parkedKeys: 'wait' | 'pass';
}

export interface CircuitBreakerConfig {
  /** Failures in a row that open it. */
  readonly failureThreshold: number;
  /** How long nothing is sent then. */
  readonly resetTimeoutMs: number;
  /** Writes that must succeed before it closes. */
  readonly halfOpenProbes: number;
}

export interface RateLimitConfig {
  /** `null`: no limit of this kind. */
  readonly eventsPerSecond: number | null;
  readonly bytesPerSecond: number | null;
  /** Events that may go out at once after a pause. */
  readonly burst: number;
}

export interface AdaptiveBatchConfig {
  readonly minEvents: number;
  readonly maxEvents: number;
  /** How long a write shall take. */
  readonly targetLatencyMs: number;
}

export interface PluginConfig extends ComponentConfig {
  /** How long an awaited call may take. */
  readonly timeoutMs: number;
}

export interface HookConfig extends PluginConfig {
  readonly on: readonly HookEvent[];
}

export interface RetryConfig {
  /** Tries in all where somebody waits for the outcome (`--fail-fast`, the last checkpoint); else it is tried until it works. */
  readonly maxAttempts: number;
  /** A destination that has failed for this long without a break is given up; `null` = never. */
  readonly maxElapsedMs: number | null;
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  readonly backoff: 'exponential' | 'constant';
  /** 0 = none, 1 = the whole delay is random. */
  readonly jitter: number;
}

export interface SyncConfig {
  readonly mode: 'one_time' | 'continuous' | 'cron';
  /** Cron pattern; only with mode `cron`. */
  readonly schedule: string | null;
  readonly timezone: string;
  readonly batch: BatchConfig;
  readonly checkpointIntervalMs: number;
  /** How long a stop may take before what is in flight is given up (and repeated at the next start). */
  readonly shutdownTimeoutMs: number;
}

/** The bounds of a log: Infinity = none. */
export type LogConfig = { readonly maxEvents: number; readonly maxBytes: number } & (
  | { readonly type: 'memory' }
  | {
      readonly type: 'disk';
      /** Folder of this pipeline's log. */
      readonly path: string;
      /** History is kept this long, also when everybody has it; `null` = as long as there is room. */
      readonly maxAgeMs: number | null;
      /** What happens when destinations that lag behind keep it full. */
      readonly whenFull: 'block' | 'detach';
      readonly durability: 'fsync' | 'os';
      readonly compression: 'none' | 'gzip' | 'zstd';
    }
);

export interface HealthConfig {
  readonly enabled: boolean;
  readonly host: string;
  readonly port: number;
  readonly endpoints: readonly { readonly path: string; readonly format: 'json' | 'prometheus'; readonly checks: readonly string[] }[];
  /** A pipeline that shows no progress for this long, with work to do, is not alive. */
  readonly stallAfterMs: number;
  /** Bearer token that requests must carry; needed when the host is not loopback. */
  readonly token?: string | null;
}

/** What destinations do with tables whose schema changes. */
export interface SchemaEvolutionConfig {
  readonly mode: SchemaMode;
  /** Names and patterns in the order of the file: an exact name wins, then the first pattern that matches. */
  readonly tables: readonly { readonly pattern: string; readonly mode: SchemaMode }[];
}

export interface PipelineConfig {
  readonly name: string;
  /** The file and document it came from, for messages: `pipelines/orders.yaml`. */
  readonly file: string;
  /** Absolute folder of that file: paths of plugin modules start here. Data paths start at the working directory. */
  readonly baseDir: string;
  readonly sources: readonly ComponentConfig[];
  readonly destinations: readonly DestinationConfig[];
  readonly transformers: readonly PluginConfig[];
  readonly middleware: readonly PluginConfig[];
  readonly hooks: readonly HookConfig[];
  readonly sync: SyncConfig;
  readonly log: LogConfig;
  /** What `consume` calls the tables of this pipeline's log, beside its name: `cdc.myapp` for `cdc.myapp.users`. */
  readonly topicPrefix: string | null;
  readonly state: {
    readonly type: 'sqlite' | 'file' | 'redis';
    readonly path: string;
    /** Of a server. May hold a password. */
    readonly url?: string;
    readonly leaseMs: number;
    /** Earlier checkpoints that are kept. */
    readonly checkpoints: number;
  };
  /** Messages of queues that were delivered this lately are dropped when they come again; `null` = they are not. */
  readonly deduplication: { readonly windowMs: number; readonly maxIds: number } | null;
  readonly schemaEvolution: SchemaEvolutionConfig;
  readonly retry: RetryConfig;
  readonly deadLetterQueue: DeadLetterQueueConfig;
  readonly health: HealthConfig;
  /** Keys that are known but cannot be honoured yet: running stops with these, validating does not. */
  readonly unavailable: readonly {
    readonly where: string;
    readonly code: 'CONFIG_TYPE_NOT_AVAILABLE' | 'CONFIG_FEATURE_NOT_AVAILABLE';
    readonly message: string;
  }[];
}
