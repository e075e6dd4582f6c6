// The configuration keys of formats, the same for every broker: spread `recordFormatKeys` into the keys of a destination and
// `messageFormatKeys` into those of a source, and add `recordFormatProblems` / `messageFormatProblems` to its `validate`.

import { type ConfigProblem, Default, Keys, OneOf, type Static, Type } from '../sdk/index.ts';
import { registrySchema } from './registry/config.ts';

const RECORD_FORMATS = ['json', 'avro', 'protobuf', 'csv', 'raw'] as const;
const MESSAGE_FORMATS = ['json', 'avro', 'protobuf', 'csv', 'raw', 'debezium'] as const;
const KEY_FORMATS = ['json', 'avro', 'protobuf', 'text'] as const;
const ENVELOPES = ['row', 'debezium', 'plain', 'cdc_event', 'sync_event', 'elide', 'cloudevents'] as const;

const file = (what: string, example: string) => Type.Optional(Type.String({ minLength: 1, description: what, examples: [example] }));

/** What sources and destinations have in common. */
const sharedKeys = {
  schema_registry_url: Type.Optional(
    Type.String({ minLength: 1, description: 'The same as `schema_registry.url`.', examples: ['http://localhost:8081'] }),
  ),
  schema_registry: Type.Optional(registrySchema),
  value_schema: file(
    'Schema of the values: the name of a subject in the registry, or a file that ends in `.avsc` or `.proto`. Destinations without: made of the tables (Avro).',
    'user_event_v2',
  ),
  key_schema: file('The same for the keys.', 'schemas/key.avsc'),
  value_message: file('Protobuf: name of the message in the schema of the values. Without: the first one.', 'shop.UserEvent'),
  key_message: file('Protobuf: name of the message in the schema of the keys. Without: the first one.', 'shop.UserKey'),
};

export const recordFormatKeys = {
  message_format: Type.Optional(
    OneOf(RECORD_FORMATS, {
      description: 'Format of the messages. `csv`: the row as one line; `raw`: the bytes of one column. Without: json.',
      examples: ['avro'],
    }),
  ),
  format: Type.Optional(OneOf(RECORD_FORMATS, { description: 'The same as `message_format`.' })),
  key_format: Type.Optional(
    OneOf(KEY_FORMATS, {
      description:
        'Format of the keys. `text`: the value of a key of one column as it is. Without: that of the values; json for csv and raw.',
      examples: ['text'],
    }),
  ),
  ...sharedKeys,
  on_schema_error: Default(
    OneOf(['wait', 'dead_letter', 'stop'], {
      description:
        'When the registry refuses a schema: `wait` and try again until it takes it, put the events into the dead letter queue, or stop.',
    }),
    'wait',
  ),
  csv: Type.Optional(
    Keys(
      {
        delimiter: Default(Type.String({ minLength: 1, maxLength: 1, description: 'One character between fields.', examples: [';'] }), ','),
        null_value: Default(Type.String({ description: 'Written for null; text that reads the same is quoted.', examples: ['\\N'] }), ''),
      },
      { description: 'How rows are written as CSV.' },
    ),
  ),
  value_field: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Format raw: the column whose bytes or text are the value. Without: `value`.',
      examples: ['payload'],
    }),
  ),
};

export const messageFormatKeys = {
  message_format: Type.Optional(
    OneOf(MESSAGE_FORMATS, {
      description:
        "Format of the messages. `raw`: key and value stay bytes, in columns of those names; `debezium`: Debezium's JSON, the same as json with `envelope: debezium`. Without: json.",
      examples: ['avro'],
    }),
  ),
  format: Type.Optional(OneOf(MESSAGE_FORMATS, { description: 'The same as `message_format`.' })),
  key_format: Type.Optional(
    OneOf([...KEY_FORMATS, 'raw'], {
      description: 'Format of the keys. Without: that of the values; for csv text.',
      examples: ['text'],
    }),
  ),
  envelope: Default(
    OneOf(ENVELOPES, {
      description: 'What a message holds: a `row` (a message without value deletes it), or a change event in one of our envelopes.',
      examples: ['debezium'],
    }),
    'row',
  ),
  ...sharedKeys,
  table: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Table of the events; {topic} stands for the topic. Without: the topic.',
      examples: ['users'],
    }),
  ),
  key_fields: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      uniqueItems: true,
      description: 'Fields that identify a row. A message without one of them is malformed. Without: the fields of its key.',
      examples: [['id']],
    }),
  ),
  csv: Type.Optional(
    Keys(
      {
        columns: Type.Array(Type.String({ minLength: 1 }), {
          minItems: 1,
          uniqueItems: true,
          description: 'Names of the fields.',
          examples: [['id', 'name']],
        }),
        delimiter: Default(Type.String({ minLength: 1, maxLength: 1, description: 'One character between fields.', examples: [';'] }), ','),
        quote: Default(
          Type.Union([Type.String({ minLength: 1, maxLength: 1 }), Type.Null()], { description: 'Character around fields. null = none.' }),
          '"',
        ),
        null_value: Default(
          Type.Union([Type.String(), Type.Null()], { description: 'Unquoted text that means null; null = every field is text.' }),
          null,
        ),
      },
      { description: 'How CSV messages are written: one record each, without a header.' },
    ),
  ),
};

const RECORD_KEYS = Keys(recordFormatKeys),
  MESSAGE_KEYS = Keys(messageFormatKeys);
export type RecordFormatConfig = Static<typeof RECORD_KEYS>;
export type MessageFormatConfig = Static<typeof MESSAGE_KEYS>;
export type RecordFormat = (typeof RECORD_FORMATS)[number];
export type MessageFormat = Exclude<(typeof MESSAGE_FORMATS)[number], 'debezium'>;
export type KeyFormat = (typeof KEY_FORMATS)[number];

export function recordFormatOf(config: RecordFormatConfig): RecordFormat {
  return config.message_format ?? config.format ?? 'json';
}

export function messageFormatOf(config: MessageFormatConfig): MessageFormat {
  const format = config.message_format ?? config.format ?? 'json';
  return format === 'debezium' ? 'json' : format;
}

export function messageEnvelopeOf(config: MessageFormatConfig): MessageFormatConfig['envelope'] {
  return (config.message_format ?? config.format) === 'debezium' ? 'debezium' : config.envelope;
}

/** Of a destination's keys. Protobuf keys have a schema of their own, or are JSON. */
export function keyFormatOf(config: RecordFormatConfig): KeyFormat {
  if (config.key_format !== undefined) return config.key_format;
  const format = recordFormatOf(config);
  if (format === 'avro') return registryUrlOf(config) === null && config.key_schema === undefined ? 'json' : 'avro';
  return format === 'protobuf' && config.key_schema !== undefined ? 'protobuf' : 'json';
}

export const registryUrlOf = (config: RecordFormatConfig | MessageFormatConfig): string | null =>
  config.schema_registry?.url ?? config.schema_registry_url ?? null;

/** `schemas/user.proto`; anything else is a subject. */
export const isSchemaFile = (name: string): boolean => /\.(avsc|proto)$/.test(name);

export function recordFormatProblems(config: RecordFormatConfig): ConfigProblem[] {
  const format = recordFormatOf(config),
    problems = [...sharedProblems(config)];
  if (format === 'protobuf' && config.value_schema === undefined) problems.push(missingSchema('value_schema'));
  if (config.key_format === 'protobuf' && config.key_schema === undefined) problems.push(missingSchema('key_schema'));
  if (format === 'avro' && registryUrlOf(config) === null && !isSchemaFile(config.value_schema ?? ''))
    problems.push({
      path: ['message_format'],
      message: 'Avro without a schema registry leaves nobody able to read the messages',
      fix: 'Set schema_registry.url, or value_schema to an .avsc file that the readers have.',
    });
  return problems;
}

export function messageFormatProblems(config: MessageFormatConfig): ConfigProblem[] {
  const format = messageFormatOf(config),
    problems = [...sharedProblems(config)];
  if (format === 'csv' && config.csv === undefined)
    problems.push({ path: ['csv'], message: 'CSV messages have no header that names the columns', fix: 'List them in csv.columns.' });
  const isRegistered = registryUrlOf(config) !== null,
    hasFile = isSchemaFile(config.value_schema ?? '');
  if ((format === 'avro' || format === 'protobuf') && !isRegistered && !hasFile)
    problems.push({
      path: ['message_format'],
      message: `${format} messages cannot be read without their schema`,
      fix: `Set schema_registry.url, or value_schema to a ${format === 'avro' ? '.avsc' : '.proto'} file.`,
    });
  if (messageEnvelopeOf(config) !== 'row' && (format === 'csv' || format === 'raw'))
    problems.push({ path: ['envelope'], message: `${format} messages hold rows`, fix: 'Leave the key out.' });
  const envelope = messageEnvelopeOf(config);
  if (format !== 'json' && !['row', 'debezium', 'plain'].includes(envelope))
    problems.push({ path: ['envelope'], message: `"${envelope}" is read as JSON only`, fix: 'Choose row, debezium or plain.' });
  return problems;
}

function sharedProblems(config: RecordFormatConfig | MessageFormatConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (config.message_format !== undefined && config.format !== undefined)
    problems.push({ path: ['format'], message: '"format" stands beside "message_format"', fix: 'Keep one of the two.' });
  if (config.schema_registry !== undefined && config.schema_registry_url !== undefined)
    problems.push({
      path: ['schema_registry_url'],
      message: '"schema_registry_url" stands beside "schema_registry"',
      fix: 'Keep one of the two.',
    });
  for (const [path, url] of [
    [['schema_registry', 'url'], config.schema_registry?.url],
    [['schema_registry_url'], config.schema_registry_url],
  ] as const) {
    const message = url === undefined ? null : urlProblem(url);
    if (message !== null) problems.push({ path, message, fix: 'Write http://host:port, and the login as username and password.' });
  }
  const registry = config.schema_registry;
  if (registry?.username !== undefined && registry.token !== undefined)
    problems.push({ path: ['schema_registry', 'token'], message: 'a token stands beside a user name', fix: 'Keep one of the two.' });
  return problems;
}

/** The address is shown in messages, so it holds no login. */
function urlProblem(url: string): string | null {
  if (!URL.canParse(url)) return 'is not a URL';
  const { protocol, username, password } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') return `is not HTTP: ${protocol}`;
  return username === '' && password === '' ? null : 'holds a login';
}

function missingSchema(name: 'value_schema' | 'key_schema'): ConfigProblem {
  return {
    path: [name],
    message: 'Protobuf messages are written by a schema of yours, and none is given',
    fix: 'Name a .proto file, or a subject of the registry.',
  };
}
