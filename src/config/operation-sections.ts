// The sections of a pipeline file about what happens when something fails, changes, or is asked for: error handling, schema
// evolution, health.

import { type ConfigOf, Default, Duration, Keys, OneOf, SCHEMA_MODES, Secret, Type } from '../sdk/index.ts';

const flag = (description: string): ReturnType<typeof Type.Boolean> => Type.Boolean({ description, examples: [true] });

const RETRY_KEYS = {
  max_attempts: Type.Integer({
    minimum: 1,
    description:
      'Tries in all for one write with `--fail-fast`, and where a run that ends waits only for an optional destination. Else a destination is tried until it answers, or for `max_elapsed`.',
    examples: [4],
  }),
  backoff: OneOf(['exponential', 'constant'], { description: 'exponential = each wait is twice the last.', examples: ['exponential'] }),
  initial_delay: Duration({ unit: 's', description: 'The first wait.', examples: ['1s'] }),
  max_delay: Duration({ unit: 's', description: 'The longest wait.', examples: ['8s'] }),
  jitter: Type.Number({
    minimum: 0,
    maximum: 1,
    description: 'Part of each wait that is random, so that many pipelines do not retry at once.',
    examples: [0.2],
  }),
  max_elapsed: Duration({
    unit: 's',
    description:
      'How long a destination may fail without a break. Then a required one ends the pipeline, and one with `required: false` is detached. Without: for ever.',
    examples: ['1h'],
  }),
};

const Retry = Keys(
  {
    max_attempts: Default(RETRY_KEYS.max_attempts, 5),
    backoff: Default(RETRY_KEYS.backoff, 'exponential'),
    initial_delay: Default(RETRY_KEYS.initial_delay, '1s'),
    max_delay: Default(RETRY_KEYS.max_delay, '8s'),
    jitter: Default(RETRY_KEYS.jitter, 0.2),
    max_elapsed: Type.Optional(RETRY_KEYS.max_elapsed),
  },
  { description: 'What to do after an error that may pass.' },
);

const OwnRetry = Keys(
  {
    max_attempts: Type.Optional(RETRY_KEYS.max_attempts),
    backoff: Type.Optional(RETRY_KEYS.backoff),
    initial_delay: Type.Optional(RETRY_KEYS.initial_delay),
    max_delay: Type.Optional(RETRY_KEYS.max_delay),
    jitter: Type.Optional(RETRY_KEYS.jitter),
    max_elapsed: Type.Optional(RETRY_KEYS.max_elapsed),
  },
  { description: "What to do after an error that may pass. A key that is left out is the pipeline's." },
);

const CircuitBreaker = Keys(
  {
    enabled: Default(flag('Use the breaker.'), true),
    failure_threshold: Default(Type.Integer({ minimum: 1, description: 'Failures in a row that open it.', examples: [5] }), 5),
    reset_timeout: Default(
      Duration({ unit: 's', description: 'How long it stays open before a small write is tried.', examples: ['30s'] }),
      '30s',
    ),
    half_open_probes: Default(
      Type.Integer({ minimum: 1, description: 'Small writes that must succeed before it closes.', examples: [1] }),
      1,
    ),
  },
  { description: 'Sends nothing for a while after many failures in a row, then tries with a few events.' },
);

const PARKED_KEYS = OneOf(['wait', 'pass'], {
  description:
    'Later events of a key that has one in the dead letter queue: wait = they go there too, so that the order of the key is kept; pass = those that say all of the row are delivered.',
  examples: ['pass'],
});

const DeadLetterQueue = Keys(
  {
    type: Default(
      OneOf(['file', 'sqlite', 'destination'], {
        description:
          'file = NDJSON; sqlite = a table in a SQLite file; destination = letters are sent to a destination, from which they cannot be replayed.',
        examples: ['file'],
      }),
      'file',
    ),
    path: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'File of types file and sqlite. Without: .cdc/dlq/<pipeline>.ndjson, .cdc/dlq/<pipeline>.db.',
        examples: ['dlq/orders.ndjson'],
      }),
    ),
    destination: Type.Optional(
      Type.Object(
        { type: Type.String({ minLength: 1, description: 'Type of the destination.', examples: ['postgresql'] }) },
        {
          additionalProperties: true,
          description: 'Of type destination: `type` and its keys, `envelope` if it takes records. Rows go to the table cdc_dead_letters.',
        },
      ),
    ),
    key: Type.Optional(
      Secret({
        description:
          'Encrypts columns that a transformer hides, in letters from before it: 32 bytes in hex or base64, or a passphrase of at least 12 characters. Without it they are left out.',
        examples: ['${DLQ_KEY}'],
      }),
    ),
  },
  { description: 'Where events go after the last try.' },
);

/** `error_handling` of one destination. */
export const DestinationErrorHandling = Keys(
  {
    retry: Type.Optional(OwnRetry),
    circuit_breaker: Type.Optional(CircuitBreaker),
    parked_keys: Type.Optional(PARKED_KEYS),
    dead_letter_queue: Type.Optional(DeadLetterQueue),
  },
  { description: "What happens when a write to this destination fails. What is left out is as in the pipeline's `error_handling`." },
);

export const ErrorHandlingSchema = Keys(
  {
    retry: Default(Retry, {}),
    circuit_breaker: Type.Optional(CircuitBreaker),
    parked_keys: Default(PARKED_KEYS, 'wait'),
    dead_letter_queue: Default(DeadLetterQueue, {}),
  },
  { description: 'What happens when a write fails.' },
);

export type ErrorHandlingSection = ConfigOf<typeof ErrorHandlingSchema>;
export type DestinationErrorHandlingSection = ConfigOf<typeof DestinationErrorHandling>;

const MODE_MEANINGS =
  'evolve = tables follow: columns are added, types widened, NOT NULL dropped where NULLs come; lenient = columns are added, nothing else; freeze = what the target cannot take stops the destination; discard = values of columns that the target lacks are left out and counted; dlq = events that the target cannot take go to the dead letter queue.';

const TableMode = Keys(
  { mode: OneOf(SCHEMA_MODES, { description: MODE_MEANINGS, examples: ['freeze'] }) },
  { description: 'Mode of a table.' },
);

export const SchemaEvolutionSchema = Keys(
  {
    enabled: Default(flag('false: as if this section were not there.'), true),
    mode: Type.Optional(
      OneOf(SCHEMA_MODES, {
        description: `What sqlite and postgresql destinations do when a table of the source changes: ${MODE_MEANINGS} Without: evolve.`,
        examples: ['evolve'],
      }),
    ),
    strict_mode: Type.Optional(flag('Short form of `mode`: true = freeze, false = evolve.')),
    tables: Type.Optional(
      Type.Record(Type.String({ minLength: 1 }), Type.Union([OneOf(SCHEMA_MODES, { description: 'Mode of these tables.' }), TableMode]), {
        description:
          'Other modes for some tables, by name as the source gives it (`public.orders`) or pattern. An exact name wins, then the first pattern that matches.',
        examples: [{ 'public.orders': { mode: 'freeze' }, 'public.audit_*': 'dlq' }],
      }),
    ),
  },
  { description: 'What destinations do when a table changes. Without this section columns are added (`lenient`).' },
);

export type SchemaEvolutionSection = ConfigOf<typeof SchemaEvolutionSchema>;

const Endpoint = Keys(
  {
    path: Type.String({
      pattern: '^/[A-Za-z0-9._~/-]*$',
      'x-expected': 'a path that begins with /',
      description: 'Path of the address.',
      examples: ['/health'],
    }),
    format: Type.Optional(
      OneOf(['json', 'prometheus'], {
        description: 'What it answers with. Without: prometheus at /metrics, else json.',
        examples: ['json'],
      }),
    ),
    checks: Default(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'What must be well: names or types of sources and destinations, `database`, `memory`. None = all.',
        examples: [['database', 'memory']],
      }),
      [],
    ),
  },
  { description: 'A path that the server answers.' },
);

export const HealthSchema = Keys(
  {
    enabled: Default(flag('Open the server.'), true),
    host: Default(Type.String({ minLength: 1, description: 'Address to listen on.', examples: ['127.0.0.1'] }), '127.0.0.1'),
    port: Default(
      Type.Integer({ minimum: 0, maximum: 65_535, description: 'Port to listen on; 0 = any free one.', examples: [8080] }),
      8080,
    ),
    token: Type.Optional(
      Secret({ description: 'Token that requests must bring when `host` is not loopback.', examples: ['${HEALTH_TOKEN}'] }),
    ),
    endpoints: Default(
      Type.Array(Endpoint, {
        description: 'Further paths, or fewer checks for known ones. /health, /healthz, /readyz and /metrics always answer.',
      }),
      [],
    ),
    stall_after: Default(
      Duration({
        unit: 's',
        minimum: 1,
        description: 'Without progress for this long, with work to do, a pipeline counts as not alive.',
        examples: ['5m'],
      }),
      '5m',
    ),
  },
  { description: 'An HTTP server for health and metrics.' },
);

export type HealthSection = ConfigOf<typeof HealthSchema>;
export type DeadLetterQueueSection = ConfigOf<typeof DeadLetterQueue>;
