// Debezium's records in JSON. With `schemas.enable` each one carries its schema, which is larger than the row and nearly always
// that of the record before it: then its bytes are compared, and only the payload is read.

import { changeOf, type RowShape, rowShape, UNTYPED, unwrap } from '../envelope/debezium/decode.ts';
import { member, type ReadRow, rowReader } from '../envelope/debezium/decode-value.ts';
import type { DecodedRecord } from '../envelope/envelope.ts';
import { jsonValue } from '../envelope/json.ts';
import { asRow, hasLongNumber, parseJson } from '../envelope/parse-json.ts';
import type { Column, Row, Value } from '../sdk/index.ts';
import { type DebeziumTypes, shapesOf } from './debezium-types.ts';

const VALUE = 'the value of a debezium record',
  KEY = 'the key of a debezium record';
const asItIs = rowReader(undefined);

export class DebeziumJson {
  readonly #values = new SchemaCache<RowShape>(rowShape, UNTYPED, VALUE);
  readonly #keys = new SchemaCache<ReadRow>(rowReader, asItIs, KEY);
  /** Of records without a schema. */
  readonly #given: ReadonlyMap<string, RowShape>;

  constructor(types: DebeziumTypes = {}) {
    this.#given = shapesOf(types);
  }

  /** `null`: the message tells of no change. Throws `SOURCE_DATA_INVALID`. */
  change(topic: string, value: Uint8Array, key: Uint8Array | null): { record: DecodedRecord; columns: readonly Column[] } | null {
    const { made, payload } = this.#values.read(topic, value),
      shape = made === UNTYPED ? this.#givenFor(payload) : made;
    const record = changeOf(payload, shape, this.#key(topic, key, shape));
    return record === null ? null : { record, columns: shape.columns };
  }

  #key(topic: string, key: Uint8Array | null, shape: RowShape): Row | null {
    if (key === null) return null;
    const { made: read, payload } = this.#keys.read(topic, key),
      row = asRow(payload, 'the key');
    return read === asItIs ? shape.after(row) : read(row);
  }

  /** What the user says of the table that the record names. */
  #givenFor(payload: Value | undefined): RowShape {
    if (this.#given.size === 0) return UNTYPED;
    const source = member(payload, 'source'),
      space = member(source, 'schema') ?? member(source, 'db'),
      table = member(source, 'table');
    return this.#given.get(`${String(space)}.${String(table)}`) ?? this.#given.get(String(table)) ?? UNTYPED;
  }
}

interface Known<T> {
  /** From the first byte of the message to the last one of the schema. */
  readonly head: Buffer;
  readonly made: T;
}

/** What is made of schemas: the last one of each topic, by its bytes. */
class SchemaCache<T> {
  readonly #make: (schema: Value) => T;
  readonly #none: T;
  readonly #what: string;
  readonly #known = new Map<string, Known<T>>();
  /** By its text, for messages that are written in another way: the same schema gives the same columns. */
  readonly #made = new Map<string, { readonly text: string; readonly made: T }>();

  constructor(make: (schema: Value) => T, none: T, what: string) {
    this.#make = make;
    this.#none = none;
    this.#what = what;
  }

  read(topic: string, bytes: Uint8Array): { readonly made: T; readonly payload: Value | undefined } {
    const known = this.#known.get(topic);
    if (known !== undefined && startsWith(bytes, known.head)) {
      const payload = payloadBehind(bytes, known.head.length);
      if (payload !== null) return { made: known.made, payload: parseJson(payload, this.#what, needsDigits) };
    }
    const { schema, payload } = unwrap(parseJson(bytes, this.#what, needsDigits));
    if (schema === undefined) return { made: this.#none, payload };
    const made = this.#of(topic, schema),
      end = schemaEnd(bytes);
    if (end !== null) this.#known.set(topic, { head: Buffer.from(bytes.subarray(0, end)), made });
    return { made, payload };
  }

  #of(topic: string, schema: Value): T {
    const text = jsonValue(schema),
      known = this.#made.get(topic);
    if (known?.text === text) return known.made;
    const made = this.#make(schema);
    this.#made.set(topic, { text, made });
    return made;
  }
}

const SOURCE = ',"source":{',
  TIMES = /,"ts_[un]s":\d+/g;

/**
 * Every record has times in nanoseconds, which are beyond 2^53 and which nobody reads: only for what stands before its `source` block,
 * the rows, the slow way is worth it. A quote within a text is escaped, so this is always the name of a member; the last one is that
 * of the record, unless rows follow.
 */
export function needsDigits(text: string): boolean {
  const at = text.lastIndexOf(SOURCE);
  if (at < 0) return hasLongNumber(text);
  const behind = text.slice(at);
  if (behind.includes('"before":') || behind.includes('"after":')) return hasLongNumber(text);
  return hasLongNumber(text.slice(0, at)) || hasLongNumber(behind.replace(TIMES, ''));
}

const START = Buffer.from('{"schema":'),
  PAYLOAD = Buffer.from(',"payload":');
const QUOTE = 0x22,
  BACKSLASH = 0x5c,
  OPEN = 0x7b,
  CLOSE = 0x7d;

function startsWith(bytes: Uint8Array, head: Uint8Array): boolean {
  return bytes.length > head.length && Buffer.compare(bytes.subarray(0, head.length), head) === 0;
}

/** `…,"payload":{…}}` → the payload; `null`: it is written in another way. */
function payloadBehind(bytes: Uint8Array, end: number): Uint8Array | null {
  if (!startsWith(bytes.subarray(end), PAYLOAD) || bytes[bytes.length - 1] !== CLOSE) return null;
  return bytes.subarray(end + PAYLOAD.length, bytes.length - 1);
}

/** Where the schema of `{"schema":{…},"payload":…}` ends; `null`: it is written in another way. The bytes are JSON. */
function schemaEnd(bytes: Uint8Array): number | null {
  if (!startsWith(bytes, START) || bytes[START.length] !== OPEN) return null;
  let depth = 0,
    isText = false;
  for (let i = START.length; i < bytes.length; i++) {
    const byte = bytes[i];
    if (isText && byte === BACKSLASH) i++;
    else if (byte === QUOTE) isText = !isText;
    else if (!isText && byte === OPEN) depth++;
    else if (!isText && byte === CLOSE && --depth === 0) return startsWith(bytes.subarray(i + 1), PAYLOAD) ? i + 1 : null;
  }
  return null;
}
