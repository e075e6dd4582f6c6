// Types of columns as users write them, and the columns that they make. Pure.
//
// | written | column |
// |---|---|
// | `boolean` `int16` `int32` `int64` `float64` `string` `date` `timestamp` `timestamptz` `uuid` `json` | of that type |
// | `decimal`, `decimal(12,2)` | decimal, with precision and scale |
// | `timestamptz(ms)`, `timestamp(s)`, also `us` | made of numbers that count since 1970 |

import { type Column, type ColumnType, Type } from 'cdc-run/sdk';

const PLAIN = ['boolean', 'int16', 'int32', 'int64', 'float64', 'string', 'date', 'timestamp', 'timestamptz', 'uuid', 'json'] as const;
const PATTERN = `^(${PLAIN.join('|')}|decimal|decimal\\([1-9]\\d{0,2}(, ?\\d{1,3})?\\)|timestamp(tz)?\\((s|ms|us)\\))$`;

export type Target = (typeof PLAIN)[number] | 'decimal';
export type EpochUnit = 's' | 'ms' | 'us';

export interface WantedType {
  readonly type: Target;
  /** As the user wrote it. */
  readonly text: string;
  readonly precision: number | null;
  readonly scale: number | null;
  /** What numbers count that become a time. */
  readonly unit: EpochUnit | null;
}

/** The schema of a type in a configuration. */
export const typeSchema = (description: string) =>
  Type.String({ pattern: PATTERN, 'x-expected': 'a column type', description, examples: ['decimal(12,2)'] });

/** Of a text that fits `typeSchema`. */
export function parseType(text: string): WantedType {
  const [, name = '', , first = null, second = null] = /^([a-z0-9]+)(\(([^,)]+)(?:, ?(\d+))?\))?$/.exec(text) ?? [];
  const isDecimal = name === 'decimal';
  return {
    type: name as Target,
    text,
    precision: isDecimal && first !== null ? Number(first) : null,
    scale: isDecimal && first !== null ? Number(second ?? 0) : null,
    unit: isDecimal ? null : (first as EpochUnit | null),
  };
}

/** As PostgreSQL names them. */
const NATIVE: { readonly [T in Target]: string } = {
  boolean: 'boolean',
  int16: 'smallint',
  int32: 'integer',
  int64: 'bigint',
  float64: 'double precision',
  decimal: 'numeric',
  string: 'text',
  date: 'date',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
  uuid: 'uuid',
  json: 'json',
};

/** A column of that type. Lengths, allowed values and defaults were those of another type and do not come along. */
export function columnOf(name: string, { type, precision, scale }: WantedType, nullable: boolean): Column {
  if (type !== 'decimal' || precision === null) return plainColumn(name, type, nullable);
  return { name, type, nativeType: `numeric(${precision},${scale ?? 0})`, nullable, precision, scale: scale ?? 0 };
}

export const plainColumn = (name: string, type: ColumnType & Target, nullable: boolean): Column => ({
  name,
  type,
  nativeType: NATIVE[type],
  nullable,
});
