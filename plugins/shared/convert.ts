// Values as another type, without loss or not at all: what was converted can be converted back. Pure.
//
// | from | to | |
// |---|---|---|
// | `"12"` | int32 | 12; `"012"`, `"+12"` and `"12.5"` are errors |
// | decimal `"12.00"` | int32 | 12 |
// | `"0.1"` | float64 | 0.1, because 0.1 is written with the same digits; `"0.1000000000000000001"` is an error |
// | `"1.5"` | decimal(10,2) | `"1.50"`; `"1.555"` is an error |
// | `2024-05-01T00:00:00` | date | 2024-05-01; with any other time of day an error |
// | `2024-05-01T12:00:00+02:00` | timestamptz | 2024-05-01T10:00:00Z |

import { type Column, JsonText, type Value } from 'cdc-run/sdk';
import type { WantedType } from './column-type.ts';
import { type Decimal, digitsOf, formatDecimal, isSameNumber, parseDecimal, rescale } from './number-text.ts';
import { toDate, toTimestamp, toTimestamptz } from './time-text.ts';
import { Unconvertible } from './unconvertible.ts';

export type Convert = (value: Value) => Value;

/**
 * Converts values of a column (`null`: of unknown type) to `wanted`. NULL stays NULL. `isKey`: only what is written the same way
 * again, since `1.5` and `1.50` may be two keys. Throws `Unconvertible`, which names no value.
 */
export function converter(wanted: WantedType, from: Column | null, isKey: boolean): Convert {
  // Decimals are numbers, whatever their zeros: `12.00` is 12.
  const isText = from?.type !== 'decimal' || isKey,
    convert = BY_TYPE[wanted.type];
  return (value) => {
    if (value === null) return null;
    const given = value instanceof JsonText && wanted.type !== 'json' && wanted.type !== 'string' ? scalarOf(value) : value;
    return given === null ? null : convert(given, wanted, { isText, isKey });
  };
}

interface How {
  /** Texts are texts: their zeros count. */
  readonly isText: boolean;
  readonly isKey: boolean;
}
type Given = Exclude<Value, null>;
type To = (value: Given, wanted: WantedType, how: How) => Value;

const INT_LIMITS = { int16: 1n << 15n, int32: 1n << 31n, int64: 1n << 63n } as const;

const BY_TYPE: { readonly [T in WantedType['type']]: To } = {
  boolean: toBoolean,
  int16: (value, _, how) => Number(toInteger(value, INT_LIMITS.int16, how)),
  int32: (value, _, how) => Number(toInteger(value, INT_LIMITS.int32, how)),
  int64: (value, _, how) => toInteger(value, INT_LIMITS.int64, how),
  float64: toFloat,
  decimal: toDecimal,
  string: toText,
  date: (value, _, { isKey }) => toDate(textOf(value), isKey),
  timestamp: (value, { unit }, { isKey }) => toTimestamp(numberOrText(value), unit, isKey),
  timestamptz: (value, { unit }, { isKey }) => toTimestamptz(numberOrText(value), unit, isKey),
  uuid: toUuid,
  json: toJson,
};

/** A document that is one value: `12`, `"a"`, `true`. Numbers keep their digits. */
function scalarOf(json: JsonText): Value {
  const text = json.text.trim();
  if (/^-?\d/.test(text)) return text;
  const value = json.parse() as Value;
  if (typeof value === 'object' && value !== null) throw new Unconvertible('it is a JSON object or list');
  return value;
}

function textOf(value: Given): string {
  if (typeof value !== 'string') throw new Unconvertible(`it is ${nameOf(value)}`);
  return value;
}

const numberOrText = (value: Given): string | number | bigint =>
  typeof value === 'number' || typeof value === 'bigint' ? value : textOf(value);

function nameOf(value: Given): string {
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'object') return 'an object or a list';
  return typeof value === 'bigint' ? 'a number' : `a ${typeof value}`;
}

function toBoolean(value: Given): Value {
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === 1 || value === 1n) return true;
  if (value === 'false' || value === 0 || value === 0n) return false;
  throw new Unconvertible('it is none of true, false, 1 and 0');
}

function decimalOf(value: Given): Decimal {
  if (typeof value === 'boolean') return { unscaled: value ? 1n : 0n, scale: 0 };
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'string')
    throw new Unconvertible(`it is ${nameOf(value)}`);
  const decimal = parseDecimal(String(value));
  if (decimal === null) throw new Unconvertible('it is no number, or has signs that a number does not keep');
  return decimal;
}

function toInteger(value: Given, limit: bigint, { isText }: How): bigint {
  const whole = rescale(decimalOf(value), 0);
  if (whole === null) throw new Unconvertible('it has digits after the point');
  if (whole.unscaled < -limit || whole.unscaled >= limit) throw new Unconvertible('it is too large');
  if (isText && typeof value === 'string' && String(whole.unscaled) !== value) throw new Unconvertible('it is written in another way');
  return whole.unscaled;
}

function toFloat(value: Given, _: WantedType, { isKey }: How): Value {
  if (typeof value === 'number') return value;
  const exact = decimalOf(value),
    float = Number(formatDecimal(exact)),
    back = parseDecimal(String(float));
  if (back === null || !isSameNumber(exact, back)) throw new Unconvertible('it has more digits than a float64 keeps');
  if (isKey && typeof value === 'string' && String(float) !== value) throw new Unconvertible('it is written in another way');
  return float;
}

function toDecimal(value: Given, { precision, scale }: WantedType, { isKey }: How): Value {
  const exact = decimalOf(value),
    scaled = scale === null ? exact : rescale(exact, scale);
  if (scaled === null) throw new Unconvertible(`it has more than ${scale} digits after the point`);
  if (precision !== null && digitsOf(scaled) > precision && scaled.unscaled !== 0n)
    throw new Unconvertible(`it has more than ${precision} digits`);
  const text = formatDecimal(scaled);
  if (isKey && typeof value === 'string' && text !== value) throw new Unconvertible('it is written in another way');
  return text;
}

function toText(value: Given): Value {
  if (value instanceof JsonText) return value.text;
  if (value instanceof Uint8Array) throw new Unconvertible('it is bytes');
  return typeof value === 'object' ? jsonOf(value) : String(value);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function toUuid(value: Given, _: WantedType, { isKey }: How): Value {
  const text = textOf(value),
    lower = text.toLowerCase();
  if (!UUID.test(lower) || (isKey && lower !== text)) throw new Unconvertible('it is no UUID as PostgreSQL writes it');
  return lower;
}

function toJson(value: Given): Value {
  if (value instanceof JsonText) return value;
  if (typeof value === 'string') {
    try {
      JSON.parse(value);
    } catch {
      throw new Unconvertible('it is no JSON document');
    }
    return new JsonText(value);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Unconvertible('JSON has no such number');
  if (value instanceof Uint8Array) throw new Unconvertible('it is bytes');
  return typeof value === 'object' ? value : new JsonText(String(value));
}

/** Whole numbers keep their digits; bytes have no form in JSON that says what they are. */
function jsonOf(value: Value): string {
  if (value instanceof JsonText) return value.text;
  if (value instanceof Uint8Array) throw new Unconvertible('it holds bytes');
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Unconvertible('JSON has no such number');
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value as { readonly [key: string]: Value })
    .map(([name, item]) => `${JSON.stringify(name)}:${jsonOf(item)}`)
    .join(',')}}`;
}
