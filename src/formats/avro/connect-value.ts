// Values as Kafka Connect has them → Avro bytes: from the JSON that the envelopes write, so that both say the same.

import type { ConnectSchema } from '../../envelope/debezium/connect-schema.ts';
import type { DebeziumType } from '../../envelope/debezium/types.ts';
import { integer } from '../../envelope/debezium/write.ts';
import { jsonValue } from '../../envelope/json.ts';
import type { Row, Value } from '../../sdk/index.ts';
import { parseJson } from '../json-lossless.ts';
import { Unfit } from '../unfit.ts';
import { type Sink, writeBoolean, writeBytes, writeDouble, writeFloat, writeLong, writeString } from './binary.ts';
import { avroOfConnect } from './connect-schema.ts';
import { unscaledBytes } from './decimals.ts';
import { parseAvro } from './schema.ts';
import { type Writer, writerOf } from './writer.ts';

/** Writes a value that is not null, or answers `false` with nothing written: the envelope shows NULL for it. */
export type ConnectWriter = (out: Sink, value: Value) => boolean;

const DECIMAL = 'org.apache.kafka.connect.data.Decimal';
const LEAST: Readonly<Record<string, bigint>> = { int16: -0x8000n, int32: -0x8000_0000n, int64: -0x8000_0000_0000_0000n };

/** How a column is written: directly where its value is what Avro takes, else by the JSON of its type. */
export function columnWriter({ schema, write }: DebeziumType): ConnectWriter {
  const fromText = textWriter(schema);
  const general: ConnectWriter = (out, value) => {
    const text = write(value);
    if (text === 'null') return false;
    fromText(out, text);
    return true;
  };
  const direct = directWriter(schema, write);
  return direct === null ? general : (out, value) => direct(out, value) || general(out, value);
}

/** `false`, with nothing written: the value needs the general way. */
function directWriter({ type, name, parameters }: ConnectSchema, write: DebeziumType['write']): ConnectWriter | null {
  if (write === integer && (type === 'int16' || type === 'int32'))
    return (out, value) => typeof value === 'number' && (value | 0) === value && put(() => writeLong(out, value));
  if (write === integer && type === 'int64') {
    const least = LEAST['int64'] as bigint;
    return (out, value) => typeof value === 'bigint' && value >= least && value < -least && put(() => writeLong(out, value));
  }
  if (type === 'boolean' && write === jsonValue) return (out, value) => typeof value === 'boolean' && put(() => writeBoolean(out, value));
  if (type === 'double') return (out, value) => typeof value === 'number' && put(() => writeDouble(out, value));
  if (type === 'float') return (out, value) => typeof value === 'number' && put(() => writeFloat(out, value));
  if (type === 'string' && write === jsonValue) return (out, value) => typeof value === 'string' && put(() => writeString(out, value));
  if (type === 'bytes' && write === jsonValue) return (out, value) => value instanceof Uint8Array && put(() => writeBytes(out, value));
  if (name === DECIMAL) {
    const scale = Number(parameters?.['scale'] ?? 0);
    return (out, value) => typeof value === 'string' && isPlainDecimal(value) && put(() => writeBytes(out, unscaledBytes(value, scale)));
  }
  return null;
}

function put(write: () => void): true {
  write();
  return true;
}

const isPlainDecimal = (text: string): boolean => /^-?[0-9]+(\.[0-9]+)?$/.test(text);

/** From the JSON of a value that is not null. */
function textWriter(schema: ConnectSchema): (out: Sink, text: string) => void {
  switch (schema.type) {
    case 'int16':
    case 'int32':
    case 'int64': {
      const least = LEAST[schema.type] as bigint;
      return (out, text) => writeLong(out, wholeOf(text, least));
    }
    case 'string':
      return (out, text) => writeString(out, stringOf(text));
    case 'bytes':
      return (out, text) => writeBytes(out, Buffer.from(stringOf(text), 'base64'));
    case 'boolean':
      return (out, text) => {
        if (text !== 'true' && text !== 'false') throw new Unfit('', 'expected a boolean');
        writeBoolean(out, text === 'true');
      };
    case 'float':
      return (out, text) => writeFloat(out, doubleOf(text));
    case 'double':
      return (out, text) => writeDouble(out, doubleOf(text));
    default: {
      const write = valueWriter(schema);
      return (out, text) => write(out, parseJson(text));
    }
  }
}

function wholeOf(text: string, least: bigint): number | bigint {
  if (!/^-?[0-9]{1,19}$/.test(text)) throw new Unfit('', 'expected a whole number');
  const n = text.length <= 15 ? Number(text) : BigInt(text);
  if (n < least || n >= -least) throw new Unfit('', 'the number has more bits than its type');
  return n;
}

function stringOf(json: string): string {
  if (!json.startsWith('"')) throw new Unfit('', 'expected a text');
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
}

/** NaN and Infinity are texts in JSON. */
function doubleOf(text: string): number {
  const n = Number(text.startsWith('"') ? stringOf(text) : text);
  if (Number.isNaN(n) && text !== '"NaN"') throw new Unfit('', 'expected a number');
  return n;
}

/** From parsed JSON, null where the schema allows it. */
export function valueWriter(schema: ConnectSchema): Writer {
  const write = writerOf(parseAvro(JSON.stringify(avroOfConnect(schema))));
  return (out, json) => write(out, typedValue(schema, json));
}

/** What JSON has no types for. */
function typedValue(schema: ConnectSchema, json: Value): Value {
  if (json === null) return null;
  switch (schema.type) {
    case 'bytes':
      return typeof json === 'string' ? new Uint8Array(Buffer.from(json, 'base64')) : json;
    case 'float':
    case 'double':
      return typeof json === 'string' ? doubleOf(JSON.stringify(json)) : Number(json);
    case 'array':
      return Array.isArray(json) ? (json as Value[]).map((item) => typedValue(schema.items as ConnectSchema, item)) : json;
    case 'struct': {
      const row: Row = { ...(json as Row) };
      for (const field of schema.fields ?? [])
        if (Object.hasOwn(row, field.field)) row[field.field] = typedValue(field, row[field.field] as Value);
      return row;
    }
    default:
      return json;
  }
}

/** A schema as it stands in JSON: its defaults are values there, and texts of JSON here. */
export function connectOfJson(json: Row): ConnectSchema {
  const { fields, items, keys, values, default: fallback, ...rest } = json;
  return {
    ...(rest as unknown as ConnectSchema),
    ...(Array.isArray(fields) ? { fields: (fields as Row[]).map((f) => ({ ...connectOfJson(f), field: String(f['field']) })) } : {}),
    ...(items === undefined ? {} : { items: connectOfJson(items as Row) }),
    ...(keys === undefined ? {} : { keys: connectOfJson(keys as Row) }),
    ...(values === undefined ? {} : { values: connectOfJson(values as Row) }),
    ...(fallback === undefined ? {} : { default: jsonValue(fallback) }),
  };
}
