// Configuration of the `debezium` source: keys, defaults, and what the schema cannot say. With `connector_config` it never comes
// here: the loader translates it to our own source of that database (src/debezium).

import { messageFormatKeys, messageFormatProblems, registryUrlOf } from '../../formats/config.ts';
import { DEBEZIUM_TYPES, schemaOfType } from '../../formats/debezium-types.ts';
import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems } from '../../systems/kafka/config.ts';
import { consumingKeys, consumingProblems } from '../../systems/kafka/consuming/config.ts';

// Records tell their time, table and key themselves.
const { watermark: _watermark, topic, topics, ...groupKeys } = consumingKeys;

const unwrapSchema = Keys(
  {
    field_prefix: Default(
      Type.String({ minLength: 1, description: 'What added fields begin with: `add.fields.prefix`.', examples: ['__'] }),
      '__',
    ),
  },
  { description: 'How the transformation was set.' },
);

const only = (text: string) => `${text} Only beside \`connector_config\`.`;

export const configSchema = Keys(
  {
    connector_config: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description:
            'Properties of a Debezium connector for PostgreSQL, MySQL or MariaDB, as they are. They are translated to our own source of that database, which needs no Kafka; what cannot be honoured is named. Keys of that source may stand beside it.',
          examples: [
            {
              'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
              'database.hostname': 'localhost',
              'database.dbname': 'inventory',
              'topic.prefix': 'dbserver1',
            },
          ],
        },
      ),
    ),
    capture_mode: Type.Optional(
      OneOf(['wal', 'binlog', 'polling'], {
        description: only("How to capture: the database's log, or by asking with `watermark`."),
        examples: ['wal'],
      }),
    ),
    slot_name: Type.Optional(
      Type.String({ minLength: 1, description: only('Replication slot, in place of `slot.name`.'), examples: ['debezium_slot'] }),
    ),
    ...connectionKeys,
    topic,
    topics,
    topic_prefix: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'The `topic.prefix` of the connector: all its topics are read, in place of `topics`. With `unwrap` it is cut off from the names of tables.',
        examples: ['dbserver1'],
      }),
    ),
    ...groupKeys,
    message_format: Type.Optional(
      OneOf(['json', 'avro'], {
        description:
          "Format of the records: JsonConverter's, with its schemas or without, or Avro with a schema registry. Without: avro where a registry is named, else json.",
        examples: ['json'],
      }),
    ),
    schema_registry_url: messageFormatKeys.schema_registry_url,
    schema_registry: messageFormatKeys.schema_registry,
    unwrap: Type.Optional(
      Type.Union([Type.Boolean(), unwrapSchema], {
        description: 'The connector has ExtractNewRecordState: records are rows without envelope.',
        examples: [true],
      }),
    ),
    types: Type.Optional(
      Type.Record(Type.String(), Type.Record(Type.String(), Type.String({ minLength: 1 })), {
        description:
          'For records without schemas: table → column → what its values are, as the modes of the connector have them. Others stay as JSON has them.',
        examples: [{ 'public.orders': { total: 'decimal(2)', placed_at: 'micro_timestamp', photo: 'bytes' } }],
      }),
    ),
    unavailable_value_placeholder: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'What the connector shows for values that it does not know. Without: `__debezium_unavailable_value`.',
        examples: ['__gone'],
      }),
    ),
  },
  { description: "Debezium: its topics in Kafka, or a connector's properties." },
);

export type DebeziumSourceConfig = ConfigOf<typeof configSchema>;

/** What the keys stand for in the terms of the formats and of the group. */
export function readingOf(
  config: DebeziumSourceConfig,
): DebeziumSourceConfig & { envelope: 'row' | 'debezium'; message_format: 'json' | 'avro' } {
  const { topic_prefix: prefix } = config;
  return {
    ...config,
    message_format: config.message_format ?? (registryUrlOf({ ...config, envelope: 'row' }) === null ? 'json' : 'avro'),
    envelope: unwrapOf(config) === null ? 'debezium' : 'row',
    ...(prefix === undefined || config.topic !== undefined || config.topics !== undefined ? {} : { topics: [`${prefix}.*`] }),
  };
}

export function unwrapOf({ unwrap, topic_prefix }: DebeziumSourceConfig): { topicPrefix: string | null; fieldPrefix: string } | null {
  if (unwrap === undefined || unwrap === false) return null;
  return { topicPrefix: topic_prefix ?? null, fieldPrefix: unwrap === true ? '__' : unwrap.field_prefix };
}

/** What the schema cannot say. */
export function validate(config: DebeziumSourceConfig): ConfigProblem[] {
  const reading = readingOf(config),
    problems: ConfigProblem[] = [];
  if (config.topic === undefined && config.topics === undefined && config.topic_prefix === undefined)
    problems.push({
      path: ['topics'],
      message: 'neither topics nor a connector are named',
      fix: 'Set `topic_prefix` or `topics` to read Debezium from Kafka, or `connector_config` to capture the database without it.',
    });
  for (const key of ['capture_mode', 'slot_name'] as const)
    if (config[key] !== undefined)
      problems.push({
        path: [key],
        message: `"${key}" goes with \`connector_config\``,
        fix: 'Remove it: Debezium captures, we read its topics.',
      });
  problems.push(...typeProblems(config, reading));
  return [...problems, ...connectionProblems(config), ...messageFormatProblems(reading), ...consumingProblems(config)];
}

function typeProblems({ types }: DebeziumSourceConfig, { envelope, message_format }: ReturnType<typeof readingOf>): ConfigProblem[] {
  if (types === undefined) return [];
  if (envelope === 'row' || message_format === 'avro')
    return [{ path: ['types'], message: '"types" is for records in JSON, in their envelope and without schemas', fix: 'Remove it.' }];
  return Object.entries(types).flatMap(([table, columns]) =>
    Object.entries(columns)
      .filter(([, type]) => schemaOfType(type) === null)
      .map(([column, type]) => ({
        path: ['types', table, column],
        message: `"${type}" is no type`,
        fix: `Use one of ${DEBEZIUM_TYPES.join(', ')}.`,
      })),
  );
}
