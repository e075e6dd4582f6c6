// The decision of the SDK, asked with what PostgreSQL knows of a table. Pure.

import {
  type CdcError,
  type Column,
  decideSchema,
  type SchemaMode,
  schemaFrozen,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import { type Decision, misfitStatements, misfitTexts, nullableStatement } from './ddl.ts';
import { columnFit } from './fit.ts';
import type { CatalogTable } from './pg-catalog.ts';
import { describeTarget } from './target-table.ts';

/** Columns that rows of `source` need: those of its schema, then others that the rows have. The latter may hold anything. */
export function wantedColumns(source: TableSchema, inRows: ReadonlySet<string>): Column[] {
  const known = new Set(source.columns.map((c) => c.name));
  const others = [...inRows].filter((name) => !known.has(name));
  return [...source.columns, ...others.map((name): Column => ({ name, type: 'any', nativeType: '', nullable: true }))];
}

export function decide(
  table: CatalogTable | null,
  source: TableSchema,
  inRows: ReadonlySet<string>,
  mode: SchemaMode,
  mayChange: boolean,
): Decision {
  const there = new Map((table?.columns ?? []).map((c) => [c.name, c]));
  return decideSchema({
    mode,
    mayChange,
    target: table === null ? null : (name) => there.get(name),
    wanted: wantedColumns(source, inRows),
    used: inRows,
    fit: columnFit,
  });
}

/** Nothing to change and nothing in the way: what is remembered of the table may be relied on. */
export function isSettled({ create, stop, add, widen, misfits }: Decision): boolean {
  return !create && !stop && add.length === 0 && widen.length === 0 && misfits.every((m) => m.kind === 'narrow_column');
}

/** `nullIn`: the column there that refused a NULL. */
export function frozen(
  table: TableId,
  name: { readonly schema: string; readonly name: string },
  decision: Decision | null,
  nullIn: string | null = null,
): CdcError {
  const problems = decision === null ? [] : misfitTexts(decision),
    ddl = decision === null ? [] : misfitStatements(name, decision);
  if (nullIn !== null) {
    problems.push(`column "${nullIn}" is NOT NULL there, and a row has no value for it`);
    ddl.push(nullableStatement(name, nullIn));
  }
  return schemaFrozen(table, describeTarget(name), problems, ddl);
}
