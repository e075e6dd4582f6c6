// Checks by Ajv, for schemas of users that need more of JSON Schema 2020-12 than our own check knows: `$ref`, `if`, `not` …
// Loaded only then.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { refusesKind, type SchemaError } from './check-schema.ts';
import type { Path } from './issue.ts';
import { hasUnit, type JsonSchema } from './schema-walk.ts';

export type Check = (value: unknown, base: Path) => SchemaError[];

const compiled = new WeakMap<object, Check>();

/** A check for this schema. Throws when the schema itself is wrong. */
export function compileWithAjv(schema: object): Check {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  // `strict` would refuse the x- keywords; formats are left to the adapters.
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    verbose: true,
    useDefaults: true,
    discriminator: true,
    validateFormats: false,
    logger: false,
  });
  const validate = ajv.compile(schema);
  const check: Check = (value, base) =>
    validate(value) ? [] : mostTelling(validate.errors ?? []).map((error) => translate(error, base, value));
  compiled.set(schema, check);
  return check;
}

function translate(error: ErrorObject, base: Path, root: unknown): SchemaError {
  return {
    keyword: error.keyword,
    path: pathOf(error.instancePath, base, root),
    params: error.params,
    data: error.data,
    schema: schemaOf(error),
  };
}

/** The schema that holds the keyword. */
function schemaOf(error: ErrorObject): JsonSchema {
  return (error.parentSchema ?? {}) as JsonSchema;
}

/** `/endpoints/0/path` below `base` → path. Numbers are indices only where the value is a list. */
function pathOf(pointer: string, base: Path, root: unknown): Path {
  const path = [...base];
  let value: unknown = root;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(value) ? Number(key) : key);
    value = (value as Record<string, unknown> | undefined)?.[key];
  }
  return path;
}

/** A failed union brings the errors of all its branches: keeps those of the one that is meant, if one is, else the union's own. */
function mostTelling(errors: readonly ErrorObject[]): ErrorObject[] {
  const unions = errors.filter((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  const outer = unions.find((union) => !unions.some((other) => other !== union && isBelow(union, other)));
  if (outer === undefined) return [...errors];
  const below = errors.filter((error) => isBelow(error, outer));
  const rest = errors.filter((error) => error !== outer && !below.includes(error));
  const at = outer.instancePath.split('/');
  const near = [...groupByBranch(below, outer).values()].filter(
    (branch) =>
      !branch.some((error) => refusesKind({ keyword: error.keyword, path: error.instancePath.split('/'), schema: schemaOf(error) }, at)),
  );
  const [only] = near;
  return [...mostTelling(rest), ...(near.length === 1 && only !== undefined && !hasUnit(schemaOf(outer)) ? mostTelling(only) : [outer])];
}

function isBelow(error: ErrorObject, union: ErrorObject): boolean {
  return error.schemaPath.startsWith(`${union.schemaPath}/`) && error.instancePath.startsWith(union.instancePath);
}

function groupByBranch(errors: readonly ErrorObject[], union: ErrorObject): Map<string, ErrorObject[]> {
  const groups = new Map<string, ErrorObject[]>();
  for (const error of errors) {
    const branch = error.schemaPath.slice(union.schemaPath.length + 1).split('/')[0] ?? '';
    groups.set(branch, [...(groups.get(branch) ?? []), error]);
  }
  return groups;
}
