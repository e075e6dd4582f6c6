// Compatible mode against Debezium's recorded output: same records, same members in the same order, same values.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createEnvelope } from '../../../src/envelope/create.ts';
import { jsonValue } from '../../../src/envelope/json.ts';
import { parseJson } from '../../../src/envelope/parse-json.ts';
import type { EncodedBatch, Value } from '../../../src/sdk/index.ts';
import { goldenEvents, goldenFields } from './golden-events.ts';

type Json = { [key: string]: Value };
const VOLATILE = new Set(['ts_ms', 'ts_us', 'ts_ns', 'lsn', 'txId', 'xmin', 'sequence', 'version']);
const isObject = (v: Value | undefined): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v);

/** The rules of the fixture's README. Transaction ids: which records share one is kept. */
class Normalizer {
  readonly #ids = new Map<string, string>();

  #id(id: Value | undefined): Value {
    if (typeof id !== 'string') return id ?? null;
    if (!this.#ids.has(id)) this.#ids.set(id, `tx${this.#ids.size + 1}`);
    return this.#ids.get(id) as string;
  }

  #value(v: Value): Value {
    if (!isObject(v)) return v;
    if ('schema' in v && 'payload' in v) return { schema: v.schema as Value, payload: this.#value(v.payload as Value) };
    const isEvent = 'source' in v,
      isBoundary = 'status' in v,
      out: Json = {};
    for (const [name, x] of Object.entries(v)) {
      if ((isEvent && ['ts_ms', 'ts_us', 'ts_ns'].includes(name)) || (isBoundary && name === 'ts_ms')) out[name] = '*';
      else if (name === 'source' && isObject(x))
        out[name] = Object.fromEntries(Object.entries(x).map(([k, y]) => [k, VOLATILE.has(k) && y !== null ? '*' : y]));
      else if (name === 'transaction' && isObject(x)) out[name] = { ...x, id: this.#id(x.id) };
      else if (name === 'id' && isBoundary) out[name] = this.#id(x);
      else out[name] = x;
    }
    return out;
  }

  record(topic: string, key: Value, value: Value): string {
    const normal = this.#value(value);
    const shownKey = topic.endsWith('.transaction') && isObject(key) ? { id: this.#id(key.id) } : key;
    // Text, not objects: the order of members is part of the format.
    return jsonValue({ topic, key: shownKey, value: normal });
  }
}

function recorded(file: string): string[] {
  const normalizer = new Normalizer(),
    url = new URL(`../../fixtures/envelope/debezium-postgresql/${file}.ndjson`, import.meta.url);
  return readFileSync(url, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { topic, key, value } = parseJson(Buffer.from(line), 'a fixture') as Json;
      return normalizer.record(topic as string, key as Value, value as Value);
    });
}

function ours(options: Record<string, unknown>, truncates: boolean): { lines: string[]; batch: EncodedBatch } {
  const envelope = createEnvelope(
    { type: 'debezium', options: { compatible: true, ...options } },
    {
      pipeline: 'golden',
      version: '0.1.0',
      now: () => 1_795_242_997_141,
      sources: { golden: { connector: 'postgresql', database: 'golden', fields: goldenFields } },
    },
  );
  const normalizer = new Normalizer(),
    batch = envelope.encode(goldenEvents({ truncates }));
  const parse = (bytes: Uint8Array | null | undefined): Value => (bytes ? parseJson(bytes, 'a record') : null);
  const lines = batch.topic.map((topic, i) => normalizer.record(topic, parse(batch.key[i]), parse(batch.value[i])));
  return { lines, batch };
}

const CASES = [
  { file: 'default', options: {}, truncates: false },
  { file: 'strings', options: { decimal_handling_mode: 'string', time_precision_mode: 'connect' }, truncates: false },
  { file: 'isostring', options: { decimal_handling_mode: 'string', time_precision_mode: 'isostring' }, truncates: false },
  { file: 'schemas', options: { schemas: true }, truncates: false },
  { file: 'tx', options: { provide_transaction_metadata: true }, truncates: true },
];

describe('compatible mode writes what Debezium wrote', () => {
  test.each(CASES)('$file.ndjson', ({ file, options, truncates }) => {
    const expected = recorded(file),
      { lines } = ours(options, truncates);
    for (const [i, line] of expected.entries()) expect(lines[i], `record ${i + 1}`).toBe(line);
    expect(lines).toHaveLength(expected.length);
  });

  // Numbers too are written as Debezium does: `0.0`, `3.4028235E38`. Only its escapes of emoji are not kept.
  test('rows are equal byte for byte', () => {
    const rowsOf = (line: string): string => /"before":.*?,"source":\{/.exec(line)?.[0] ?? '';
    const url = new URL('../../fixtures/envelope/debezium-postgresql/default.ndjson', import.meta.url);
    const lines = readFileSync(url, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => rowsOf(line).replace('\\uD83D\\uDE80', '🚀'));
    expect(lines.filter((line) => line !== '')).toHaveLength(25);
    expect(ours({}, false).batch.value.map((bytes) => rowsOf(bytes === null ? '' : Buffer.from(bytes).toString()))).toEqual(lines);
  });

  test('ties the two records of a change of key together by headers', () => {
    const { batch } = ours({}, false);
    const at = batch.headers.findIndex((h) => h !== null && '__debezium.newkey' in h);
    expect(batch.headers.slice(at, at + 3)).toEqual([
      { '__debezium.newkey': '{"id":20}' },
      { '__debezium.newkey': '{"id":20}' },
      { '__debezium.oldkey': '{"id":10}' },
    ]);
    expect(new Set(batch.event.slice(at, at + 3)).size).toBe(1);
  });
});
