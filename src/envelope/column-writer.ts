// How one column of a table is written as a member of a JSON object, prepared once per table.

import type { Value } from '../sdk/index.ts';
import { type Fixed, fixedOf } from './fixed.ts';
import { jsonString } from './json.ts';
import type { JsonWriter } from './json-writer.ts';

/**
 * What `write` makes of a value, for those who have its text: `value`: the same as its JS type would give; `digits`: the digits
 * of a whole number; `quoted`: the text
 * of a JSON document as a string; a number: a timestamp with that many fractional digits, -1: with those that are there.
 */
export type TextWrite = 'value' | 'digits' | 'quoted' | number;

export interface ColumnWriter {
  readonly name: string;
  /** The JSON text of a value that is not null; `null`: by its JS type. */
  readonly write: ((value: Value) => string) | null;
  /** Absent: only `write` knows. Without `write` it is `value`. */
  readonly fromText?: TextWrite;
  /** For SQL NULL. */
  readonly nullText: string;
  /** For a column that `before` or a complete `after` lacks; `null`: left out. */
  readonly absentText: string | null;
  /** For a column that an incomplete `after` lacks (unchanged TOAST); `null`: left out. */
  readonly unavailableText: string | null;
}

/** A column written by the JS type of its values, left out when absent. */
export function plainColumn(name: string): ColumnWriter {
  return { name, write: null, nullText: 'null', absentText: null, unavailableText: null };
}

export interface PreparedColumn extends Omit<ColumnWriter, 'fromText'> {
  readonly fromText: TextWrite | null;
  /** `{"id":`: as first member … */
  readonly first: Fixed;
  /** … and as a later one: `,"id":` */
  readonly next: Fixed;
  readonly nullFixed: Fixed;
}

/** Field by field: objects made by `...` are of many shapes to V8, which then looks `next` up by name for each column of each row. */
export function prepareColumn({ name, write, fromText, nullText, absentText, unavailableText }: ColumnWriter): PreparedColumn {
  const json = jsonString(name);
  return {
    name,
    write,
    fromText: fromText ?? null,
    nullText,
    absentText,
    unavailableText,
    first: fixedOf(`{${json}:`),
    next: fixedOf(`,${json}:`),
    nullFixed: fixedOf(nullText),
  };
}

/** Both return whether the object is still empty. */
export function writeColumn(json: JsonWriter, column: PreparedColumn, value: Value, empty: boolean): boolean {
  json.fixed(empty ? column.first : column.next);
  if (value === null) json.fixed(column.nullFixed);
  else writeValue(json, column, value);
  return false;
}

export function writeGap(json: JsonWriter, column: PreparedColumn, incomplete: boolean, empty: boolean): boolean {
  const text = incomplete ? column.unavailableText : column.absentText;
  if (text === null) return empty;
  json.fixed(empty ? column.first : column.next);
  json.text(text);
  return false;
}

/** Of a value that is not null. */
export function writeValue(json: JsonWriter, column: PreparedColumn, value: Value): void {
  if (column.write === null) json.value(value);
  else json.text(column.write(value));
}
