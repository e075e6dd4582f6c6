// JSON in its source's text, wherever values go: nowhere may it turn into an object that holds a text.

import { describe, expect, it } from 'vitest';
import { configSchema as maskingSchema } from '../../../plugins/transformers/data-masking/config.ts';
import { descriptor as masking } from '../../../plugins/transformers/data-masking/index.ts';
import { compileCondition } from '../../../plugins/transformers/filter/expression.ts';
import { decodeValue, encodeValue } from '../../../src/dead-letters/value-codec.ts';
import { jsonValue } from '../../../src/envelope/json.ts';
import { stringifyJson } from '../../../src/formats/json-lossless.ts';
import { decodeFrame, encodeFrame } from '../../../src/log/disk/record.ts';
import { jsonText as postgresText } from '../../../src/relational/values.ts';
import { type ChangeEvent, JsonText, type Row, sameValue, type Transformer } from '../../../src/sdk/index.ts';
import { context, event, table, withDefaults } from '../plugins/events.ts';

const TEXT = '{"b":  1.10, "n": 12345678901234567890, "card": {"no": "4111"}, "list": [{"no": "1"}, 2]}';
const json = new JsonText(TEXT);

describe('JSON in its source’s text', () => {
  it.each([
    ['the disk log', decodeFrame(encodeFrame({ v: json })).value, { v: json }],
    ['a dead letter', decodeValue(JSON.parse(JSON.stringify(encodeValue([json]))) as never), [json]],
  ])('comes back from %s as it was', (_, back, original) => {
    expect(back).toStrictEqual(original);
    expect(JSON.stringify(back)).toContain('"4111"');
  });

  it.each([
    ['an envelope', jsonValue(json)],
    ['a CSV file', stringifyJson(json)],
    ['a JSON column of PostgreSQL', postgresText(json)],
  ])('goes into %s with all its digits and spaces', (_, text) => {
    expect(text).toBe(TEXT);
  });

  it('is equal where its text is', () => {
    expect([sameValue(json, new JsonText(TEXT)), sameValue(json, new JsonText('{}'))]).toEqual([true, false]);
  });

  it('can be looked into by an expression', () => {
    const holds = (expression: string): boolean => compileCondition(expression)(event({ id: 1, v: json }));
    expect(holds('row.v.card.no == "4111"')).toBe(true);
    expect(holds('after.v.b > 2')).toBe(false);
    expect(holds('key.id == 1')).toBe(true);
  });

  it('is masked inside, and left as it is where nothing is', () => {
    const masked = (fields: readonly string[]): unknown => {
      const config = withDefaults<never>(maskingSchema, { mask_fields: fields });
      const transformer = masking.create(config, context) as Transformer;
      const row: Row = { id: 1, v: json, w: new JsonText('"4111"'), x: new JsonText('null') };
      const columns = ['v', 'w', 'x'].map((name) => ({ name, type: 'json', nativeType: 'jsonb', nullable: true }) as const);
      return (transformer.transform([event(row, { table: table('t', columns) })]) as ChangeEvent[])[0]?.after;
    };
    expect(masked(['v.card.no', 'w', 'x'])).toEqual({
      id: 1,
      v: new JsonText('{"b":1.1,"n":12345678901234567000,"card":{"no":"****"},"list":[{"no":"1"},2]}'),
      w: new JsonText('"****"'),
      x: new JsonText('null'),
    });
    expect(masked(['v.list.no'])).toMatchObject({ v: new JsonText(expect.stringContaining('[{"no":"****"},') as never) });
    expect(masked(['v.other'])).toMatchObject({ v: json });
  });
});
