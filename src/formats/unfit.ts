// A value that a type of a format cannot hold as it is (invariant 6): nothing is rounded, cut or turned into text.

import { JsonText, type Value } from '../sdk/index.ts';

/** Says which field and what kind of value; never the value. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }

  /** The same, seen from the record around. */
  within(field: string): Unfit {
    return new Unfit(this.field === '' ? field : `${field}.${this.field}`, this.message);
  }
}

export function kindOf(value: Value | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'object') return value instanceof JsonText ? 'a JSON document' : 'an object';
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}

export const unfit = (expected: string, value: Value | undefined): Unfit => new Unfit('', `expected ${expected}, got ${kindOf(value)}`);
