// The sections of a pipeline file that are not adapters: sync, log and state.
// The others are in operation-sections.ts.

import { type ConfigOf, Default, Duration, Keys, OneOf, Secret, Size, Type } from '../sdk/index.ts';

const flag = (description: string): ReturnType<typeof Type.Boolean> => Type.Boolean({ description, examples: [true] });

export const BATCH_KEYS = {
  batch_size: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Events per write at most.', examples: [500] }),
  batch_bytes: Size({ description: 'Bytes per write at most; a single larger event goes alone.', examples: ['1MiB'] }),
  batch_timeout: Duration({
    unit: 's',
    description: 'How long to wait for a batch to fill, from its first event on. 0 sends as soon as nothing more is waiting.',
    examples: ['200ms'],
  }),
};

export const Parallelism = Keys(
  {
    enabled: Default(flag('Use the workers.'), true),
    worker_count: Default(Type.Integer({ minimum: 1, maximum: 256, description: 'Workers per destination.', examples: [4] }), 1),
    partition_strategy: Default(
      OneOf(['hash', 'range', 'custom'], {
        description:
          'How events are spread over the workers: by a hash of the key or field, by ranges of the field, or by a function of your own.',
        examples: ['hash'],
      }),
      'hash',
    ),
    partition_field: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Column that decides the worker. Without: the key. Another column needs whole rows before each change, else updates go one by one.',
        examples: ['user_id'],
      }),
    ),
    partition_ranges: Type.Optional(
      Type.Array(Type.Number(), {
        minItems: 1,
        description: 'For `range`: where the next worker begins, ascending.',
        examples: [[1000, 2000, 3000]],
      }),
    ),
    partition_function: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'For `custom`: a module that exports `partition(event)`, which returns a number or a text.',
        examples: ['./partition.ts'],
      }),
    ),
  },
  { description: 'Several workers per destination; the order per key is kept.' },
);

export const BatchOptimization = Keys(
  {
    adaptive_batching: Default(flag('Grow and shrink batches by the latency seen.'), true),
    min_batch_size: Default(Type.Integer({ minimum: 1, description: 'Smallest batch in events.', examples: [100] }), 100),
    max_batch_size: Default(Type.Integer({ minimum: 1, description: 'Largest batch in events.', examples: [10_000] }), 10_000),
    target_latency_ms: Default(Duration({ unit: 'ms', minimum: 1, description: 'How long one write shall take.', examples: [1000] }), 1000),
  },
  { description: 'Batch sizes that follow how long the destination takes. `batch_size` is where it begins.' },
);

const Compression = Keys(
  {
    enabled: Default(flag('Compress.'), true),
    algorithm: Default(OneOf(['gzip', 'lz4', 'snappy', 'zstd'], { description: 'How to compress.', examples: ['gzip'] }), 'gzip'),
  },
  { description: 'Compression of what is written. Not available yet.' },
);

export const SyncSchema = Keys(
  {
    mode: Default(
      OneOf(['one_time', 'continuous', 'cron'], {
        description:
          'one_time = up to what exists at the start, then end; continuous = until stopped; cron = one_time at each time of `schedule`.',
        examples: ['continuous'],
      }),
      'continuous',
    ),
    schedule: Type.Optional(
      Type.String({
        'x-cron': true,
        description: 'Cron pattern of five fields, or six with seconds first. Only with mode cron.',
        examples: ['*/15 * * * *'],
      }),
    ),
    timezone: Default(Type.String({ 'x-timezone': true, description: 'Time zone of `schedule`.', examples: ['Europe/Berlin'] }), 'UTC'),
    batch_size: Default(BATCH_KEYS.batch_size, 2000),
    batch_bytes: Default(BATCH_KEYS.batch_bytes, '8MiB'),
    batch_timeout: Default(BATCH_KEYS.batch_timeout, 0),
    parallelism: Type.Optional(Parallelism),
    batch_optimization: Type.Optional(BatchOptimization),
    compression: Type.Optional(Compression),
    checkpoint_interval: Default(
      Duration({
        unit: 's',
        minimum: 0.1,
        description: 'How often positions are saved. After a crash at most this much is sent again.',
        examples: ['5s'],
      }),
      '5s',
    ),
    shutdown_timeout: Default(
      Duration({
        unit: 's',
        description: 'How long a stop may take before what is in flight is given up and sent again at the next start.',
        examples: ['30s'],
      }),
      '30s',
    ),
    grace_period: Type.Optional(Duration({ unit: 's', description: 'Another name of `shutdown_timeout`.', examples: ['30s'] })),
  },
  { description: 'When and in which portions to run.' },
);

export const LogSchema = Keys(
  {
    type: Default(
      OneOf(['memory', 'disk'], {
        description:
          'memory = a bounded ring; disk = durable: a slow destination costs disk here and does not hold up the source, and history can be replayed.',
        examples: ['disk'],
      }),
      'memory',
    ),
    path: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Folder of the disk log; each pipeline has one of its own in it. Without: .cdc/log.',
        examples: ['.cdc/log'],
      }),
    ),
    max_events: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Events held at most; then the source waits. Without: 100000 in memory, any number on disk.',
        examples: [100_000],
      }),
    ),
    max_bytes: Type.Optional(
      Size({
        description: 'Bytes held at most; then the source waits. Without: 256MiB in memory, 10GiB on disk.',
        examples: ['10GiB'],
      }),
    ),
    max_age: Type.Optional(
      Duration({
        unit: 's',
        minimum: 1,
        description: 'How long the disk log keeps what every destination has. Without: 7d.',
        examples: ['7d'],
      }),
    ),
    when_full: Type.Optional(
      OneOf(['detach', 'block'], {
        description:
          'When optional destinations alone keep the log full: detach = they get nothing more until you decide; block = the source waits for them.',
        examples: ['detach'],
      }),
    ),
    durability: Type.Optional(
      OneOf(['fsync', 'os'], {
        description:
          'fsync = the source is told that events are safe once they are on disk; os = once the operating system has them: a power cut loses them.',
        examples: ['fsync'],
      }),
    ),
    compression: Type.Optional(
      OneOf(['none', 'gzip', 'zstd'], { description: 'Compression of the disk log; zstd needs Node 22.15.', examples: ['none'] }),
    ),
  },
  { description: 'The change log between the sources and the destinations.' },
);

export const StateSchema = Keys(
  {
    type: Default(
      OneOf(['sqlite', 'file', 'redis', 's3', 'postgresql'], {
        description:
          'Where positions are kept: sqlite = one file, file = a folder of checksummed files, redis = a Redis server. s3 and postgresql are not available yet.',
        examples: ['sqlite'],
      }),
      'sqlite',
    ),
    path: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'File of the SQLite store, or folder of the store `file`; of others only the control socket is beside it. Several pipelines may share it. Without: .cdc/state.db, or .cdc/state.',
        examples: ['.cdc/state.db'],
      }),
    ),
    checkpoints: Default(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        description: 'Earlier checkpoints that are kept for `cdc-run offsets rollback`, at most one per minute.',
        examples: [20],
      }),
      20,
    ),
    url: Type.Optional(Secret({ description: 'Address of the server that keeps it.', examples: ['redis://localhost:6379'] })),
    lease: Default(
      Duration({
        unit: 's',
        minimum: 1,
        description: 'How long a process that no longer answers keeps the pipeline to itself.',
        examples: ['30s'],
      }),
      '30s',
    ),
  },
  { description: 'Where positions, errors and runs are stored.' },
);

export const DeduplicationSchema = Keys(
  {
    window: Default(
      Duration({
        unit: 's',
        minimum: 1,
        description: 'How long ids of delivered messages are remembered.',
        examples: ['10m'],
      }),
      '10m',
    ),
    max_ids: Default(
      Type.Integer({
        minimum: 1000,
        maximum: 10_000_000,
        description: 'Ids remembered at most, about 100 bytes of memory each; then the oldest are forgotten before their time.',
        examples: [1_000_000],
      }),
      1_000_000,
    ),
  },
  { description: 'Drops messages of queue sources that were delivered before, by their message id.' },
);

export type SyncSection = ConfigOf<typeof SyncSchema>;
export type StateSection = ConfigOf<typeof StateSchema>;
