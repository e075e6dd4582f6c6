// Debezium's recorded output and ours in one form for comparing: what differs from run to run is blanked, all else is kept, the
// order of members included. The rules are in test/fixtures/envelope/debezium-postgresql/README.md.

import { readFileSync } from 'node:fs';
import { jsonValue } from '../../src/envelope/json.ts';
import { parseJson } from '../../src/envelope/parse-json.ts';
import type { EncodedBatch, Value } from '../../src/sdk/index.ts';

export type Json = { [key: string]: Value };

const VOLATILE = new Set(['ts_ms', 'ts_us', 'ts_ns', 'lsn', 'txId', 'xmin', 'sequence', 'version']);
const isObject = (v: Value | undefined): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Transaction ids: which records share one is kept. */
export class Normalizer {
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

/** The lines of a fixture. */
export function recordedLines(file: string): string[] {
  const url = new URL(`../fixtures/envelope/debezium-postgresql/${file}.ndjson`, import.meta.url);
  return readFileSync(url, 'utf8').trimEnd().split('\n');
}

export function recorded(file: string): string[] {
  const normalizer = new Normalizer();
  return recordedLines(file).map((line) => {
    const { topic, key, value } = parseJson(Buffer.from(line), 'a fixture') as Json;
    return normalizer.record(topic as string, key as Value, value as Value);
  });
}

export function normalized(batch: EncodedBatch): string[] {
  const normalizer = new Normalizer();
  const parse = (bytes: Uint8Array | null | undefined): Value => (bytes ? parseJson(bytes, 'a record') : null);
  return batch.topic.map((topic, i) => normalizer.record(topic, parse(batch.key[i]), parse(batch.value[i])));
}

/** The settings of the recorded files, as options of ours; `truncates`: without them Debezium leaves truncates out. */
export const GOLDEN_CASES = [
  { file: 'default', options: {}, truncates: false },
  { file: 'strings', options: { decimal_handling_mode: 'string', time_precision_mode: 'connect' }, truncates: false },
  { file: 'isostring', options: { decimal_handling_mode: 'string', time_precision_mode: 'isostring' }, truncates: false },
  { file: 'schemas', options: { schemas: true }, truncates: false },
  { file: 'tx', options: { provide_transaction_metadata: true }, truncates: true },
] as const;
