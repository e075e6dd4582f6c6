// Statements that make and change target tables, and what each means for others. Everything here may be repeated: a crash
// between such a statement and the rows behind it leaves a table that already fits. Pure.

import { plainDefault } from '../../relational/column-default.ts';
import { misfitTexts as textsOf } from '../../relational/schema-decision.ts';
import type { TableName } from '../../relational/table.ts';
import type { Column, PreviewWords, SchemaDecision, TableSchema } from '../../sdk/index.ts';
import { quoteName, quoteText } from '../../util/sql-names.ts';
import { isRewrite } from './fit.ts';
import { qualified } from './sql.ts';
import { checkedName } from './target-name.ts';
import type { TargetColumn } from './target-table.ts';
import { newColumnType } from './types.ts';

export type Decision = SchemaDecision<TargetColumn>;

export function createTableStatement(name: TableName, columns: readonly Column[], key: readonly string[]): string {
  const parts = columns.map((c) => `${columnName(c)} ${newColumnType(c)}`);
  if (key.length > 0) parts.push(`PRIMARY KEY (${key.map(quoteName).join(', ')})`);
  return `CREATE TABLE IF NOT EXISTS ${qualified(name)} (${parts.join(', ')})`;
}

/** New columns are nullable: rows that are there have no value for them, unless the source has just filled them with a default. */
const addition = (column: Column): string =>
  `ADD COLUMN IF NOT EXISTS ${columnName(column)} ${newColumnType(column)}${defaultClause(plainDefault(column))}`;

/** With a backslash in the form that means the same whatever `standard_conforming_strings` is. */
function defaultClause(text: string | null): string {
  if (text === null) return '';
  return text.includes('\\') ? ` DEFAULT E${quoteText(text.replaceAll('\\', '\\\\'))}` : ` DEFAULT ${quoteText(text)}`;
}
const retyping = (column: Pick<Column, 'name'>, type: string): string => `ALTER COLUMN ${quoteName(column.name)} TYPE ${type}`;

/** One statement, so that a table that must be written anew is written once. */
export function alterStatement(name: TableName, { add, widen }: Pick<Decision, 'add' | 'widen'>): string {
  return `ALTER TABLE ${qualified(name)} ${[...add.map(addition), ...widen.map((w) => retyping(w.column, w.type))].join(', ')}`;
}

export function nullableStatement(name: TableName, column: string): string {
  return `ALTER TABLE ${qualified(name)} ALTER COLUMN ${quoteName(column)} DROP NOT NULL`;
}

/** What an operator could run about differences that stay. */
export function misfitStatements(name: TableName, { misfits }: Decision): string[] {
  return misfits.flatMap((misfit) => {
    if (misfit.kind === 'no_column') return [alterStatement(name, { add: [misfit.column], widen: [] })];
    if (misfit.kind === 'narrow_column' && misfit.type !== null)
      return [`ALTER TABLE ${qualified(name)} ${retyping(misfit.column, misfit.type)}`];
    return [];
  });
}

/** The same, for people. */
export const misfitTexts = (decision: Decision): string[] => textsOf(decision, typeText);

/** For `plan`. ACCESS EXCLUSIVE keeps readers out, too. */
export function previewWords(name: TableName, source: TableSchema, decision: Decision): PreviewWords<TargetColumn> {
  const brief = 'needs ACCESS EXCLUSIVE for an instant; no rewrite';
  return {
    create: createTableStatement(name, source.columns, source.key),
    add: (column) => alterStatement(name, { add: [column], widen: [] }),
    addNote: brief,
    widen: (change) => ({
      sql: alterStatement(name, { add: [], widen: [change] }),
      note: isRewrite(change.target, change.type)
        ? 'holds ACCESS EXCLUSIVE while the server writes the table and its indexes anew: nobody reads or writes it meanwhile; `write_timeout` must allow for it'
        : brief,
    }),
    misfits: misfitTexts(decision),
  };
}

/** `numeric(6,2)`, `character varying(20)`. */
function typeText({ type, length, precision, fraction }: TargetColumn): string {
  if (precision !== null) return `${type}(${precision},${fraction ?? 0})`;
  return length === null ? type : `${type}(${length})`;
}

function columnName(column: Column): string {
  return quoteName(checkedName(column.name, `column "${column.name}"`));
}
