// How a target table follows its source table: what is asked of the SDK's decision, and the statements. Columns are added; types
// are free in SQLite, and what is declared stays. Inside the transaction of the rows, so a crash takes back both or neither. Pure.

import {
  type CdcError,
  type Column,
  decideSchema,
  describeType,
  type Fit,
  type SchemaDecision,
  type SchemaMode,
  schemaFrozen,
  type TableSchema,
} from '../../sdk/index.ts';
import { quoteName, quoteText } from '../../util/sql-names.ts';
import { bind } from './encode.ts';
import { affinityOf, declaredType } from './types.ts';

/** A column that is there. */
export interface TargetColumn {
  readonly declared: string;
  /** SQLite computes it itself. */
  readonly generated: boolean;
}

/** By name in lower case, as SQLite compares them. Empty: there is no such table. */
export type TargetColumns = ReadonlyMap<string, TargetColumn>;
export type Decision = SchemaDecision<TargetColumn>;

/** SQLite's numbers keep decimals of up to 15 digits exactly. */
const EXACT_DIGITS = 15;
/** Texts of these may look like numbers, which a numeric column would make of them. */
const MAY_LOOK_LIKE_NUMBERS: readonly string[] = ['string', 'enum', 'bits', 'json', 'uint64'];

/** Nothing can be widened: a table would have to be built anew. Values that fit are stored all the same. */
export function columnFit({ declared, generated }: TargetColumn, { type, precision }: Column): Fit {
  const affinity = affinityOf(declared);
  if (generated || affinity === 'BLOB' || affinity === 'TEXT') return { kind: 'fits' };
  const isLossy =
    MAY_LOOK_LIKE_NUMBERS.includes(type) ||
    (type === 'decimal' && (precision === undefined || precision > EXACT_DIGITS)) ||
    (type === 'int64' && affinity === 'REAL');
  return { kind: isLossy ? 'unfit' : 'fits' };
}

/** `used`: columns of rows; those that the schema does not tell of may hold anything. */
export function decide(there: TargetColumns, table: TableSchema, used: readonly string[], mode: SchemaMode, mayChange: boolean): Decision {
  return decideSchema({
    mode,
    mayChange,
    target: there.size === 0 ? null : (name) => there.get(name.toLowerCase()),
    wanted: wantedColumns(table, used),
    used: new Set(used),
    fit: columnFit,
  });
}

/** Without a schema at least the key columns are known; the others are added as rows bring them. */
export function wantedColumns(table: TableSchema, used: readonly string[]): Column[] {
  const known = new Set(table.columns.map((c) => c.name));
  const others = [...new Set([...(table.columns.length === 0 ? table.key : []), ...used])].filter((name) => !known.has(name));
  return [...table.columns, ...others.map((name): Column => ({ name, type: 'any', nativeType: '', nullable: !table.key.includes(name) }))];
}

export function createStatement(name: string, columns: readonly Column[], key: readonly string[]): string {
  const lines = columns.map((c) => `${quoteName(c.name)} ${declaredType(c)}`);
  if (key.length > 0) lines.push(`PRIMARY KEY (${key.map(quoteName).join(', ')})`);
  return `CREATE TABLE ${quoteName(name)} (${lines.join(', ')})`;
}

/** Rows that are there already get the source's default, as they did at the source. */
export function addStatement(name: string, column: Column): string {
  return `ALTER TABLE ${quoteName(name)} ADD COLUMN ${quoteName(column.name)} ${declaredType(column)}${defaultOf(column)}`;
}

function defaultOf(column: Column): string {
  if (column.default === undefined || column.default === null) return '';
  const value = bind(column.default, column.type, affinityOf(declaredType(column)));
  if (typeof value === 'string') return ` DEFAULT ${quoteText(value)}`;
  if (value instanceof Uint8Array) return ` DEFAULT x'${Buffer.from(value).toString('hex')}'`;
  return Number.isFinite(Number(value)) ? ` DEFAULT ${value}` : '';
}

/** Differences that stay, for people. */
export function misfitTexts({ misfits }: Decision): string[] {
  return misfits.flatMap((misfit) => {
    if (misfit.kind === 'no_table') return [];
    const { name } = misfit.column,
      source = describeType(misfit.column);
    if (misfit.kind === 'no_column') return [`column "${name}" (${source} at the source) is missing there`];
    return [`column "${name}" is declared ${misfit.target.declared} there, which does not keep every ${source} of the source`];
  });
}

export function misfitStatements(name: string, { misfits }: Decision): string[] {
  return misfits.flatMap((misfit) => (misfit.kind === 'no_column' ? [addStatement(name, misfit.column)] : []));
}

export function frozen(table: TableSchema, name: string, decision: Decision, where: string): CdcError {
  return schemaFrozen(table.id, `"${name}"`, misfitTexts(decision), misfitStatements(name, decision), where);
}
