// Rows as the driver reads them → what events carry. A row stays an array of stored values until somebody looks at a column.
// Each value is looked at once here: what its column cannot hold is found before the event is made (invariant 6).

import { CdcError, type Column, formatTableId, type Row, RowImage, type TableSchema, type Value } from '../../sdk/index.ts';
import { globToRegExp } from '../../util/glob.ts';
import type { SqliteTable } from './introspect.ts';
import { formatStored } from './position.ts';
import { columnOf, fits, type Stored, storageClass, toValue } from './types.ts';

/** Memory of an event beside its values, and of a number in an array, as counted against the bounds of the queues. */
const EVENT_BYTES = 200;
const VALUE_BYTES = 8;
/** The driver puts this in the place of bytes that are no UTF-8. */
const REPLACEMENT = '\uFFFD';

export interface ColumnChoice {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** How the rows of one shape of a table are read. */
export interface RowPlan {
  readonly schema: TableSchema;
  /** Index of each column in the table as SQLite has it. */
  readonly at: readonly number[];
  /** Columns of the table, and so the length of an image in the change table. */
  readonly width: number;
  readonly indexOf: ReadonlyMap<string, number>;
  readonly names: readonly string[];
  /** Positions in `schema.columns` of the key columns. */
  readonly keyAt: readonly number[];
  /** No value differs between storage and event. */
  readonly plain: boolean;
}

export function planRows(table: SqliteTable, version: number, choice: ColumnChoice, types: 'declared' | 'stored'): RowPlan {
  const chosen = table.columns
    .map((c, i) => ({ c, i }))
    .filter(({ c }) => table.key.includes(c.name) || isChosen(choice, table.name, c.name));
  const columns: Column[] = chosen.map(({ c }) => columnOf(table, c, types));
  return {
    schema: { id: { database: null, schema: null, table: table.name }, columns, key: table.key, version },
    at: chosen.map(({ i }) => i),
    width: table.columns.length,
    ...namesOf(columns),
    keyAt: table.key.map((name) => columns.findIndex((c) => c.name === name)),
    plain: columns.every((c) => c.type !== 'boolean' && c.type !== 'decimal'),
  };
}

export function namesOf(columns: readonly Column[]): Pick<RowPlan, 'indexOf' | 'names'> {
  const names = columns.map((c) => c.name);
  return { names, indexOf: new Map(names.map((name, i) => [name, i])) };
}

/** The same for rows of which only the plan's columns were selected, in its order. */
export function selectedPlan(plan: RowPlan): RowPlan {
  return { ...plan, at: plan.at.map((_, i) => i), width: plan.at.length };
}

function isChosen({ include, exclude }: ColumnChoice, table: string, column: string): boolean {
  const matches = (patterns: readonly string[]): boolean =>
    patterns.some((p) => p === '*' || globToRegExp(p, '\0').test(`${table}.${column}`));
  return matches(include) && !matches(exclude);
}

/** One image: stored values in the order of the plan's columns, beginning at `offset`, or at the plan's places behind it. */
export class SqliteRow extends RowImage {
  readonly #plan: RowPlan;
  readonly #values: readonly Stored[];
  readonly #offset: number;

  constructor(plan: RowPlan, values: readonly Stored[], offset: number) {
    super();
    this.#plan = plan;
    this.#values = values;
    this.#offset = offset;
  }

  override decode(): Row {
    const {
        schema: { columns },
        at,
        plain,
      } = this.#plan,
      row: Row = {};
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as Column,
        value = this.#values[this.#offset + (at[i] as number)] as Stored;
      row[column.name] = plain ? value : toValue(column.type, value);
    }
    return row;
  }

  override columns(): readonly string[] {
    return this.#plan.names;
  }

  override column(name: string): Value | undefined {
    const i = this.#plan.indexOf.get(name);
    if (i === undefined) return undefined;
    const {
        schema: { columns },
        at,
        plain,
      } = this.#plan,
      value = this.#values[this.#offset + (at[i] as number)] as Stored;
    return plain ? value : toValue((columns[i] as Column).type, value);
  }
}

/** Found by `vet`: a value that its column cannot hold, or a text with suspicious characters in it. */
export interface Misfit {
  readonly column: number;
  readonly doubtfulText: boolean;
}

/** Collects what is wrong with one image, and how large it is. Reused from row to row: no garbage on the hot path. */
export class Vetting {
  bytes = 0;
  readonly misfits: Misfit[] = [];

  vet(plan: RowPlan, values: readonly Stored[], offset: number): void {
    const {
      schema: { columns },
      at,
    } = plan;
    let bytes = 0;
    for (let i = 0; i < columns.length; i++) {
      const value = values[offset + (at[i] as number)] as Stored;
      bytes += VALUE_BYTES;
      if (value === null) continue;
      if (!fits((columns[i] as Column).type, value)) this.misfits.push({ column: i, doubtfulText: false });
      else if (typeof value === 'string') {
        bytes += value.length;
        if (value.includes(REPLACEMENT)) this.misfits.push({ column: i, doubtfulText: true });
      } else if (value instanceof Uint8Array) bytes += value.length;
    }
    this.bytes += bytes;
  }

  start(): void {
    this.bytes = EVENT_BYTES;
    if (this.misfits.length > 0) this.misfits.length = 0;
  }
}

/** NULL in a key column: SQLite lets it in, and nothing can find the row again. */
export function hasNullKey(plan: RowPlan, values: readonly Stored[], offset: number): boolean {
  for (const i of plan.keyAt) if (values[offset + (plan.at[i] as number)] === null) return true;
  return false;
}

/** The row without the columns that cannot be told: for images before a change, which inform but are not applied. */
export function rowWithout(plan: RowPlan, values: readonly Stored[], offset: number, misfits: readonly Misfit[]): Row {
  const row: Row = {};
  plan.schema.columns.forEach((column, i) => {
    if (!misfits.some((m) => m.column === i)) row[column.name] = toValue(column.type, values[offset + (plan.at[i] as number)] as Stored);
  });
  return row;
}

/** For the dead letter queue: the whole row as JSON of stored values. */
export function describeRow(plan: RowPlan, op: string, values: readonly Stored[], offset: number): string {
  const row = Object.fromEntries(
    plan.schema.columns.map((c, i) => [c.name, formatStored(values[offset + (plan.at[i] as number)] as Stored)]),
  );
  return JSON.stringify({ table: formatTableId(plan.schema.id), op, row });
}

export function misfitError(plan: RowPlan, misfit: Misfit, value: Stored, where: string): CdcError {
  const column = plan.schema.columns[misfit.column] as Column,
    name = `${formatTableId(plan.schema.id)}.${column.name}`;
  if (misfit.doubtfulText) {
    return new CdcError('SOURCE_DATA_INVALID', `A text in ${name} is not valid Unicode.`, {
      where,
      fix: 'Correct the row, or store such bytes as a BLOB.',
    });
  }
  return new CdcError('SOURCE_DATA_INVALID', `${name} is declared "${column.nativeType}", and a row holds ${storageClass(value)} in it.`, {
    where,
    fix: 'Correct the row, or set `types: stored` to read values as they are stored.',
  });
}

export function nullKeyError(plan: RowPlan, where: string): CdcError {
  return new CdcError(
    'SOURCE_DATA_INVALID',
    `A row of ${formatTableId(plan.schema.id)} has NULL in its primary key (${plan.schema.key.join(', ')}).`,
    {
      where,
      fix: 'Give the row a key: no destination can find it again.',
    },
  );
}
