// TypeBox schemas without loading TypeBox: the builders that configurations use, with TypeBox's own types and symbols, so
// that schemas made by either mix. Loading the whole library costs every pipeline 7 MB and 60 ms of CPU
// (docs/adr/20261121-typebox-types-without-its-runtime.md). https://github.com/sinclairzx81/typebox

import type {
  ObjectOptions,
  SchemaOptions,
  TArray,
  TBoolean,
  TInteger,
  TLiteral,
  TNull,
  TNumber,
  TObject,
  TOptional,
  TProperties,
  TRecord,
  TSchema,
  TString,
  TUnion,
  TUnknown,
  TUnsafe,
} from '@sinclair/typebox';

// TypeBox registers its symbols globally; they do not appear in JSON.
const KIND = Symbol.for('TypeBox.Kind');
const OPTIONAL = Symbol.for('TypeBox.Optional');

function make<T extends TSchema>(kind: string, body: object, options: object = {}): T {
  return { ...options, [KIND]: kind, ...body } as unknown as T;
}

const isOptional = (schema: TSchema): boolean => (schema as { [OPTIONAL]?: string })[OPTIONAL] === 'Optional';

export const Type = {
  String: (options?: SchemaOptions & { minLength?: number; maxLength?: number; pattern?: string; format?: string }): TString =>
    make('String', { type: 'string' }, options),
  Number: (
    options?: SchemaOptions & { minimum?: number; maximum?: number; exclusiveMinimum?: number; exclusiveMaximum?: number },
  ): TNumber => make('Number', { type: 'number' }, options),
  Integer: (options?: SchemaOptions & { minimum?: number; maximum?: number; exclusiveMinimum?: number }): TInteger =>
    make('Integer', { type: 'integer' }, options),
  Boolean: (options?: SchemaOptions): TBoolean => make('Boolean', { type: 'boolean' }, options),
  Null: (options?: SchemaOptions): TNull => make('Null', { type: 'null' }, options),
  Unknown: (options?: SchemaOptions): TUnknown => make('Unknown', {}, options),
  Literal: <const V extends string | number | boolean>(value: V, options?: SchemaOptions): TLiteral<V> =>
    make('Literal', { const: value, type: typeof value }, options),
  Array: <T extends TSchema>(
    items: T,
    options?: SchemaOptions & { minItems?: number; maxItems?: number; uniqueItems?: boolean },
  ): TArray<T> => make('Array', { type: 'array', items }, options),
  Union: <T extends TSchema[]>(types: [...T], options?: SchemaOptions): TUnion<T> => make('Union', { anyOf: types }, options),
  Record: <V extends TSchema>(_key: TString, value: V, options?: ObjectOptions): TRecord<TString, V> =>
    make('Record', { type: 'object', patternProperties: { '^(.*)$': value } }, options),
  Unsafe: <T>(schema: object): TUnsafe<T> => make('Unsafe', {}, schema),
  Optional: <T extends TSchema>(schema: T): TOptional<T> => ({ ...schema, [OPTIONAL]: 'Optional' }) as unknown as TOptional<T>,
  Object: <P extends TProperties>(properties: P, options?: ObjectOptions): TObject<P> => {
    const required = Object.keys(properties).filter((key) => !isOptional(properties[key] as TSchema));
    return make('Object', { type: 'object', ...(required.length > 0 ? { required } : {}), properties }, options);
  },
};
