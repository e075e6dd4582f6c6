// Checks a value against a JSON Schema and fills in defaults, for the part of JSON Schema that configurations are made of.
// Interpreted: compiling schemas with Ajv costs every pipeline 15 MB and 150 ms of CPU for something done once. Schemas of
// users that need more of JSON Schema go to Ajv (ajv-check.ts), and a property test holds the two against each other.

import { isMapping } from './document.ts';
import type { Path } from './issue.ts';
import { sameJson } from './same-json.ts';
import { hasUnit, type JsonSchema } from './schema-walk.ts';

/** One thing that is wrong, named by the keyword of the schema that says so. */
export interface SchemaError {
  readonly keyword: string;
  readonly path: Path;
  readonly params: Readonly<Record<string, unknown>>;
  readonly data: unknown;
  /** The schema that holds the keyword. */
  readonly schema: JsonSchema;
}

const isNumber = (value: unknown): boolean => typeof value === 'number';
const isSchema = (value: unknown): boolean => isSimple(value);
const areSchemas = (value: unknown): boolean => Array.isArray(value) && value.every(isSchema);
const TYPES = ['string', 'integer', 'number', 'boolean', 'object', 'array', 'null'];

/** What is checked here, and the form that the keyword must have for it. */
const CHECKED: { readonly [keyword: string]: (value: unknown) => boolean } = {
  type: (value) => TYPES.includes(String(value)) && typeof value === 'string',
  enum: Array.isArray,
  const: () => true,
  required: Array.isArray,
  properties: (value) => isMapping(value) && Object.values(value).every(isSchema),
  patternProperties: (value) =>
    isMapping(value) && Object.entries(value).every(([pattern, schema]) => isPattern(pattern) && isSchema(schema)),
  additionalProperties: isSchema,
  items: isSchema,
  anyOf: areSchemas,
  oneOf: areSchemas,
  allOf: areSchemas,
  pattern: isPattern,
  uniqueItems: (value) => typeof value === 'boolean',
  minProperties: isNumber,
  maxProperties: isNumber,
  minItems: isNumber,
  maxItems: isNumber,
  minLength: isNumber,
  maxLength: isNumber,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  multipleOf: isNumber,
};
/** Keywords that carry documentation, or that are nothing to check. */
const NOTES = new Set([
  'description',
  'title',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$comment',
  '$schema',
  '$id',
  'format',
  'discriminator',
]);

/** Does the schema keep to what is checked here, at every depth? What is malformed does not, so that Ajv complains about it. */
export function isSimple(schema: unknown): boolean {
  if (typeof schema === 'boolean') return true;
  if (!isMapping(schema)) return false;
  return Object.entries(schema).every(([keyword, value]) => CHECKED[keyword]?.(value) ?? (NOTES.has(keyword) || keyword.startsWith('x-')));
}

function isPattern(pattern: unknown): boolean {
  try {
    return new RegExp(String(pattern), 'u').source !== '';
  } catch {
    return false;
  }
}

/** All errors of `value`, which gets the defaults of missing keys. */
export function checkSchema(schema: JsonSchema | boolean, value: unknown, path: Path): SchemaError[] {
  if (schema === true) return [];
  if (schema === false) return [{ keyword: 'false schema', path, params: {}, data: value, schema: {} }];
  const error = (keyword: string, params: Readonly<Record<string, unknown>> = {}): SchemaError => ({
    keyword,
    path,
    params,
    data: value,
    schema,
  });
  // A value of the wrong kind has nothing else that is worth saying.
  if (schema.type !== undefined && !isOfType(value, schema.type as string)) return [error('type')];
  const errors: SchemaError[] = [];
  if (schema.enum !== undefined && !schema.enum.some((choice) => sameJson(choice, value))) errors.push(error('enum'));
  if (schema.const !== undefined && !sameJson(schema.const, value)) errors.push(error('const'));
  if (typeof value === 'number') errors.push(...checkNumber(schema, value, error));
  if (typeof value === 'string') errors.push(...checkText(schema, value, error));
  if (Array.isArray(value)) errors.push(...checkList(schema, value, path, error));
  if (isMapping(value)) errors.push(...checkMapping(schema, value, path, error));
  for (const inner of schema.allOf ?? []) errors.push(...checkSchema(inner, value, path));
  for (const keyword of ['anyOf', 'oneOf'] as const) {
    const union = schema[keyword];
    if (union !== undefined) errors.push(...checkUnion(union, value, path, error(keyword)));
  }
  return errors;
}

type MakeError = (keyword: string, params?: Readonly<Record<string, unknown>>) => SchemaError;

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'object':
      return isMapping(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    default:
      return typeof value === type;
  }
}

function checkNumber(schema: JsonSchema, value: number, error: MakeError): SchemaError[] {
  const errors: SchemaError[] = [];
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (minimum !== undefined && value < minimum) errors.push(error('minimum', { limit: minimum }));
  if (maximum !== undefined && value > maximum) errors.push(error('maximum', { limit: maximum }));
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) errors.push(error('exclusiveMinimum', { limit: exclusiveMinimum }));
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) errors.push(error('exclusiveMaximum', { limit: exclusiveMaximum }));
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) errors.push(error('multipleOf', { multipleOf }));
  return errors;
}

function checkText({ minLength = 0, maxLength = Infinity, pattern }: JsonSchema, value: string, error: MakeError): SchemaError[] {
  const errors: SchemaError[] = [];
  // In characters as people count them, not in UTF-16 units.
  const length = [...value].length;
  if (length < minLength) errors.push(error('minLength', { limit: minLength }));
  if (length > maxLength) errors.push(error('maxLength', { limit: maxLength }));
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) errors.push(error('pattern', { pattern }));
  return errors;
}

function checkList(
  { items = true, minItems = 0, maxItems = Infinity, uniqueItems }: JsonSchema,
  value: unknown[],
  path: Path,
  error: MakeError,
): SchemaError[] {
  const errors = value.flatMap((item, i) => checkSchema(items, item, [...path, i]));
  if (value.length < minItems) errors.push(error('minItems', { limit: minItems }));
  if (value.length > maxItems) errors.push(error('maxItems', { limit: maxItems }));
  if (uniqueItems && value.some((item, i) => value.slice(0, i).some((earlier) => sameJson(earlier, item))))
    errors.push(error('uniqueItems'));
  return errors;
}

function checkMapping(schema: JsonSchema, value: Record<string, unknown>, path: Path, error: MakeError): SchemaError[] {
  const {
    properties = {},
    patternProperties = {},
    additionalProperties = true,
    required = [],
    minProperties = 0,
    maxProperties = Infinity,
  } = schema;
  const errors: SchemaError[] = [];
  for (const [key, { default: preset }] of Object.entries(properties)) {
    if (preset !== undefined && !Object.hasOwn(value, key)) value[key] = structuredClone(preset);
  }
  for (const key of required) if (!Object.hasOwn(value, key)) errors.push(error('required', { missingProperty: key }));
  for (const [key, inner] of Object.entries(value)) {
    const matching = Object.entries(patternProperties)
      .filter(([pattern]) => new RegExp(pattern, 'u').test(key))
      .map(([, schemaOfPattern]) => schemaOfPattern);
    const own = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (own !== undefined) matching.push(own);
    if (matching.length > 0) errors.push(...matching.flatMap((schemaOfKey) => checkSchema(schemaOfKey, inner, [...path, key])));
    else if (additionalProperties === false) errors.push(error('additionalProperties', { additionalProperty: key }));
    else errors.push(...checkSchema(additionalProperties, inner, [...path, key]));
  }
  const count = Object.keys(value).length;
  if (count < minProperties) errors.push(error('minProperties', { limit: minProperties }));
  if (count > maxProperties) errors.push(error('maxProperties', { limit: maxProperties }));
  return errors;
}

/** If the value is of the kind of exactly one branch, that branch's errors say what is wrong; else the union as a whole does. */
function checkUnion(union: readonly JsonSchema[], value: unknown, path: Path, whole: SchemaError): SchemaError[] {
  // On copies: a branch that does not fit must leave no defaults behind.
  const results = union.map((branch) => ({ branch, errors: checkSchema(branch, structuredClone(value), path) }));
  const fitting = results.filter(({ errors }) => errors.length === 0);
  const [first] = fitting;
  if (first !== undefined && (whole.keyword === 'anyOf' || fitting.length === 1)) return checkSchema(first.branch, value, path);
  const near = results.filter(({ errors }) => !errors.some((error) => refusesKind(error, path)));
  const [only] = near;
  return near.length === 1 && only !== undefined && first === undefined && !hasUnit(whole.schema) ? only.errors : [whole];
}

/** Does the error mean that the branch is for another kind of value, or for another tag? */
export function refusesKind({ keyword, path, schema }: Pick<SchemaError, 'keyword' | 'path' | 'schema'>, at: Path): boolean {
  const depth = path.length - at.length;
  // An enum with a type was reached by a value of that type: it is the right kind, but none of the choices.
  const isOther = keyword === 'type' || keyword === 'const' || (keyword === 'enum' && schema.type === undefined);
  return (depth === 0 && isOther) || (depth === 1 && keyword === 'const');
}
