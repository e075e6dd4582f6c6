// Our own check of JSON Schema says what Ajv says.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileWithAjv } from '../../../src/config/ajv-check.ts';
import { checkSchema, isSimple, type SchemaError } from '../../../src/config/check-schema.ts';
import { branches, type JsonSchema } from '../../../src/config/schema-walk.ts';
import { ConnectorShell, DestinationKeys, HookItem, PipelineShell, PluginItem, SourceKeys } from '../../../src/config/shell.ts';
import * as plugins from '../../../src/planned/plugins.ts';
import * as brokers from '../../../src/planned/source-brokers.ts';
import * as databases from '../../../src/planned/source-databases.ts';

/** Place and keyword. Of a value of the wrong type Ajv also says what else it is not; that is left out. */
function named(errors: readonly SchemaError[]): string[] {
  const wrong = new Set(errors.filter(({ keyword }) => keyword === 'type').map(({ path }) => path.join('/')));
  const kept = errors.filter(({ keyword, path }) => keyword === 'type' || !wrong.has(path.join('/')));
  return [...new Set(kept.map(({ keyword, path }) => `${path.join('/')} ${keyword}`))].sort();
}

/** Values near to what the schema wants: right ones, nearly right ones, and anything. */
function valuesFor(schema: JsonSchema, depth = 0): fc.Arbitrary<unknown> {
  const anything = fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1.5,
    70_000,
    '',
    'x',
    '30s',
    '${X}',
    'ä😀',
    [],
    ['x', 'x'],
    [5],
    {},
    { type: 'x' },
    { __other: 1 },
  );
  if (depth > 4) return anything;
  const good: fc.Arbitrary<unknown>[] = [fc.constantFrom(...(schema.examples ?? [null]))];
  for (const branch of branches(schema)) {
    if (branch.enum !== undefined) good.push(fc.constantFrom(...branch.enum));
    if (branch.properties !== undefined) {
      const keys = Object.fromEntries(Object.entries(branch.properties).map(([key, inner]) => [key, valuesFor(inner, depth + 1)]));
      good.push(fc.record({ ...keys, unknown_key: fc.constant(1) }, { requiredKeys: [] }));
    }
    if (typeof branch.items === 'object') good.push(fc.array(valuesFor(branch.items, depth + 1), { maxLength: 3 }));
  }
  return fc.oneof({ weight: 6, arbitrary: fc.oneof(...good) }, { weight: 1, arbitrary: anything });
}

const schemas: Record<string, JsonSchema> = {
  PipelineShell: PipelineShell as JsonSchema,
  ConnectorShell: ConnectorShell as JsonSchema,
  SourceKeys: SourceKeys as JsonSchema,
  DestinationKeys: DestinationKeys as JsonSchema,
  PluginItem: PluginItem as JsonSchema,
  HookItem: HookItem as JsonSchema,
};
for (const { type, kind, config } of [...Object.values(databases), ...Object.values(brokers), ...Object.values(plugins)])
  schemas[`${kind} ${type}`] = config as JsonSchema;

describe('checkSchema', () => {
  it.each(Object.keys(schemas))('finds in values for %s what Ajv finds', (name) => {
    const schema = schemas[name] as JsonSchema;
    const ajv = compileWithAjv(schema);
    expect(isSimple(schema)).toBe(true);
    fc.assert(
      fc.property(valuesFor(schema), (value) => {
        const ours = structuredClone(value),
          theirs = structuredClone(value);
        const errors = named(checkSchema(schema, ours, []));
        expect(errors).toEqual(named(ajv(theirs, [])));
        if (errors.length === 0) expect(ours).toEqual(theirs);
      }),
      { numRuns: 150 },
    );
  });

  const unions: JsonSchema = {
    oneOf: [
      {
        type: 'object',
        required: ['kind'],
        properties: { kind: { const: 'a' }, n: { type: 'integer', default: 5 } },
        additionalProperties: false,
      },
      {
        type: 'object',
        required: ['kind'],
        properties: { kind: { const: 'b' }, t: { type: 'string', maxLength: 3 } },
        additionalProperties: false,
      },
    ],
  };
  it.each([
    [{ kind: 'a' }, [], { kind: 'a', n: 5 }],
    [{ kind: 'a', n: 'x' }, ['n type'], null],
    [{ kind: 'b', t: 'long' }, ['t maxLength'], null],
    [{ kind: 'b', n: 1 }, [' additionalProperties'], null],
    [{ kind: 'c' }, [' oneOf'], null],
    [5, [' oneOf'], null],
  ])('judges %j by the branch of its tag, with its defaults', (value, expected, filled) => {
    const copy = structuredClone(value);
    expect(named(checkSchema(unions, copy, []))).toEqual(expected);
    if (filled !== null) expect(copy).toEqual(filled);
  });

  it.each<[object, boolean]>([
    [{ type: 'string', pattern: '^a', 'x-secret': true }, true],
    [{ type: 'string', pattern: '(' }, false],
    [{ $ref: '#/$defs/a' }, false],
    [{ dependentRequired: {} }, false],
    [{ properties: { a: { not: {} } } }, false],
    [{ type: ['string', 'null'] }, false],
    [{ items: [{}] }, false],
  ])('%j is simple: %s', (schema, simple) => {
    expect(isSimple(schema)).toBe(simple);
  });
});
