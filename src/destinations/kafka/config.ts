// Configuration of the `kafka` destination: keys, defaults, and what the schema cannot say.

import { recordFormatKeys, recordFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Size, Type } from '../../sdk/index.ts';
import { COMPRESSIONS } from '../../systems/kafka/client.ts';
import { connectionKeys, connectionProblems } from '../../systems/kafka/config.ts';
import { PLACEHOLDERS } from './topic-template.ts';

const topicDefaultsSchema = Keys(
  {
    partitions: Default(
      Type.Integer({ minimum: -1, description: 'Partitions of a new topic; -1 = as the broker has it set.', examples: [6] }),
      -1,
    ),
    replication_factor: Default(
      Type.Integer({ minimum: -1, description: 'Copies of a new topic; -1 = as the broker has it set.', examples: [3] }),
      -1,
    ),
    config: Default(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: 'Settings of a new topic, by their names in Kafka.',
        examples: [{ 'cleanup.policy': 'compact' }],
      }),
      {},
    ),
  },
  { description: 'How topics are made that are missing.' },
);

export const configSchema = Keys(
  {
    ...connectionKeys,
    ...recordFormatKeys,
    client: Default(
      OneOf(['kafkajs', 'platformatic'], {
        description:
          'Library that sends records. platformatic takes less than half of the time for each, and has no transactions; it needs the package @platformatic/kafka.',
        examples: ['platformatic'],
      }),
      'kafkajs',
    ),
    topic: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Topic. `{database}`, `{schema}`, `{table}`, `{source}` are filled in, and `{topic}`: the one of the envelope. Without: that one, which is `schema.table`, with the prefix of the envelope if it has one.',
        examples: ['cdc.{schema}.{table}'],
      }),
    ),
    key_field: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Column whose value, as text, is the key of the record. Without: the key of the row, in `key_format`.',
        examples: ['user_id'],
      }),
    ),
    partition_strategy: Default(
      OneOf(['hash', 'round_robin', 'custom'], {
        description:
          'hash: by the key, as the Java clients do. round_robin: one after the other; changes of a row lose their order. custom: as `partition_function` says.',
        examples: ['hash'],
      }),
      'hash',
    ),
    partition_function: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Module that exports `partition(record, partitions)`, which returns a number from 0 to partitions - 1; for `partition_strategy: custom`. Relative to the working directory.',
        examples: ['./partition.mjs'],
      }),
    ),
    compression_type: Default(OneOf(COMPRESSIONS, { description: 'How batches are compressed.', examples: ['zstd'] }), 'none'),
    headers: Default(
      Type.Record(Type.String(), Type.String(), {
        description: 'Headers of every record, beside those of the event.',
        examples: [{ origin: 'shop' }],
      }),
      {},
    ),
    idempotent: Default(
      Type.Boolean({ description: 'The broker drops repeats that a lost answer would cause, and keeps the order.', examples: [true] }),
      true,
    ),
    transactional: Type.Optional(
      Type.Boolean({
        description:
          "Write each batch in one transaction with the pipeline's place: effectively-once for consumers that read committed records. Without: only if `transactional_id` is set.",
        examples: [true],
      }),
    ),
    transactional_id: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Id of the producer for transactions, one for each pipeline and destination. Without: made of their names.',
        examples: ['cdc-orders'],
      }),
    ),
    transaction_timeout: Default(
      Duration({ unit: 's', minimum: 1, description: 'The broker aborts a transaction that takes longer.', examples: ['60s'] }),
      '60s',
    ),
    points_topic: Type.Optional(
      Type.String({
        pattern: '^[a-zA-Z0-9._-]{1,249}$',
        description:
          "Topic that keeps the pipeline's place, of this pipeline and destination alone. Without: `cdc_run_points.<pipeline>.<destination>`.",
        examples: ['cdc_points_orders'],
      }),
    ),
    create_topics: Default(Type.Boolean({ description: 'Make topics that are missing.', examples: [true] }), true),
    topic_defaults: Default(topicDefaultsSchema, {}),
    max_batch_bytes: Default(
      Size({
        description:
          'Records of one partition go in batches of at most this, before compression. Brokers refuse more than message.max.bytes, 1 MiB unless set.',
        examples: ['900KiB'],
      }),
      '900KiB',
    ),
  },
  { description: 'Records in Kafka topics.' },
);

export type KafkaDestinationConfig = ConfigOf<typeof configSchema>;

export const isTransactional = (config: KafkaDestinationConfig): boolean => config.transactional ?? config.transactional_id !== undefined;

/** What the schema cannot say. */
export function validate(config: KafkaDestinationConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...recordFormatProblems(config)];
  for (const [placeholder] of (config.topic ?? '').matchAll(/\{[^{}]*\}/g)) {
    if (PLACEHOLDERS.includes(placeholder)) continue;
    problems.push({ path: ['topic'], message: `"${placeholder}" is not known`, fix: `Use ${PLACEHOLDERS.join(', ')}.` });
  }
  if ((config.partition_strategy === 'custom') !== (config.partition_function !== undefined))
    problems.push({
      path: ['partition_function'],
      message: '"partition_function" and "partition_strategy: custom" belong together',
      fix: 'Give both, or neither.',
    });
  if (isTransactional(config) && config.client === 'platformatic')
    problems.push({
      path: ['client'],
      message: '"client: platformatic" has no transactions',
      fix: 'Remove `client`, or `transactional` and `transactional_id`: then records may come twice after a crash.',
    });
  if (isTransactional(config) && !config.idempotent)
    problems.push({ path: ['idempotent'], message: 'transactions need an idempotent producer', fix: 'Remove `idempotent: false`.' });
  if (!isTransactional(config) && (config.transactional_id ?? config.points_topic) !== undefined)
    problems.push({
      path: ['transactional'],
      message: 'keys of transactions are set, but there are none',
      fix: 'Set `transactional: true`, or remove `transactional_id` and `points_topic`.',
    });
  return problems;
}
