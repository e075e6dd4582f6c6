// Validates plain values against a schema and reports every problem at its place. Defaults are filled in and units resolved
// on the way, so what comes out is what the rest of the program reads.

import { checkSchema, isSimple, type SchemaError } from './check-schema.ts';
import { coerceVariables, resolveUnits } from './coerce.ts';
import type { ConfigDocument } from './document.ts';
import type { Path } from './issue.ts';
import { reportOf } from './messages.ts';
import { hasUnit, isSecret, type JsonSchema, schemasOfItem, schemasOfKey } from './schema-walk.ts';

export interface Validated<T> {
  /** Complete only when `ok`. */
  readonly value: T;
  readonly ok: boolean;
}

/** What checks values of this schema. Throws when the schema itself is wrong. */
export async function checkOf(schema: object): Promise<(value: unknown, base: Path) => SchemaError[]> {
  if (isSimple(schema)) return (value, base) => checkSchema(schema as JsonSchema, value, base);
  const { compileWithAjv } = await import('./ajv-check.ts');
  return compileWithAjv(schema);
}

/**
 * Checks `value` (which is changed: defaults, units) and reports to the document. `base` is where the value stands there;
 * `alsoKnown` are keys for "did you mean" which belong to others.
 */
export async function validate<T>(
  wanted: object,
  value: unknown,
  base: Path,
  document: ConfigDocument,
  alsoKnown: readonly string[] = [],
): Promise<Validated<T>> {
  const schema = wanted as JsonSchema;
  const check = await checkOf(schema);
  const coerced = coerceVariables(value, schema, base, document);
  const secretAt = (path: Path): boolean => isSecret(schemasAt(schema, path.slice(base.length)));
  const context = { document, base, alsoKnown, isSecret: secretAt };
  for (const error of check(coerced, base)) {
    // Texts and numbers with units are read below, which says more than a schema can.
    const readLater = hasUnit(error.schema) && ['string', 'number'].includes(typeof error.data);
    const report = readLater ? null : reportOf(error, context);
    if (report === null) continue;
    document.problem(report);
    // One problem per value is enough; what is missing in a mapping says nothing about the rest of it.
    if (!report.atKey) document.setBroken(report.path);
  }
  const resolved = await resolveUnits(coerced, schema, base, document);
  return { value: resolved as T, ok: !document.hasTrouble(base) };
}

function schemasAt(schema: JsonSchema, path: Path): JsonSchema[] {
  let schemas = [schema];
  for (const part of path) {
    schemas = schemas.flatMap((inner) => (typeof part === 'number' ? schemasOfItem(inner, part) : schemasOfKey(inner, part)));
  }
  return schemas;
}
