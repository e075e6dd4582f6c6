// Where the fields to mask are in a row, and what becomes of values that are no text. Pure.

import { CdcError, type Column, JsonText, type Row, type TableSchema, type Value } from 'cdc-run/sdk';
import type { MaskText } from './mask-text.ts';

/** Columns whose values may hold any text. All others (dates, decimals, uuids …) would not take a masked text. */
const TEXT_TYPES: ReadonlySet<Column['type']> = new Set(['string', 'json', 'any']);

export interface Masker {
  readonly mask: MaskText;
  readonly otherTypes: 'redact' | 'fail';
  /** Told which field was found. */
  found(field: string): void;
}

type Tree = { readonly [key: string]: Value };

/** The row with its fields masked; the same object when it has none of them. Never changes what it is given. */
export function maskRow(row: Row, fields: readonly string[], table: TableSchema, masker: Masker): Row {
  let result = row;
  for (const field of fields) {
    const masked = maskPath(
      result,
      field.split('.'),
      (name) =>
        textOf(
          table.columns.find((c) => c.name === name),
          masker,
          field,
        ),
      masker,
      field,
    );
    if (masked === result) continue;
    masker.found(field);
    result = masked as Row;
  }
  return result;
}

/** Masks the values of one column as `maskRow` does. */
export function columnMask(field: string, table: TableSchema, masker: Masker): (value: Value) => Value {
  const leaf = textOf(
    table.columns.find((c) => c.name === field),
    masker,
    field,
  );
  return (value) => maskTree(value, leaf);
}

/** Is this top-level column touched by one of the fields? */
export function touches(fields: readonly string[], column: string): boolean {
  return fields.some((field) => field === column || field.startsWith(`${column}.`));
}

type MaskLeaf = (value: Value) => Value;

/** Names may hold dots themselves: every way to read the path is tried, so that none is left open. */
function maskPath(tree: Tree, path: readonly string[], leafOf: (name: string) => MaskLeaf, masker: Masker, field: string): Tree {
  let result = tree;
  for (let length = path.length; length > 0; length--) {
    const name = path.slice(0, length).join('.');
    if (!Object.hasOwn(result, name)) continue;
    const rest = path.slice(length),
      leaf = leafOf(name);
    const value = result[name] as Value;
    result = { ...result, [name]: rest.length === 0 ? maskTree(value, leaf) : maskBelow(value, rest, leaf, masker, field) };
  }
  return result;
}

function maskBelow(value: Value, path: readonly string[], leaf: MaskLeaf, masker: Masker, field: string): Value {
  if (value === null) return null;
  if (isList(value)) {
    const items = value.map((item) => maskBelow(item, path, leaf, masker, field));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (value instanceof JsonText) return maskJson(value, (parsed) => maskBelow(parsed, path, leaf, masker, field));
  if (isTree(value)) return maskPath(value, path, () => textOf(undefined, masker, field), masker, field);
  // Not the object that the path leads into, perhaps the same content as a text: better too much than too little.
  return leaf(value);
}

/** A document into which no field leads keeps its text; another is written anew, with the digits that a number holds. */
function maskJson(json: JsonText, mask: (parsed: Value) => Value): Value {
  const parsed = json.parse() as Value,
    masked = mask(parsed);
  if (masked === parsed) return json;
  return masked === null ? null : new JsonText(JSON.stringify(masked));
}

/** A field that holds a list or an object: everything in it. */
function maskTree(value: Value, leaf: MaskLeaf): Value {
  if (isList(value)) return value.map((item) => maskTree(item, leaf));
  if (value instanceof JsonText) return maskJson(value, (parsed) => maskTree(parsed, leaf));
  if (isTree(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskTree(item, leaf)]));
  return leaf(value);
}

/** Masks one value of a column; `undefined`: of a part of a JSON value, or of a column that the source knows no type of. */
function textOf(column: Column | undefined, masker: Masker, field: string): MaskLeaf {
  const type = column?.type === 'array' ? column.element : column?.type;
  const isText = type === undefined || TEXT_TYPES.has(type);
  return (value) => {
    if (value === null) return null;
    if (typeof value !== 'string' || !isText) return notText(column, masker, field);
    const masked = masker.mask(value);
    return masked !== null && column?.length !== undefined ? masked.slice(0, column.length) : masked;
  };
}

function notText(column: Column | undefined, masker: Masker, field: string): null {
  if (masker.otherTypes === 'redact') return null;
  throw new CdcError(
    'PLUGIN_FAILED',
    `Field "${field}" is no text${column === undefined ? '' : ` but ${column.nativeType}`}, and other_types is fail.`,
    {
      fix: 'Set other_types: redact, or leave the field out of mask_fields.',
    },
  );
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}
function isTree(value: Value): value is Tree {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array) && !(value instanceof JsonText)
  );
}
