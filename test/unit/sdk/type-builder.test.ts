// Our builders make what TypeBox makes, so that schemas of both mix.

import * as typebox from '@sinclair/typebox';
import { describe, expect, it } from 'vitest';
import { Type } from '../../../src/sdk/index.ts';

type Builder = typeof Type;
const cases: Record<string, (t: Builder) => unknown> = {
  string: (t) => t.String({ minLength: 1, description: 'd' }),
  number: (t) => t.Number({ minimum: 0 }),
  integer: (t) => t.Integer(),
  boolean: (t) => t.Boolean(),
  null: (t) => t.Null(),
  unknown: (t) => t.Unknown({ description: 'd' }),
  literal: (t) => t.Literal('a'),
  array: (t) => t.Array(t.String(), { minItems: 1 }),
  union: (t) => t.Union([t.Null(), t.Integer({ minimum: 1 })]),
  record: (t) => t.Record(t.String(), t.Integer()),
  unsafe: (t) => t.Unsafe<string>({ type: 'string', enum: ['a'] }),
  object: (t) => t.Object({ a: t.String(), b: t.Optional(t.Integer({ default: 3 })) }, { additionalProperties: false }),
  'object without required keys': (t) => t.Object({ b: t.Optional(t.Integer()) }),
  'object without keys': (t) => t.Object({}),
};
const theirs = typebox.Type as unknown as Builder;

describe('Type', () => {
  it.each(Object.entries(cases))('builds %s as TypeBox does, symbols included', (_name, build) => {
    expect(build(Type)).toEqual(build(theirs));
    expect(JSON.parse(JSON.stringify(build(Type)))).toEqual(JSON.parse(JSON.stringify(build(theirs))));
  });

  it('takes schemas of TypeBox among its own, and the other way round', () => {
    expect(Type.Object({ a: theirs.Optional(theirs.String()) as never }).required).toBeUndefined();
    expect(theirs.Object({ a: Type.Optional(Type.String()) }).required).toBeUndefined();
  });
});
