// Records to rows. Pure.

import { isUtf8 } from 'node:buffer';
import type { CsvOptions, parseRecords } from '../../formats/csv.ts';
import { parseJson } from '../../formats/json-lossless.ts';
import type { Row, Value } from '../../sdk/index.ts';

/** The row of each record, or what is wrong with it. */
export type Decode = (records: readonly (string | Error)[], key: readonly string[]) => (Row | Error)[];

export type Encoding = 'utf-8' | 'latin1';

/** The text of some bytes. Invariant 6: bytes that are no text are an error, never replacement characters. */
export function textOf(bytes: Buffer, start: number, end: number, encoding: Encoding, knownValid: boolean): string | Error {
  if (encoding === 'latin1') return bytes.toString('latin1', start, end);
  if (!knownValid && !isUtf8(bytes.subarray(start, end))) return new SyntaxError('is not valid UTF-8');
  return bytes.toString('utf8', start, end);
}

/** JSON objects, one per record. */
export const decodeJson: Decode = (records, key) =>
  records.map((record) => {
    if (typeof record !== 'string') return record;
    try {
      const value = parseJson(record);
      return isRow(value) ? (missingKey(value, key) ?? value) : new SyntaxError(`is ${kindOf(value)} instead of an object`);
    } catch (error) {
      return error as Error;
    }
  });

/** CSV records with these columns. */
export function csvDecoder(parse: typeof parseRecords, columns: readonly string[], options: CsvOptions): Decode {
  return (records, key) => {
    const parsed = parse(
      records.filter((r) => typeof r === 'string'),
      options,
    )[Symbol.iterator]();
    return records.map((record) => {
      if (typeof record !== 'string') return record;
      const fields = parsed.next().value as ReturnType<typeof parseRecords>[number];
      if (fields instanceof Error) return fields;
      if (fields.length !== columns.length) return new SyntaxError(`has ${fields.length} fields instead of ${columns.length}`);
      const row: Row = {};
      for (let i = 0; i < columns.length; i++) setOwn(row, columns[i] as string, fields[i] as string | null);
      return missingKey(row, key) ?? row;
    });
  };
}

function missingKey(row: Row, key: readonly string[]): Error | null {
  const missing = key.find((name) => !Object.hasOwn(row, name) || row[name] === null);
  return missing === undefined ? null : new SyntaxError(`has no value for the key "${missing}"`);
}

function isRow(value: Value): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function kindOf(value: Value): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return `a ${typeof value === 'bigint' ? 'number' : typeof value}`;
}

/** A column may be called `__proto__`. */
function setOwn(row: Row, name: string, value: Value): void {
  if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
  else row[name] = value;
}
