// Decimals in Debezium's modes. `numeric(12,2)` has one scale for all values, a bare `numeric` carries it in each value.

import type { Column, Value } from '../../sdk/index.ts';
import { atScale, base64OfShort, bytesOfInteger, formatDecimal, parseDecimal, shortUnscaled, stripZeros } from '../decimal.ts';
import { jsonString, jsonValue } from '../json.ts';
import type { ConnectSchema } from './connect-schema.ts';
import { javaDouble } from './number-text.ts';
import { PLACEHOLDER } from './placeholder.ts';
import type { DebeziumType } from './types.ts';

export type DecimalMode = 'precise' | 'double' | 'string';

/** `precision`: `null` where the type has a scale only (`money`). `scale`: `null` when each value has its own. */
interface Scale {
  readonly precision: number | null;
  readonly scale: number | null;
}

export function moneyOrDecimalScale(column: Column): Scale {
  if (column.precision === undefined && column.scale === undefined) return { precision: null, scale: null };
  return { precision: column.precision ?? null, scale: column.scale ?? 0 };
}

/** The server keeps a scale in 11 bits. Debezium takes them as unsigned: `numeric(3,-2)` has 2046 zeros. */
const NEGATIVE_SCALES = 2048;

const VARIABLE: ConnectSchema = {
  type: 'struct',
  fields: [
    { type: 'int32', field: 'scale' },
    { type: 'bytes', field: 'value' },
  ],
  name: 'io.debezium.data.VariableScaleDecimal',
  version: 1,
  doc: 'Variable scaled decimal',
};

export function decimalType(scale: Scale, mode: DecimalMode, compatible: boolean): DebeziumType {
  const fixed = compatible && scale.scale !== null && scale.scale < 0 ? scale.scale + NEGATIVE_SCALES : scale.scale;
  if (mode === 'double') return { schema: { type: 'double' }, write: writeDouble, zero: '0.0', unavailable: null };
  if (mode === 'string') {
    const zero = jsonString(formatDecimal({ unscaled: 0n, scale: fixed ?? 0 }));
    return {
      schema: { type: 'string' },
      write: !compatible ? jsonValue : fixed === scale.scale ? writePlain : (v) => writePadded(v, fixed),
      zero,
      unavailable: compatible ? jsonString(PLACEHOLDER) : null,
    };
  }
  if (fixed === null) {
    return { schema: VARIABLE, write: (value) => writeVariable(value, compatible), zero: '{"scale":0,"value":"AA=="}', unavailable: null };
  }
  const parameters = { scale: `${fixed}`, ...(scale.precision === null ? {} : { 'connect.decimal.precision': `${scale.precision}` }) };
  const schema: ConnectSchema = { type: 'bytes', name: 'org.apache.kafka.connect.data.Decimal', version: 1, parameters };
  return { schema, write: (value) => writeFixed(value, fixed, compatible), zero: '"AA=="', unavailable: null };
}

/** Debezium fails on NaN and Infinity in `precise` mode, logs it, and shows NULL. */
function unfit(value: Value, compatible: boolean): string {
  return compatible && typeof value === 'string' && /^-?(NaN|Infinity)$/.test(value) ? 'null' : jsonValue(value);
}

function writeFixed(value: Value, scale: number, compatible: boolean): string {
  const short = typeof value === 'string' ? shortUnscaled(value, scale) : Number.NaN;
  if (!Number.isNaN(short)) return `"${base64OfShort(short)}"`;
  const parsed = typeof value === 'string' ? parseDecimal(value) : null;
  const unscaled = parsed === null ? null : atScale(parsed, scale);
  return unscaled === null ? unfit(value, compatible) : `"${bytesOfInteger(unscaled).toString('base64')}"`;
}

function writeVariable(value: Value, compatible: boolean): string {
  const parsed = typeof value === 'string' ? parseDecimal(value) : null;
  if (parsed === null) return unfit(value, compatible);
  const { unscaled, scale } = stripZeros(parsed);
  return `{"scale":${scale},"value":"${bytesOfInteger(unscaled).toString('base64')}"}`;
}

function writeDouble(value: Value): string {
  if (typeof value !== 'string') return jsonValue(value);
  const n = Number(value);
  return value === '' || (Number.isNaN(n) && value !== 'NaN') ? jsonString(value) : javaDouble(n);
}

function writePadded(value: Value, scale: number | null): string {
  const parsed = typeof value === 'string' && scale !== null ? parseDecimal(value) : null;
  const unscaled = parsed === null ? null : atScale(parsed, scale as number);
  return unscaled === null ? writePlain(value) : jsonString(formatDecimal({ unscaled, scale: scale as number }));
}

/** SpecialValueDecimal.toString prints the names of its constants. */
const SPECIAL: Readonly<Record<string, string>> = { NaN: '"NAN"', Infinity: '"POSITIVE_INFINITY"', '-Infinity': '"NEGATIVE_INFINITY"' };

function writePlain(value: Value): string {
  if (typeof value !== 'string') return jsonValue(value);
  if (Object.hasOwn(SPECIAL, value)) return SPECIAL[value] as string;
  const parsed = /[eE+]/.test(value) ? parseDecimal(value) : null;
  return jsonString(parsed === null ? value : formatDecimal(parsed));
}
