// A configuration made from a schema alone: defaults, else examples, else something of the right type. Used to ask a descriptor
// for its capabilities without a pipeline, and to write example values into generated files. Pure.

import type { TSchema } from '../sdk/config-schema.ts';

/** A property of a strict object schema, as `init` and `adapters` see it. */
export interface Key {
  readonly name: string;
  readonly schema: TSchema;
  readonly required: boolean;
  readonly secret: boolean;
  readonly description: string;
  /** `undefined`: none. */
  readonly default: unknown;
  readonly example: unknown;
}

export function keysOf(schema: TSchema): Key[] {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, TSchema>>;
  const required = new Set((schema['required'] ?? []) as readonly string[]);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    schema: property,
    required: required.has(name),
    secret: property['x-secret'] === true,
    description: typeof property['description'] === 'string' ? property['description'] : '',
    default: property['default'],
    example: ((property['examples'] ?? []) as readonly unknown[])[0],
  }));
}

/** Every required key and every default, as far as the schema can tell. */
export function sampleConfig(schema: TSchema): Record<string, unknown> {
  return Object.fromEntries(
    keysOf(schema)
      .filter((key) => key.required || key.default !== undefined)
      .map((key) => [key.name, key.default ?? sampleValue(key.schema)]),
  );
}

export function sampleValue(schema: TSchema): unknown {
  const [example] = (schema['examples'] ?? []) as readonly unknown[];
  if (example !== undefined) return example;
  if (schema['default'] !== undefined) return schema['default'];
  const [choice] = (schema['enum'] ?? []) as readonly unknown[];
  if (choice !== undefined) return choice;
  if (schema['const'] !== undefined) return schema['const'];
  const [branch] = (schema['anyOf'] ?? schema['oneOf'] ?? []) as readonly TSchema[];
  if (branch !== undefined) return sampleValue(branch);
  switch (schema['type']) {
    case 'integer':
    case 'number':
      return (schema['minimum'] as number | undefined) ?? 1;
    case 'boolean':
      return false;
    case 'array':
      return [];
    case 'object':
      return sampleConfig(schema);
    default:
      return 'example';
  }
}
