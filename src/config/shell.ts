// The shell of a pipeline file: everything but the keys that belong to an adapter or a plugin. Those are validated by
// their own schemas; here a component is a mapping with a type.

import { type ConfigOf, Default, Duration, HOOK_EVENTS, Keys, OneOf, Size, type TObject, type TSchema, Type } from '../sdk/index.ts';
import { DestinationErrorHandling, ErrorHandlingSchema, HealthSchema, SchemaEvolutionSchema } from './operation-sections.ts';
import { BATCH_KEYS, BatchOptimization, DeduplicationSchema, LogSchema, Parallelism, StateSchema, SyncSchema } from './sections.ts';

/** Names go into file names, tables and metrics. */
export const NAME_PATTERN = '^[\\p{L}\\p{N}][\\p{L}\\p{N}._-]{0,99}$';

const Name = (description: string, example: string): ReturnType<typeof Type.String> =>
  Type.String({ pattern: NAME_PATTERN, 'x-expected': 'a name of letters, digits, `.`, `_` and `-`', description, examples: [example] });

/** A source or destination as the shell sees it. */
const ComponentShell = Type.Object(
  {
    type: Type.String({ minLength: 1, description: 'Type of the adapter, or `./file.ts` or a package of your own.', examples: ['sqlite'] }),
  },
  { additionalProperties: true },
);

const ConnectionPoolKeys = {
  min_connections: Type.Optional(Type.Integer({ minimum: 0, description: 'Connections kept open.', examples: [2] })),
  max_connections: Type.Optional(Type.Integer({ minimum: 1, description: 'Connections at most.', examples: [10] })),
  connection_timeout: Type.Optional(Duration({ unit: 's', description: 'How long to wait for a connection.', examples: [30] })),
  idle_timeout: Type.Optional(Duration({ unit: 's', description: 'Idle connections are closed after this.', examples: [300] })),
};

/** What both kinds of adapters take for `connection_pool`, unless their own schema says more. */
const SourcePool = Keys(ConnectionPoolKeys, { description: 'Connections to the server.' });
const DestinationPool = Keys(
  {
    ...ConnectionPoolKeys,
    batch_insert_size: Type.Optional(Type.Integer({ minimum: 1, description: 'Rows per statement.', examples: [1000] })),
  },
  { description: 'Connections to the server.' },
);

const RateLimit = Keys(
  {
    events_per_second: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Events per second on average.', examples: [500] })),
    bytes_per_second: Type.Optional(Size({ description: 'Bytes per second on average, as the source counts them.', examples: ['1MiB'] })),
    burst: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Events that may go out at once after a pause, and per write. Without: those of one second.',
        examples: [1000],
      }),
    ),
  },
  { description: 'How fast this destination may be written to.' },
);

/** Keys of plugins beside `params`. */
const PLUGIN_KEYS = {
  type: Type.String({
    minLength: 1,
    description: 'Name of a plugin, or `./file.ts` or a package of your own.',
    examples: ['data_masking'],
  }),
  name: Type.Optional(Name('Name of the plugin, in messages and for its stored state. Without: its type.', 'mask')),
  params: Default(Type.Object({}, { additionalProperties: true, description: 'What the plugin is told; see its type.' }), {}),
  timeout: Default(
    Duration({ unit: 's', minimum: 0.01, description: 'How long an awaited call of the plugin may take.', examples: ['30s'] }),
    '30s',
  ),
};

export const PluginItem = Keys(PLUGIN_KEYS, { description: 'A plugin.' });
/** Keys of every source beside those of its type. */
export const SourceKeys = Keys({
  name: Type.Optional(Name('Name of the source; positions are stored under it. Without: its type.', 'shop')),
  connection_pool: Type.Optional(SourcePool),
});

/** Keys of every destination beside those of its type. */
export const DestinationKeys = Keys({
  name: Type.Optional(Name('Name of the destination; its position is stored under it. Without: its type.', 'analytics')),
  required: Default(
    Type.Boolean({ description: 'false: it never holds up the source, and is detached when it falls too far behind.', examples: [false] }),
    true,
  ),
  start: Default(
    OneOf(['snapshot', 'log_start', 'now'], { description: 'Where a destination that is new to the pipeline joins.', examples: ['now'] }),
    'snapshot',
  ),
  batch_size: Type.Optional(BATCH_KEYS.batch_size),
  batch_bytes: Type.Optional(BATCH_KEYS.batch_bytes),
  batch_timeout: Type.Optional(BATCH_KEYS.batch_timeout),
  batch_optimization: Type.Optional(BatchOptimization),
  parallelism: Type.Optional(Parallelism),
  rate_limit: Type.Optional(RateLimit),
  write_timeout: Default(
    Duration({
      unit: 's',
      description: 'A write that has not answered by then is aborted and tried again. 0 waits for ever.',
      examples: ['2m'],
    }),
    '5m',
  ),
  error_handling: Type.Optional(DestinationErrorHandling),
  connection_pool: Type.Optional(DestinationPool),
  envelope: Default(
    Type.Union(
      [
        Type.String({ minLength: 1 }),
        Type.Object({ type: Type.String({ minLength: 1, description: 'Shape of the records.' }) }, { additionalProperties: true }),
      ],
      {
        description: 'Shape of the records: a name, or `type` and the options of that envelope.',
        examples: ['plain'],
      },
    ),
    'debezium',
  ),
  filter: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Only events for which this expression (CEL, as in the transformer `filter`) is true go to this destination.',
      examples: ['after.status == "active"'],
    }),
  ),
  transformers: Type.Optional(
    Type.Unknown({
      description: 'Transformers for this destination alone, behind its `filter`. They work on copies and may hold nothing back.',
    }),
  ),
});

/** Of a destination that takes dead letters: nothing about joining, batches or dead letters of its own. */
export const LetterDestinationKeys = Keys({ name: DestinationKeys.properties.name, envelope: DestinationKeys.properties.envelope });

export const HookItem = Keys(
  {
    ...PLUGIN_KEYS,
    type: Type.String({ minLength: 1, description: 'Name of a hook, or `./file.ts` or a package of your own.', examples: ['command'] }),
    on: Type.Union(
      [OneOf(HOOK_EVENTS, { description: 'One moment.' }), Type.Array(OneOf(HOOK_EVENTS, { description: 'A moment.' }), { minItems: 1 })],
      {
        description: 'When it is told.',
        examples: [['after_run', 'on_error']],
      },
    ),
  },
  { description: 'A hook.' },
);

/** Of the same type: declaration files cannot name what a spread would give. */
const described = <T extends TSchema>(schema: T, description: string): T => ({ ...schema, description });

const listOf = (description: string): ReturnType<typeof Type.Array> => Type.Array(ComponentShell, { minItems: 1, description });

const COMMON_KEYS = {
  name: Type.Optional(Name('Name of the pipeline; its state is stored under it. Without: the name of the file.', 'orders')),
  destination: Type.Optional(described(ComponentShell, 'Where changes go.')),
  destinations: Type.Optional(listOf('Where changes go, each on its own way.')),
  plugins: Type.Optional(
    Keys(
      {
        transformers: Type.Optional(Type.Unknown({ description: 'Change or drop events, in this order, before anything is stored.' })),
        middleware: Type.Optional(Type.Unknown({ description: 'Wrap batches and writes.' })),
        hooks: Type.Optional(Type.Unknown({ description: 'Are told what happens.' })),
      },
      { description: 'Transformers, middleware and hooks.' },
    ),
  ),
  sync: Default(SyncSchema, {}),
  log: Default(LogSchema, {}),
  state: Default(StateSchema, {}),
  deduplication: Type.Optional(DeduplicationSchema),
  error_handling: Default(ErrorHandlingSchema, {}),
  schema_evolution: Type.Optional(SchemaEvolutionSchema),
  health_checks: Type.Optional(HealthSchema),
};

export const PipelineShell = Keys(
  {
    ...COMMON_KEYS,
    source: Type.Optional(described(ComponentShell, 'Where changes come from.')),
    sources: Type.Optional(listOf('Where changes come from, in one log in order of arrival.')),
    merge_strategy: Type.Optional(
      OneOf(['timestamp_based', 'key_based', 'custom'], {
        description: 'How several sources are merged. Not available yet.',
        examples: ['timestamp_based'],
      }),
    ),
  },
  { description: 'A pipeline.' },
);

/** A connector: `type` and `config` of one source at the top, and topics as output. */
export const ConnectorShell = Keys(
  {
    ...COMMON_KEYS,
    type: Type.String({ minLength: 1, description: 'Type of the source.', examples: ['mysql'] }),
    config: Type.Object({}, { additionalProperties: true, description: 'Keys of the source.' }),
    output: Type.Optional(
      Keys(
        {
          topic_prefix: Type.String({ minLength: 1, description: 'Topics are named <prefix>.<table>.', examples: ['cdc.myapp'] }),
        },
        { description: 'How the changes are called in the disk log, which a connector always has: `cdc-run consume <prefix>.<table>`.' },
      ),
    ),
  },
  { description: 'A connector.' },
);

export type DestinationSection = ConfigOf<typeof DestinationKeys>;
export type SourceSection = ConfigOf<typeof SourceKeys>;
export type PipelineSection = ConfigOf<typeof PipelineShell>;
export type PluginSection = ConfigOf<typeof PluginItem>;
export type HookSection = ConfigOf<typeof HookItem>;

/** The schema of a section's list items, for the reference and the editor schema. */
export const PLUGIN_LISTS: { readonly [list in 'transformers' | 'middleware' | 'hooks']: TObject } = {
  transformers: PluginItem,
  middleware: PluginItem,
  hooks: HookItem,
};
