import { createHmac } from 'node:crypto';
import { type ChangeEvent, type Column, type Logger, type Row, silentLogger, type Transformer } from 'cdc-run/sdk';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configSchema, type MaskingConfig } from '../../../plugins/transformers/data-masking/config.ts';
import { descriptor } from '../../../plugins/transformers/data-masking/index.ts';
import { applyPattern, keepLast } from '../../../plugins/transformers/data-masking/mask-text.ts';
import { context, event, table, withDefaults } from './events.ts';

const KEY = 'a key of enough characters';
interface Masking extends Transformer {
  transform(events: ChangeEvent[]): ChangeEvent[];
  close(): Promise<void>;
}
const masking = (config: Partial<MaskingConfig>, logger: Logger = silentLogger): Masking =>
  descriptor.create(withDefaults<MaskingConfig>(configSchema, { mask_fields: ['ssn'], ...config }), { ...context, logger }) as never;
const mask = (config: Partial<MaskingConfig>, e: ChangeEvent): ChangeEvent => masking(config).transform([e])[0] as ChangeEvent;
const masked = (config: Partial<MaskingConfig>, row: Row, columns: Column[] = []): Row | null =>
  mask(config, event(row, { table: table('people', columns) })).after;
const hashOf = (text: string): string => createHmac('sha256', KEY).update(text).digest('hex');
const column = (name: string, type: Column['type'], more: Partial<Column> = {}): Column => ({
  name,
  type,
  nativeType: type,
  nullable: true,
  ...more,
});

describe('strategies', () => {
  const cases: [Partial<MaskingConfig>, string, string | null][] = [
    [{ mask_pattern: '***-**-****' }, '123-45-6789', '***-**-****'],
    [{ mask_pattern: '***-**-****' }, '4111 1111 1111 1111', '***-**-****'],
    [{ mask_pattern: '***-**-****' }, '', '***-**-****'],
    [{ mask_pattern: '***-**-####' }, '123-45-6789', '***-**-6789'],
    [{ mask_pattern: '##**' }, 'aß中😀9', 'aß**'],
    [{ mask_pattern: '***-**-####' }, '6789', '***-**-****'],
    [{}, 'anything', '****'],
    [{ strategy: 'redact' }, '123-45-6789', null],
    [{ strategy: 'partial' }, '4111111111111111', '************1111'],
    [{ strategy: 'partial' }, '1234', '**34'],
    [{ strategy: 'partial' }, 'x', '*'],
    [{ strategy: 'partial', keep_last: 0 }, 'secret', '******'],
    [{ strategy: 'partial', keep_last: 2 }, '😀😀😀😀😀', '***😀😀'],
    [{ strategy: 'hash', key: KEY }, '123-45-6789', hashOf('123-45-6789')],
  ];
  it.each(cases)('%o turns %j into %j', (config, text, expected) => {
    expect(masked(config, { id: 1, ssn: text })).toEqual({ id: 1, ssn: expected });
  });

  it('of equal values are equal, of null are null, and absent columns stay absent', () => {
    for (const strategy of ['pattern', 'hash', 'partial', 'redact'] as const) {
      expect(masked({ strategy, key: KEY }, { ssn: null })).toEqual({ ssn: null });
      expect(masked({ strategy, key: KEY }, { id: 1 })).toEqual({ id: 1 });
    }
  });

  it('never leave more than half of a text, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(64), (text, count) => {
        const kept = keepLast(text, count);
        return (
          [...kept].length === [...text].length &&
          [...text].filter((c, i) => [...kept][i] === c && c !== '*').length <= [...text].length / 2
        );
      }),
    );
  });

  it('with a pattern have the form of the pattern, whatever the text is', () => {
    fc.assert(
      fc.property(fc.string(), fc.stringMatching(/^[*#-]{1,12}$/), (text, pattern) => {
        const result = applyPattern(pattern, text);
        return result.length === pattern.length && [...pattern].every((p, i) => p === '#' || result[i] === p);
      }),
    );
  });
});

describe('an event', () => {
  it('is masked before, after and in its key alike', () => {
    const people = table('people', [column('ssn', 'string')], ['ssn']);
    const e = event({ ssn: 'b', age: 3 }, { op: 'u', before: { ssn: 'a', age: 2 }, table: people });
    const result = mask({ strategy: 'hash', key: KEY }, e);
    expect(result).toBe(e);
    expect([result.before, result.after, result.key, result.oldKey]).toEqual([
      { ssn: hashOf('a'), age: 2 },
      { ssn: hashOf('b'), age: 3 },
      { ssn: hashOf('b') },
      { ssn: hashOf('a') },
    ]);
  });

  it('of a delete that has only its key is masked there', () => {
    const people = table('people', [column('ssn', 'string')], ['ssn']);
    const result = mask({ strategy: 'hash', key: KEY }, event(null, { op: 'd', key: { ssn: 'a' }, table: people }));
    expect([result.key, result.before, result.after]).toEqual([{ ssn: hashOf('a') }, null, null]);
  });

  it('does not change the rows that its source may share between events', () => {
    const shared: Row = { ssn: 'a', address: { street: 'x' } };
    mask({ mask_fields: ['ssn', 'address.street'] }, event(shared));
    expect(shared).toEqual({ ssn: 'a', address: { street: 'x' } });
  });

  it('loses its raw record when something was masked, and keeps it otherwise', () => {
    const raw = { topic: 't', key: null, value: new Uint8Array([1]), timestampMs: 1 };
    expect(mask({}, event({ ssn: 'a' }, { raw }))).toMatchObject({ raw: null, after: { ssn: '****' } });
    expect(mask({}, event({ id: 1 }, { raw })).raw).toBe(raw);
  });

  it('that was not decoded is refused, a tombstone is not', () => {
    const raw = { topic: 't', key: null, value: new Uint8Array([1]), timestampMs: 1 };
    expect(() => mask({}, event(null, { raw }))).toThrow(/was not decoded/);
    const tombstone = event(null, { op: 'd', raw: { ...raw, value: null } });
    expect(mask({}, tombstone)).toBe(tombstone);
  });

  it('of another table, or without the field, passes as it is', () => {
    const other = event({ ssn: 'a' }, { table: table('other') }),
      without = event({ id: 1 }, { table: table('people') }),
      truncate = event(null, { op: 't' });
    expect(masking({ tables: ['public.people'] }).transform([other, without, truncate])).toEqual([other, without, truncate]);
    expect(other.after).toEqual({ ssn: 'a' });
  });
});

describe('nested fields', () => {
  const cases: [string, string[], Row, Row][] = [
    ['in an object', ['a.b'], { a: { b: 'x', c: 'y' } }, { a: { b: '****', c: 'y' } }],
    ['in each element of a list', ['a.b'], { a: [{ b: 'x' }, { b: null }, { c: 'y' }] }, { a: [{ b: '****' }, { b: null }, { c: 'y' }] }],
    [
      'that are objects, in all their parts',
      ['a'],
      { a: { b: 'x', c: { d: ['y', 1, true] } } },
      { a: { b: '****', c: { d: ['****', null, null] } } },
    ],
    ['of a column whose name has a dot', ['a.b'], { 'a.b': 'x', a: { b: 'y' } }, { 'a.b': '****', a: { b: '****' } }],
    ['of keys with dots', ['a.b.c'], { a: { 'b.c': 'x' } }, { a: { 'b.c': '****' } }],
    ['below something that is no object: all of it', ['a.b'], { a: '{"b":"x"}' }, { a: '****' }],
    ['below null', ['a.b'], { a: null }, { a: null }],
    ['that are absent', ['a.b.c'], { a: { x: 1 } }, { a: { x: 1 } }],
  ];
  it.each(cases)('%s', (_title, fields, row, expected) => {
    expect(masked({ mask_fields: fields }, row)).toEqual(expected);
  });
});

describe('values that are no text', () => {
  const cases: [Column, Row[string]][] = [
    [column('ssn', 'int32'), 123456789],
    [column('ssn', 'int64'), 123456789n],
    [column('ssn', 'boolean'), true],
    [column('ssn', 'bytes'), new Uint8Array([1])],
    [column('ssn', 'decimal'), '12.30'],
    [column('ssn', 'date'), '2000-01-01'],
    [column('ssn', 'uuid'), '5f0cbb5e-2b5c-4f0e-9f10-3a3f3c1f1f11'],
    [column('ssn', 'any'), 5],
  ];
  it.each(cases)('%o become null, or fail on demand without telling the value', (col, value) => {
    expect(masked({}, { ssn: value }, [col])).toEqual({ ssn: null });
    const error = thrown(() => masked({ other_types: 'fail' }, { ssn: value }, [col]));
    expect(error).toMatchObject({ code: 'PLUGIN_FAILED', message: expect.stringContaining('"ssn" is no text') });
    expect(JSON.stringify(error)).not.toMatch(/12345|12\.30|2000-01|5f0cbb/);
    expect(masked({ other_types: 'fail' }, { ssn: null }, [col])).toEqual({ ssn: null });
  });

  it('in lists of texts are masked one by one', () => {
    expect(masked({}, { ssn: ['a', null] }, [column('ssn', 'array', { element: 'string' })])).toEqual({ ssn: ['****', null] });
    expect(masked({}, { ssn: ['1.0'] }, [column('ssn', 'array', { element: 'decimal' })])).toEqual({ ssn: [null] });
  });

  it('are not made from texts: a masked text fits the length of its column', () => {
    expect(masked({ strategy: 'hash', key: KEY }, { ssn: 'x' }, [column('ssn', 'string', { length: 11 })])).toEqual({
      ssn: hashOf('x').slice(0, 11),
    });
  });
});

describe('key columns', () => {
  const cases: [string, Partial<MaskingConfig>, Column, Row[string]][] = [
    ['with a pattern', {}, column('ssn', 'string'), 'a'],
    ['with partial', { strategy: 'partial' }, column('ssn', 'string'), 'a'],
    ['with redact', { strategy: 'redact' }, column('ssn', 'string'), 'a'],
    ['that are numbers', { strategy: 'hash', key: KEY }, column('ssn', 'int64'), 5n],
    ['that are too short for a hash', { strategy: 'hash', key: KEY }, column('ssn', 'string', { length: 11 }), 'a'],
    ['of any type that hold a number', { strategy: 'hash', key: KEY }, column('ssn', 'any'), 5],
    ['of which a part is masked', { mask_fields: ['ssn.part'] }, column('ssn', 'json'), { part: 'a' }],
  ];
  it.each(cases)('%s are refused, because rows would become one', (_title, config, col, value) => {
    const e = event({ ssn: value }, { table: table('people', [col], ['ssn']) });
    expect(() => mask(config, e)).toThrow(/would make different rows one/);
    expect(e.after).toEqual({ ssn: value });
  });

  it('of records without a table schema are refused too', () => {
    const e = event({ id: 1 }, { table: table('topic', [], []), key: { ssn: 'a' } });
    expect(() => mask({}, e)).toThrow(/would make different rows one/);
  });
});

describe('configuration', () => {
  const cases: [Partial<MaskingConfig>, RegExp][] = [
    [{ strategy: 'hash' }, /needs a key/],
    [{ strategy: 'hash', key: 'short' }, /has 5 characters/],
    [{ strategy: 'pattern', key: KEY }, /uses no key/],
  ];
  it.each(cases)('%o is a problem', (config, message) => {
    expect(descriptor.validate?.(withDefaults<MaskingConfig>(configSchema, { mask_fields: ['a'], ...config }))).toMatchObject([
      { message: expect.stringMatching(message), fix: expect.any(String) },
    ]);
  });

  it('of the design document is accepted', () => {
    expect(
      descriptor.validate?.(
        withDefaults<MaskingConfig>(configSchema, { mask_fields: ['ssn', 'credit_card'], mask_pattern: '***-**-****' }),
      ),
    ).toEqual([]);
  });

  it('that names a field which no event had is reported at the end', async () => {
    const warnings: unknown[] = [];
    const one = masking(
      { mask_fields: ['ssn', 'sssn'] },
      {
        ...silentLogger,
        warn: (_message, fields) => {
          warnings.push(fields);
        },
      },
    );
    one.transform([event({ ssn: 'a' })]);
    await one.close();
    expect(warnings).toEqual([{ fields: ['sssn'] }]);
  });

  it('is not suspected in a run without rows', async () => {
    const warnings: unknown[] = [];
    const one = masking(
      {},
      {
        ...silentLogger,
        warn: (message) => {
          warnings.push(message);
        },
      },
    );
    one.transform([event(null, { op: 't' })]);
    await one.close();
    expect(warnings).toEqual([]);
  });
});

describe('columns that are declared as hidden', () => {
  const cases: [string, Partial<MaskingConfig>, ChangeEvent, string[]][] = [
    ['those that are there', { mask_fields: ['ssn', 'card', 'none'] }, event({ id: 1, ssn: 'x', card: 1 }), ['ssn', 'card']],
    ['the whole column of a part', { mask_fields: ['address.street'] }, event({ id: 1, address: { street: 'x', city: 'y' } }), ['address']],
    ['of a delete those of its old row', {}, event(null, { op: 'd', before: { id: 1, ssn: 'x' } }), ['ssn']],
    ['none in other tables', { tables: ['people'] }, event({ ssn: 'x' }), []],
    [
      'all of a record that nobody decoded',
      { mask_fields: ['ssn', 'a.b'] },
      event(null, { raw: { topic: 't', key: null, value: new Uint8Array([1]), timestampMs: 1 } }),
      ['ssn', 'a.b'],
    ],
  ];
  it.each(cases)('are %s', (_title, config, e, expected) => {
    expect((masking(config) as Transformer).sensitive?.(e)).toEqual(expected);
  });
});

function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}
