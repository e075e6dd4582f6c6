// How the records of a deployment are written: converters, formats and transformations → `envelope`, `message_format` and what is
// left for the user.

import type { Deployment } from './deployment.ts';
import type { Values } from './secrets.ts';
import { type Transformations, transformationsOf } from './transformations.ts';
import { Draft, type Note } from './translation.ts';

export interface Records {
  /** Of the destination. */
  readonly envelope: Readonly<Record<string, unknown>> | string;
  readonly keys: Readonly<Record<string, unknown>>;
  /** Before the records are written. */
  readonly transformers: Transformations['transformers'];
  readonly notes: readonly Note[];
}

const JSON_CONVERTER = 'org.apache.kafka.connect.json.JsonConverter';

/** `options`: what the connector's settings say of the records. */
export function recordsOf(
  deployment: Deployment,
  options: Readonly<Record<string, unknown>>,
  prefix: string | null,
  tables: readonly string[],
  values: Values,
): Records {
  const draft = new Draft(new Map()),
    { schemas: given, ...others } = options;
  const format = formatOf(deployment, draft, given, values);
  const { isRow, transformers } = transformationsOf(deployment.connector, draft, tables),
    shared = { keys: format.keys, transformers, notes: draft.notes };
  if (format.envelope !== undefined) return { envelope: format.envelope, ...shared };
  if (isRow) return { envelope: 'row', ...shared };
  const envelope = {
    type: 'debezium',
    compatible: true,
    ...(prefix === null ? {} : { topic_prefix: prefix }),
    ...(format.schemas ? { schemas: true } : {}),
    ...others,
  };
  return { envelope, ...shared };
}

interface Format {
  readonly schemas: boolean;
  readonly keys: Readonly<Record<string, unknown>>;
  /** Instead of Debezium's. */
  readonly envelope?: string;
}

function formatOf(deployment: Deployment, draft: Draft, given: unknown, values: Values): Format {
  return deployment.kind === 'server'
    ? formatOfServer(deployment.format, draft, values)
    : formatOfConnect(deployment.connector, draft, given, values);
}

function formatOfConnect(connector: Readonly<Record<string, string>>, draft: Draft, given: unknown, values: Values): Format {
  const converter = connector['value.converter'];
  if (converter === undefined) {
    if (given === undefined)
      draft.warn(
        'value.converter',
        "is the worker's, which is not in this file: JsonConverter with schemas is taken for it",
        'Set `schemas: false` in `envelope`, or `message_format: avro`, as the worker has it.',
      );
    return { schemas: given !== false, keys: {} };
  }
  if (converter === JSON_CONVERTER) return { schemas: given !== false, keys: {} };
  if (/Avro/i.test(converter))
    return avro(
      connector['value.converter.schema.registry.url'] ?? connector['value.converter.apicurio.registry.url'],
      draft,
      'value.converter',
      values,
    );
  draft.refuse('value.converter', `${converter} has no counterpart`, 'Set `message_format` of the destination.');
  return { schemas: false, keys: {} };
}

function avro(registry: string | undefined, draft: Draft, property: string, values: Values): Format {
  if (registry === undefined) draft.warn(property, 'the registry is not named', 'Set `schema_registry_url`.');
  return {
    schemas: false,
    keys: { message_format: 'avro', schema_registry_url: registry ?? values.variable(property, 'SCHEMA_REGISTRY_URL', 'worker') },
  };
}

function formatOfServer(format: Readonly<Record<string, string>>, draft: Draft, values: Values): Format {
  const value = format['value'] ?? 'json';
  switch (value) {
    case 'json':
    case 'jsonbytearray':
      return { schemas: (format['value.schemas.enable'] ?? format['schemas.enable']) !== 'false', keys: {} };
    case 'avro':
      return avro(format['value.schema.registry.url'] ?? format['value.apicurio.registry.url'], draft, 'debezium.format.value', values);
    case 'cloudevents':
      return { schemas: false, keys: {}, envelope: 'cloudevents' };
    default:
      draft.refuse(
        'debezium.format.value',
        `the format ${value} has no counterpart`,
        'Set `message_format` and `envelope` of the destination.',
      );
      return { schemas: false, keys: {} };
  }
}
