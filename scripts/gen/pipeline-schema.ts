// The JSON Schema of a whole pipeline file: the shell, with every type of the catalog chosen by `type`.

import type { TypeInfo } from '../../src/catalog.ts';
import type { JsonSchema } from '../../src/config/schema-walk.ts';
import { ConnectorShell, PipelineShell, type PLUGIN_LISTS } from '../../src/config/shell.ts';
import { COMMENT, component, DIALECT, KEYS, MODULE, objectOf, type Schema, VARIABLE, variable, when } from './editor-schema.ts';

const nameOf = ({ kind, type }: TypeInfo): string => `${kind}-${type}`;

/** Any component of a kind: which one is told by its `type`. */
function anyOfKind(kind: TypeInfo['kind'], types: readonly TypeInfo[]): Schema {
  const own = types.filter((info) => info.kind === kind);
  const allOf = own.map((info) =>
    when({ properties: { type: { enum: [info.type, ...info.aliases] } }, required: ['type'] }, { $ref: `#/$defs/${nameOf(info)}` }),
  );
  const type = {
    description: `Type of the ${kind}.`,
    anyOf: [{ enum: own.flatMap((info) => [info.type, ...info.aliases]) }, MODULE, variable],
  };
  return { type: 'object', required: ['type'], properties: { type }, allOf };
}

function pluginList(list: keyof typeof PLUGIN_LISTS, kind: TypeInfo['kind']): Schema {
  const items = { type: 'array', items: { $ref: `#/$defs/${kind}` } };
  return {
    description: `List of ${list}.`,
    anyOf: [items, { type: 'object', properties: { [list]: items }, additionalProperties: false }],
  };
}

/** The schema of a whole pipeline file. */
export function pipelineSchema(types: readonly TypeInfo[]): Schema {
  const kinds = ['source', 'destination', 'transformer', 'middleware', 'hook'] as const;
  const lists = {
    transformers: pluginList('transformers', 'transformer'),
    middleware: pluginList('middleware', 'middleware'),
    hooks: pluginList('hooks', 'hook'),
  };
  const ends = {
    source: { $ref: '#/$defs/source' },
    sources: { type: 'array', minItems: 1, description: 'Where changes come from.', items: { $ref: '#/$defs/source' } },
    destination: { $ref: '#/$defs/destination' },
    destinations: { type: 'array', minItems: 1, description: 'Where changes go.', items: { $ref: '#/$defs/destination' } },
    plugins: { type: 'object', description: 'Transformers, middleware and hooks.', properties: lists, additionalProperties: false },
  };
  const { source: _1, sources: _2, ...connectorEnds } = ends;
  const shell = (schema: JsonSchema, keys: Schema, extra: Schema): Schema => {
    const object = objectOf(schema) as Schema & { readonly properties: Schema };
    return { ...object, properties: { ...object.properties, ...keys }, ...extra };
  };
  return {
    $schema: DIALECT,
    $comment: COMMENT,
    title: 'cdc-run pipeline',
    type: 'object',
    ...when({ required: ['config'] }, { $ref: '#/$defs/connector' }),
    else: { $ref: '#/$defs/pipeline' },
    $defs: {
      variable: VARIABLE,
      ...KEYS,
      pipeline: shell(PipelineShell as JsonSchema, ends, { anyOf: [{ required: ['source'] }, { required: ['sources'] }] }),
      connector: shell(
        ConnectorShell as JsonSchema,
        { ...connectorEnds, config: { type: 'object', description: 'Keys of the source.' } },
        {},
      ),
      ...Object.fromEntries(kinds.map((kind) => [kind, anyOfKind(kind, types)])),
      ...Object.fromEntries(types.map((info) => [nameOf(info), component(info)])),
    },
  };
}
