// Tables, rows and changes that suites and fakes share, so that a harness needs to know one small table only.

import type { Column, ColumnType, TableSchema, Value } from '../index.ts';

const column = (name: string, type: ColumnType, nativeType: string, nullable: boolean): Column => ({ name, type, nativeType, nullable });

/** The table that every harness has: a number as key, two texts. */
export const ITEMS: TableSchema = {
  id: { database: null, schema: null, table: 'items' },
  columns: [column('id', 'int32', 'integer', false), column('name', 'string', 'text', false), column('note', 'string', 'text', true)],
  key: ['id'],
  version: 1,
};

/** The same columns without a key. */
export const LINES: TableSchema = { ...ITEMS, id: { ...ITEMS.id, table: 'lines' }, key: [] };

export function tableNamed(name: string, like: TableSchema = ITEMS): TableSchema {
  return { ...like, id: { ...like.id, table: name } };
}

/** A change of a row of `items`, as an application makes it. */
export type Change =
  | { readonly op: 'insert'; readonly id: number; readonly name: string; readonly note?: string | null }
  /** `to`: the row moves to another key. `partial`: a source that can do so sends the name only, not the note. */
  | { readonly op: 'update'; readonly id: number; readonly name: string; readonly to?: number; readonly partial?: boolean }
  | { readonly op: 'delete'; readonly id: number }
  | { readonly op: 'truncate' };

export const insert = (id: number, name: string, note: string | null = null): Change => ({ op: 'insert', id, name, note });
export const update = (id: number, name: string): Change => ({ op: 'update', id, name });
export const remove = (id: number): Change => ({ op: 'delete', id });

/** A column of each logical type with values at the edges of its range. Harnesses say which of them a system can keep. */
export const TYPE_SAMPLES: readonly { readonly column: Column; readonly values: readonly Value[] }[] = [
  { column: column('v_boolean', 'boolean', 'boolean', true), values: [true, false, null] },
  { column: column('v_int16', 'int16', 'smallint', true), values: [-32768, 32767, 0] },
  { column: column('v_int32', 'int32', 'integer', true), values: [-2147483648, 2147483647] },
  { column: column('v_int64', 'int64', 'bigint', true), values: [-9223372036854775808n, 9223372036854775807n, 9007199254740993n] },
  { column: column('v_float32', 'float32', 'real', true), values: [1.5, -0.25] },
  { column: column('v_float64', 'float64', 'double precision', true), values: [0.1, -1e300, 5e-324] },
  { column: column('v_decimal', 'decimal', 'numeric', true), values: ['12.30', '-0.000001', '12345678901234567890.123456789'] },
  { column: column('v_string', 'string', 'text', true), values: ['', 'it\'s "quoted"\n\t\\ ✓ 😀', 'x'.repeat(3000)] },
  { column: column('v_bytes', 'bytes', 'bytea', true), values: [new Uint8Array([0, 1, 127, 128, 255]), new Uint8Array()] },
  { column: column('v_date', 'date', 'date', true), values: ['2024-02-29', '1969-12-31'] },
  { column: column('v_time', 'time', 'time', true), values: ['00:00:00', '23:59:59.999999'] },
  { column: column('v_timestamp', 'timestamp', 'timestamp', true), values: ['2024-02-29T12:34:56.123456', '1901-12-13T20:45:52'] },
  { column: column('v_timestamptz', 'timestamptz', 'timestamptz', true), values: ['2024-02-29T12:34:56.123456Z', '1901-12-13T20:45:52Z'] },
  { column: column('v_uuid', 'uuid', 'uuid', true), values: ['0f8fad5b-d9cb-469f-a165-70867728950e'] },
  { column: column('v_json', 'json', 'jsonb', true), values: [{ a: [1, 'x', null, { b: true }] }, [], 'text', 1.5] },
];
