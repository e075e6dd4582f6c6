// The validator's errors in the house form: what must be where, what was found instead, and what to do.

import type { ErrorCode } from '../sdk/index.ts';
import type { SchemaError } from './check-schema.ts';
import type { ConfigDocument, Report } from './document.ts';
import { formatPath, type Path } from './issue.ts';
import { hideCredentials } from './redact.ts';
import { branches, type JsonSchema, knownKeys } from './schema-walk.ts';
import { suggest } from './suggest.ts';

const MAX_SHOWN = 60;

/** What stands at a place, for people; never a secret, and never what a variable holds. */
export function describeFound(value: unknown, path: Path, document: ConfigDocument, secret: boolean): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  const references = document.references(path);
  if (references !== null) return `the value of ${references.join(' and ')}`;
  if (secret) return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
  if (typeof value !== 'string') return String(value);
  const shown = hideCredentials(value);
  return JSON.stringify(shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown);
}

const TYPE_NAMES: { readonly [type: string]: string } = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'a mapping of keys',
  array: 'a list',
  null: 'nothing',
};

/** What a schema wants, for people: `a whole number`, `one_time, continuous or cron`. */
function describeWanted(schema: JsonSchema): string {
  if (schema['x-expected'] !== undefined) return schema['x-expected'];
  if (schema['x-duration'] !== undefined) return 'a duration such as `30s`, `5m` or `200ms`';
  if (schema['x-size']) return 'a size such as `64KiB`, `10MB` or `1GiB`';
  if (schema.enum !== undefined) return orList(schema.enum.map(String));
  if (schema.const !== undefined) return String(schema.const);
  const union = schema.anyOf ?? schema.oneOf;
  if (union !== undefined) return orList([...new Set(union.map(describeWanted))]);
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  return types.length === 0 ? 'something else' : orList(types.map((type) => TYPE_NAMES[type] ?? type));
}

/** `a, b or c`. */
export function orList(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} or ${items.at(-1)}`;
}

/** What a report about one schema error needs to know. */
export interface ErrorContext {
  readonly document: ConfigDocument;
  /** The place of the value that was validated. */
  readonly base: Path;
  /** Keys that are known there although the schema does not name them. */
  readonly alsoKnown: readonly string[];
  /** Is the value at this path a secret? */
  isSecret(path: Path): boolean;
}

/** One error of the validator as a report; `null` when another error says the same better. */
export function reportOf(error: SchemaError, context: ErrorContext): Report | null {
  const { path, schema } = error;
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return unknownKey(String(error.params['additionalProperty'] ?? error.params['unevaluatedProperty']), path, schema, context);
    case 'required':
      return missingKey(String(error.params['missingProperty']), path, schema);
    case 'type':
    case 'anyOf':
    case 'oneOf':
      return wrong(
        'CONFIG_WRONG_TYPE',
        describeWanted(schema),
        error,
        context,
        typeFix(error.data, schema, context.document.references(path)),
      );
    case 'enum':
    case 'const':
      return wrongChoice(error, context);
    case 'discriminator':
      return missingOrWrongTag(error, context);
    case 'if':
      return null;
    default: {
      const expected = schema['x-expected'] ?? constraint(error);
      return wrong('CONFIG_INVALID_VALUE', expected, error, context);
    }
  }
}

function unknownKey(key: string, path: Path, schema: JsonSchema, context: ErrorContext): Report {
  const known = [...knownKeys(schema), ...(path.length === context.base.length ? context.alsoKnown : [])];
  const suggestion = suggest(key, known);
  const where = path.length === 0 ? 'the pipeline' : formatPath(path);
  const fix = suggestion === undefined ? `Remove it; known here are ${known.sort().join(', ')}.` : `Rename it to ${suggestion}.`;
  return {
    code: 'CONFIG_UNKNOWN_KEY',
    path: [...path, key],
    atKey: true,
    message: `unknown key ${JSON.stringify(key)} in ${where}`,
    suggestion,
    fix,
  };
}

function missingKey(key: string, path: Path, schema: JsonSchema): Report {
  const where = path.length === 0 ? 'the pipeline' : formatPath(path);
  const inner = schema.properties?.[key] ?? {};
  const example = inner['x-secret'] ? undefined : inner.examples?.[0];
  const fix =
    example === undefined ? `Add ${key}.` : `Add ${key}, such as \`${key}: ${JSON.stringify(example).replace(/^"([\w./-]+)"$/, '$1')}\`.`;
  return {
    code: 'CONFIG_MISSING_KEY',
    path,
    atKey: true,
    message: `missing key ${JSON.stringify(key)} in ${where}`,
    expected: describeWanted(inner),
    fix,
  };
}

function wrong(code: ErrorCode, expected: string, { data, path }: SchemaError, context: ErrorContext, fix?: string): Report {
  const found = describeFound(data, path, context.document, context.isSecret(path));
  return { code, path, message: `${subject(path)} must be ${expected}, found ${found}`, found, expected, fix };
}

function subject(path: Path): string {
  return path.length === 0 ? 'the document' : formatPath(path);
}

function wrongChoice(error: SchemaError, context: ErrorContext): Report {
  const { path, schema } = error;
  const report = wrong('CONFIG_INVALID_VALUE', describeWanted(schema), error, context);
  const hidden = context.isSecret(path) || context.document.references(path) !== null;
  const choices = (schema.enum ?? [schema.const]).map(String);
  return { ...report, suggestion: hidden || typeof error.data !== 'string' ? undefined : suggest(error.data, choices) };
}

function missingOrWrongTag(error: SchemaError, context: ErrorContext): Report | null {
  const tag = String(error.params['tag']);
  // The missing tag is reported by `required`.
  if (error.params['tagValue'] === undefined) return null;
  const choices = branches(error.schema)
    .flatMap((branch) => branch.properties?.[tag]?.const ?? branch.properties?.[tag]?.enum ?? [])
    .map(String);
  const value = { ...error, data: error.params['tagValue'], path: [...error.path, tag] };
  return wrong('CONFIG_INVALID_VALUE', orList([...new Set(choices)]), value, context);
}

/** What usually lies behind a value of the wrong type. */
function typeFix(data: unknown, schema: JsonSchema, references: readonly string[] | null): string | undefined {
  if (references !== null) return 'Correct the value of the variable.';
  if (schema['x-duration'] !== undefined || schema['x-size']) return undefined;
  const types = new Set(branches(schema).flatMap((branch) => branch.type ?? []));
  if (data === null) return 'Give it a value, or remove the line.';
  if (typeof data === 'string' && (types.has('number') || types.has('integer')) && /^-?\d+(\.\d+)?$/.test(data))
    return 'Remove the quotes.';
  if (typeof data === 'string' && types.has('boolean') && /^(yes|no|on|off|true|false)$/i.test(data))
    return 'Write true or false, without quotes.';
  if ((typeof data === 'number' || typeof data === 'boolean') && types.has('string')) return 'Put quotes around it.';
  if (types.has('array') && !types.has('object') && !Array.isArray(data))
    return 'Write a list: each item on its own line after `- `, or all in brackets.';
  return undefined;
}

function constraint(error: SchemaError): string {
  const limit = String(error.params['limit']);
  switch (error.keyword) {
    case 'minimum':
      return `at least ${limit}`;
    case 'maximum':
      return `at most ${limit}`;
    case 'exclusiveMinimum':
      return `more than ${limit}`;
    case 'exclusiveMaximum':
      return `less than ${limit}`;
    case 'minLength':
      return limit === '1' ? 'text that is not empty' : `at least ${limit} characters long`;
    case 'maxLength':
      return `at most ${limit} characters long`;
    case 'minItems':
      return limit === '1' ? 'a list that is not empty' : `a list of at least ${limit} items`;
    case 'maxItems':
      return `a list of at most ${limit} items`;
    case 'minProperties':
      return `a mapping of at least ${limit} keys`;
    case 'maxProperties':
      return `a mapping of at most ${limit} keys`;
    case 'uniqueItems':
      return 'a list without repetitions';
    case 'pattern':
      return `of the form ${String(error.params['pattern'])}`;
    case 'multipleOf':
      return `a multiple of ${String(error.params['multipleOf'])}`;
    default:
      return `as the schema wants it (${error.keyword})`;
  }
}
