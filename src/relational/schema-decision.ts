// The decision of the SDK, asked with what a database knows of a table. Pure.

import {
  type CdcError,
  type Column,
  decideSchema,
  describeType,
  type Fit,
  type SchemaDecision,
  type SchemaMode,
  schemaFrozen,
  type TableId,
  type TableSchema,
} from '../sdk/index.ts';
import { describeTarget, type FoundTable, type TableName, type TargetColumn } from './table.ts';

/** What a batch brings for one source table. */
export interface Need {
  /** Columns for which values come. */
  readonly inRows: ReadonlySet<string>;
  /** Columns that the source has just added: rows that are there get their defaults, as they did at the source. */
  readonly filled: ReadonlySet<string>;
}

/** Columns that rows of `source` need: those of its schema, then others that the rows have. The latter may hold anything. */
export function wantedColumns(source: TableSchema, { inRows, filled }: Need): Column[] {
  const known = new Set(source.columns.map((c) => c.name));
  const others = [...inRows].filter((name) => !known.has(name));
  return [
    ...source.columns.map((c) => (filled.has(c.name) ? c : withoutDefault(c))),
    ...others.map((name): Column => ({ name, type: 'any', nativeType: '', nullable: true })),
  ];
}

/** A column that comes to the target for another reason had values of its own in those rows. */
function withoutDefault(column: Column): Column {
  if (column.default === undefined) return column;
  const { default: _default, ...rest } = column;
  return rest;
}

/** What is asked about one target. */
export interface Question<C extends TargetColumn> {
  readonly table: FoundTable<C> | null;
  readonly source: TableSchema;
  readonly need: Need;
  readonly mode: SchemaMode;
  readonly mayChange: boolean;
  fit(target: C, source: Column): Fit;
}

export function decide<C extends TargetColumn>({ table, source, need, mode, mayChange, fit }: Question<C>): SchemaDecision<C> {
  const there = new Map((table?.columns ?? []).map((c) => [c.name, c]));
  return decideSchema({
    mode,
    mayChange,
    target: table === null ? null : (name) => there.get(name),
    wanted: wantedColumns(source, need),
    used: need.inRows,
    fit,
  });
}

/** Nothing to change and nothing in the way: what is remembered of the table may be relied on. */
export function isSettled({ create, stop, add, widen, misfits }: SchemaDecision<TargetColumn>): boolean {
  return !create && !stop && add.length === 0 && widen.length === 0 && misfits.every((m) => m.kind === 'narrow_column');
}

/** Differences that stay, for people. `typeText`: the type of a column there. */
export function misfitTexts<C extends TargetColumn>({ misfits }: SchemaDecision<C>, typeText: (column: C) => string): string[] {
  return misfits.flatMap((misfit) => {
    if (misfit.kind === 'no_column')
      return [`column "${misfit.column.name}" (${describeType(misfit.column)} at the source) is missing there`];
    if (misfit.kind === 'narrow_column')
      return [
        `column "${misfit.column.name}" is ${typeText(misfit.target)} there, which does not hold every ${describeType(misfit.column)} of the source`,
      ];
    return [];
  });
}

/** What the target lacks, and the statements that would mend it. */
export function frozen(table: TableId, name: TableName, problems: readonly string[], statements: readonly string[]): CdcError {
  return schemaFrozen(table, describeTarget(name), problems, statements);
}
