// Change event → row change: names and values spelled for the target table, the way its database reads them. What cannot be
// spelled is an event that the destination refuses for good. Pure.

import {
  CdcError,
  type ChangeEvent,
  type Column,
  type ErrorCode,
  formatTableId,
  type Row,
  type TableId,
  type TableSchema,
  type Value,
} from '../sdk/index.ts';
import { remembered } from '../util/remembered.ts';
import type { RowChange } from './reduce.ts';
import { describeTarget, keyColumns, type TableName, type TargetColumn, type TargetTable } from './table.ts';
import { UnfitValue } from './values.ts';

/** Spells a value for a column. Throws `UnfitValue`. */
export type Encoder = (value: Exclude<Value, null>) => string;

/** What is known of the source's column; `any` when nothing is. */
export type SourceType = Pick<Column, 'type' | 'element'>;

/** How a database spells values. */
export interface Spelling<C extends TargetColumn> {
  /** Chosen once per column, not per value. */
  encoderFor(target: C, source: SourceType): Encoder;
  /** The text of a key column by which two rows are the same one: other spellings of an equal value give the same. */
  identityText(target: C, text: string): string;
}

export interface EncodeOptions {
  /** Inserts and snapshot rows leave rows alone that are there. */
  readonly keepExisting: boolean;
  /** Several source tables go to the target: a truncate of one must not empty it. */
  readonly sharedTarget: boolean;
  /** Values of columns that the target lacks are left out, for events of this table. */
  leavesOut(table: TableId): boolean;
}

/** How the columns of one kind of row are spelled: worked out once per table schema and set of columns. */
interface Shape {
  readonly names: readonly string[];
  readonly encoders: readonly Encoder[];
  /** Columns of the row that are left out because the target has no place for them. */
  readonly leftOut: number;
}

/** Spells events for their targets. Keeps the shapes that it has met. */
export class EventEncoder<C extends TargetColumn, T extends TargetTable<C>> {
  readonly #options: EncodeOptions;
  readonly #spelling: Spelling<C>;
  /** Values left out since it was made. */
  leftOut = 0;
  readonly #shapes = new WeakMap<T, WeakMap<TableSchema, Map<string, Shape>>>();

  constructor(spelling: Spelling<C>, options: EncodeOptions) {
    this.#spelling = spelling;
    this.#options = options;
  }

  /**
   * The change of one row event (`c u d r`) or truncate. `mayBeMissing`: a running snapshot will bring the row of an
   * incomplete event. Throws `DESTINATION_EVENT_REJECTED`.
   */
  encode(event: ChangeEvent, index: number, table: T, mayBeMissing: boolean): RowChange<T> {
    try {
      if (event.op === 't') return this.#truncate(event, index, table);
      if (event.op === 'd') return this.#delete(event, index, table);
      return this.#row(event, index, table, mayBeMissing);
    } catch (error) {
      if (error instanceof UnfitValue) throw rejected(event, table, error.message);
      throw error;
    }
  }

  #truncate(event: ChangeEvent, index: number, table: T): RowChange<T> {
    if (this.#options.sharedTarget) {
      throw rejected(
        event,
        table,
        'the truncate of one source table would remove the rows of others',
        'Name the source table in `table` by {table}.',
      );
    }
    return { index, kind: 'truncate', table, id: '', key: [], columns: [], values: [], incomplete: false, mayBeMissing: false };
  }

  #delete(event: ChangeEvent, index: number, table: T): RowChange<T> {
    const { key, id } = this.#key(event, table, event.key);
    return { index, kind: 'delete', table, id, key, columns: [], values: [], incomplete: false, mayBeMissing: false };
  }

  #row(event: ChangeEvent, index: number, table: T, mayBeMissing: boolean): RowChange<T> {
    const { after, incomplete } = event;
    if (after === null) throw rejected(event, table, `the event of op "${event.op}" has no row`);
    const row = withKey(event, after);
    const { names, encoders, leftOut } = this.#shape(event, table, row);
    this.leftOut += leftOut;
    const values = new Array<string | null>(names.length);
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string,
        value = row[name] ?? null;
      values[i] = value === null ? null : spell(encoders[i] as Encoder, value, name);
    }
    if (table.key.length === 0) {
      if (event.op === 'u' || incomplete) throw keyless(event, table);
      return { index, kind: 'put', table, id: `#${index}`, key: [], columns: names, values, incomplete, mayBeMissing };
    }
    const { key, id } = this.#key(event, table, row),
      old = event.oldKey;
    if (old !== null) {
      return {
        index,
        kind: 'move',
        table,
        id,
        key,
        columns: names,
        values,
        oldKey: this.#key(event, table, old).key,
        incomplete,
        mayBeMissing,
      };
    }
    const isNew = event.op !== 'u' && this.#options.keepExisting;
    return { index, kind: incomplete ? 'patch' : isNew ? 'add' : 'put', table, id, key, columns: names, values, incomplete, mayBeMissing };
  }

  #key(event: ChangeEvent, table: T, row: Row | null): { key: string[]; id: string } {
    if (table.key.length === 0 || row === null) throw keyless(event, table);
    const { encoders } = this.#shape(event, table, row, table.key);
    const key = table.key.map((name, i) => {
      const value = row[name] ?? null;
      if (value === null) throw rejected(event, table, `the key column "${name}" is ${Object.hasOwn(row, name) ? 'null' : 'absent'}`);
      return spell(encoders[i] as Encoder, value, name);
    });
    // NUL separates: where a text may hold it, its spelling escapes it.
    return {
      key,
      id: keyColumns(table)
        .map((column, i) => this.#spelling.identityText(column, key[i] as string))
        .join('\0'),
    };
  }

  /** Columns that the server computes are left out: it makes them itself. */
  #shape(event: ChangeEvent, table: T, row: Row, only: readonly string[] | null = null): Shape {
    const schema = event.table,
      names = only ?? Object.keys(row);
    const ofTable = remembered(this.#shapes, table, () => new WeakMap<TableSchema, Map<string, Shape>>());
    const ofSchema = remembered(ofTable, schema, () => new Map<string, Shape>());
    return remembered(ofSchema, names.join('\0'), () => makeShape(this.#spelling, event, table, names, this.#options.leavesOut(schema.id)));
  }
}

function makeShape<C extends TargetColumn>(
  spelling: Spelling<C>,
  event: ChangeEvent,
  table: TargetTable<C>,
  all: readonly string[],
  leavesOut: boolean,
): Shape {
  const unknown = all.filter((name) => !table.byName.has(name));
  if (unknown.length > 0 && !leavesOut) {
    throw rejected(
      event,
      table,
      `the target has no column ${unknown.map((n) => `"${n}"`).join(', ')}`,
      'Add the column, let the table follow (`create_tables: true`, `schema_evolution`), or drop it by a transformer.',
    );
  }
  const names = all.filter((name) => table.byName.get(name)?.generated === false);
  const types = new Map(event.table.columns.map((c) => [c.name, c]));
  const encoders = names.map((name) => spelling.encoderFor(table.byName.get(name) as C, types.get(name) ?? { type: 'any' }));
  return { names, encoders, leftOut: unknown.length };
}

/** Some sources give the key beside the row. */
function withKey(event: ChangeEvent, row: Row): Row {
  return event.table.key.every((name) => Object.hasOwn(row, name)) ? row : { ...event.key, ...row };
}

function spell(encoder: Encoder, value: Exclude<Value, null>, name: string): string {
  try {
    return encoder(value);
  } catch (error) {
    if (error instanceof UnfitValue) throw new UnfitValue(`column "${name}": ${error.message}`);
    throw error;
  }
}

function keyless(event: ChangeEvent, table: TableName): CdcError {
  return rejected(
    event,
    table,
    `without a key the row of an event of op "${event.op}" cannot be found`,
    'Give the source table a primary key.',
  );
}

/** An event that can never be stored. */
export function rejected(
  event: ChangeEvent,
  table: TableName,
  what: string,
  fix?: string,
  code: ErrorCode = 'DESTINATION_EVENT_REJECTED',
): CdcError {
  return new CdcError(code, `${formatTableId(event.table.id)} → ${describeTarget(table)}: ${what}.`, fix === undefined ? {} : { fix });
}
