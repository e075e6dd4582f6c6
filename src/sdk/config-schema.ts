// How adapters and plugins declare their configuration: one TypeBox definition gives types, validation, defaults, JSON
// Schema and the reference page. The helpers below add what plain JSON Schema lacks: units, secrets, defaults that are
// always there after normalize.

import type { Static, TObject, TProperties, TSchema, TUnsafe } from '@sinclair/typebox';
import { Type } from './type-builder.ts';

export type { Static, TObject, TSchema } from '@sinclair/typebox';
export { Type };

interface Doc {
  readonly description: string;
  readonly examples?: readonly unknown[];
}

/** A string that never prints: shown as `***` in `plan`, logs and errors. */
export function Secret(doc: Doc): TUnsafe<string> {
  return Type.Unsafe<string>({ type: 'string', 'x-secret': true, ...doc });
}

/** `200ms`, `30s`, `5m`, `1h`, `7d`, or a bare number in `unit`. Milliseconds once normalized. */
export function Duration(doc: Doc & { readonly unit: 'ms' | 's'; readonly minimum?: number }): TUnsafe<number> {
  const { unit, minimum = 0, ...rest } = doc;
  return Type.Unsafe<number>({ anyOf: [{ type: 'number', minimum }, { type: 'string' }], 'x-duration': unit, ...rest });
}

/** `64KiB`, `10MB`, `1GiB`, or a bare number of bytes. Bytes once normalized. */
export function Size(doc: Doc): TUnsafe<number> {
  return Type.Unsafe<number>({ anyOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }], 'x-size': true, ...doc });
}

/** One of these strings. */
export function OneOf<const T extends readonly string[]>(values: T, doc: Doc): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...doc });
}

/** Optional in the file, always there in code. */
export function Default<T extends TSchema>(schema: T, value: unknown): T {
  return Type.Optional({ ...schema, default: value } as TSchema) as unknown as T;
}

/** A strict object: unknown keys are errors. */
export function Keys<T extends TProperties>(properties: T, doc?: Doc): TObject<T> {
  return Type.Object(properties, { additionalProperties: false, ...doc });
}

/** The configuration type of a schema once normalized: defaults filled in, units resolved. */
export type ConfigOf<S extends TSchema> = Static<S>;

/** A problem that a descriptor's `validate` finds beyond what the schema can say. `path` is relative to the component. */
export interface ConfigProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly fix?: string;
}
