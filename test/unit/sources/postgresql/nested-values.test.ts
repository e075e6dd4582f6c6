// Arrays, composites and hstore: what the server would print comes back as it was.

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Value } from '../../../../src/sdk/index.ts';
import { parseArray, parseComposite, parseHstore } from '../../../../src/sources/postgresql/nested-values.ts';

const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', '\\', ',', '{', '}', '(', ')', ' ', 'N', '=', '>') }));

/** As array_out: quoted where it must be. */
function arrayText(value: Value): string {
  if (value === null) return 'NULL';
  if (Array.isArray(value)) return `{${value.map(arrayText).join(',')}}`;
  const s = value as string;
  return s === '' || /^null$/i.test(s) || /["\\{},\s]/.test(s) ? `"${s.replace(/["\\]/g, '\\$&')}"` : s;
}

test('arrays of any dimension', () => {
  const element = fc.option(text);
  const arrays = fc.oneof(fc.array(element), fc.array(fc.array(element, { minLength: 2, maxLength: 2 }), { minLength: 1 }));
  fc.assert(
    fc.property(arrays, (value) => {
      expect(parseArray(arrayText(value), ',', (s) => s)).toEqual(value);
    }),
  );
});

/** As record_out. */
function compositeText(fields: readonly (string | null)[]): string {
  const out = fields.map((f) => (f === null ? '' : f === '' || /["\\(),\s]/.test(f) ? `"${f.replace(/["\\]/g, '$&$&')}"` : f));
  return `(${out.join(',')})`;
}

test('composites', () => {
  fc.assert(
    fc.property(fc.array(fc.option(text), { minLength: 1 }), (fields) => {
      expect(parseComposite(compositeText(fields))).toEqual(fields);
    }),
  );
});

test('hstore', () => {
  const quoted = (s: string): string => `"${s.replace(/["\\]/g, '\\$&')}"`;
  fc.assert(
    fc.property(fc.dictionary(text, fc.option(text)), (object) => {
      const printed = Object.entries(object).map(([k, v]) => `${quoted(k)}=>${v === null ? 'NULL' : quoted(v)}`);
      expect(Object.entries(parseHstore(printed.join(', ')) ?? {})).toEqual(Object.entries(object));
    }),
  );
});

test('any text gives a value or null, soon', () => {
  fc.assert(
    fc.property(text, fc.constantFrom('{', '(', '"', ''), (s, start) => {
      for (const parsed of [parseArray(start + s, ',', (x) => x), parseComposite(start + s), parseHstore(start + s)])
        expect(parsed === null || typeof parsed === 'object').toBe(true);
    }),
    { numRuns: 2000 },
  );
});
