// Nested values as columns: by declared paths, or every leaf where no schema says what columns there are. Pure.

import type { Column, Row, TableSchema, Value } from 'cdc-run/sdk';
import { type ColumnCast, columnCast } from './cast-plan.ts';
import { columnOf, parseType, type WantedType } from './column-type.ts';
import { isTree, lookInto, openDocument, type Tree } from './json-values.ts';
import { tableError } from './table-step.ts';

/** A value within a column, and the column that it becomes. */
export interface NestedColumn {
  /** Below the column. */
  readonly path: readonly string[];
  readonly name: string;
  readonly wanted: WantedType;
}

/** `address.city`: `string` → the path below the column `address`, and the new name. */
export function nestedColumns(columns: Readonly<Record<string, string>>, field: string | null, separator: string): NestedColumn[] {
  return Object.entries(columns).flatMap(([text, type]) => {
    const path = text.split('.');
    if (field !== null && (path[0] !== field || path.length < 2)) return [];
    return [{ path: field === null ? path : path.slice(1), name: path.join(separator), wanted: parseType(type) }];
  });
}

/** What is not declared: kept in the column it is in, an error, or left out. What is no object is never just left out. */
export type Others = 'keep' | 'fail' | 'drop';

/** Opens the values of one column. */
export class NestedValues {
  readonly columns: readonly Column[];
  readonly #table: TableSchema;
  readonly #field: string;
  readonly #casts: readonly { readonly column: NestedColumn; readonly cast: ColumnCast }[];
  readonly #others: Others;

  /** `table`: the one that the columns will be in. */
  constructor(table: TableSchema, field: string, declared: readonly NestedColumn[], others: Others) {
    this.columns = declared.map(({ name, wanted }) => columnOf(name, wanted, true));
    this.#table = table;
    this.#field = field;
    this.#casts = declared.map((column) => ({ column, cast: columnCast(table, column.name, column.wanted, field) }));
    this.#others = others;
  }

  /** Every column is there; what the value does not have is null. */
  open(value: Value): Row {
    const tree = openDocument(value);
    if (this.#others !== 'keep' && tree !== null) this.#assertDeclared(tree);
    return Object.fromEntries(this.#casts.map(({ column, cast }) => [column.name, cast(at(tree, column.path))]));
  }

  #assertDeclared(value: Value): void {
    const declared = this.#casts.map(({ column }) => column.path),
      other = !isTree(value) ? '' : this.#others === 'fail' ? firstOther(value, declared, []) : null;
    if (other === null) return;
    throw tableError(
      this.#table,
      other === ''
        ? `column "${this.#field}" holds something that is no object`
        : `column "${this.#field}" holds "${other}", which \`columns\` does not name`,
      other === '' ? 'Open only columns that hold objects, or keep the column.' : 'Name it in `columns`, or choose that it is left out.',
    );
  }
}

function at(value: Value, path: readonly string[]): Value {
  let here: Value | undefined = value;
  for (const name of path) {
    if (!isTree(here) || !Object.hasOwn(here, name)) return null;
    here = here[name];
  }
  return here ?? null;
}

/** The first path that is in none of the declared ones; `null`: there is none. What is null says nothing that would be lost. */
function firstOther(tree: Tree, declared: readonly (readonly string[])[], above: readonly string[]): string | null {
  for (const [name, value] of Object.entries(tree)) {
    if (value === null) continue;
    const path = [...above, name],
      depth = path.length,
      along = declared.filter((d) => d[depth - 1] === name);
    if (along.some((d) => d.length === depth)) continue;
    if (along.length === 0 || !isTree(value)) return path.join('.');
    const other = firstOther(value, along, path);
    if (other !== null) return other;
  }
  return null;
}

/** Every leaf below a value, lists as they are: `{a: {b: 1}}` → `a_b`: 1. An empty object is a leaf. */
export function leavesOf(name: string, value: Value, separator: string): [string, Value][] {
  const tree = lookInto(value);
  if (!isTree(tree) || Object.keys(tree).length === 0) return [[name, value]];
  return Object.entries(tree).flatMap(([part, below]) => leavesOf(name === '' ? part : `${name}${separator}${part}`, below, separator));
}
