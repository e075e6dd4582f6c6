// Statements that make and change target tables, and what each means for others. Each commits by itself in MySQL: they run between
// data transactions, and may be repeated. Pure.

import { plainDefault } from '../../relational/column-default.ts';
import { misfitTexts as textsOf } from '../../relational/schema-decision.ts';
import type { TableName } from '../../relational/table.ts';
import type { Column, PreviewWords, SchemaDecision, TableSchema } from '../../sdk/index.ts';
import { qualified, quoteName, textLiteral } from '../../systems/mysql/names.ts';
import type { ServerFacts } from '../../systems/mysql/server.ts';
import { charsetClause, exactCollation, newColumnType, newColumnTypes } from './new-column.ts';
import { checkedName } from './target-name.ts';
import type { TargetColumn } from './target-table.ts';

export type Decision = SchemaDecision<TargetColumn>;

export function createTableStatement(name: TableName, columns: readonly Column[], key: readonly string[], server: ServerFacts): string {
  const types = newColumnTypes(columns, key);
  const parts = columns.map((c, i) => `${columnName(c)} ${types[i]}${key.includes(c.name) ? ' NOT NULL' : ''}`);
  if (key.length > 0) parts.push(`PRIMARY KEY (${key.map(quoteName).join(', ')})`);
  return `CREATE TABLE IF NOT EXISTS ${qualified(name)} (${parts.join(', ')}) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE ${exactCollation(server)}`;
}

/** New columns are nullable: rows that are there have no value for them, unless the source has just filled them with a default. */
function addition(column: Column, server: ServerFacts): string {
  const type = newColumnType(column);
  return `ADD COLUMN ${columnName(column)} ${type}${charsetClause(type, server)} NULL${defaultClause(column, type, server)}`;
}

/** MySQL's long texts take an expression only, and that since 8.0.13. */
function defaultClause(column: Column, type: string, { flavor, number }: ServerFacts): string {
  const text = plainDefault(column);
  if (text === null) return '';
  const literal = column.type === 'boolean' ? (text === 'true' ? '1' : '0') : textLiteral(text);
  if (type !== 'longtext' || flavor === 'mariadb') return ` DEFAULT ${literal}`;
  return number >= 80_013 ? ` DEFAULT (${literal})` : '';
}

/** MODIFY forgets what it does not repeat: what stands behind the type stays as the server spells it. */
const retyping = ({ name, definition }: TargetColumn, type: string, { flavor }: ServerFacts): string => {
  const kept = flavor === 'mysql' && /text|blob|json/.test(type) ? definition.replace(LITERAL_DEFAULT, '$1') : definition;
  return `MODIFY COLUMN ${quoteName(name)} ${`${type} ${withCharset(kept, type)}`.trim()}`;
};

/** Long texts of MySQL cannot have it. What is NOT NULL needs it: there the server refuses, and somebody decides. */
const LITERAL_DEFAULT = /^((?:CHARACTER SET \S+ ?|COLLATE \S+ ?|NULL ?)*)DEFAULT '(?:[^'\\]|''|\\.)*' ?/;

/** A type without a character set cannot keep one. */
const withCharset = (definition: string, type: string): string =>
  /char|text|enum/.test(type) ? definition : definition.replace(/(CHARACTER SET \S+ ?)?(COLLATE \S+ ?)?/, '');

/** One statement, so that a table that must be written anew is written once. */
export function alterStatement(name: TableName, { add, widen }: Pick<Decision, 'add' | 'widen'>, server: ServerFacts): string {
  const parts = [...add.map((c) => addition(c, server)), ...widen.map((w) => retyping(w.target, w.type, server))];
  return `ALTER TABLE ${qualified(name)} ${parts.join(', ')}`;
}

/** `NOT NULL` stands before defaults and comments, which may hold the same words. */
export function nullableStatement(name: TableName, { name: column, type, definition }: TargetColumn): string {
  return `ALTER TABLE ${qualified(name)} MODIFY COLUMN ${quoteName(column)} ${type} ${definition.replace(/\bNOT NULL\b/, 'NULL')}`.trimEnd();
}

/** What an operator could run about differences that stay. */
export function misfitStatements(name: TableName, { misfits }: Decision, server: ServerFacts): string[] {
  return misfits.flatMap((misfit) => {
    if (misfit.kind === 'no_column') return [alterStatement(name, { add: [misfit.column], widen: [] }, server)];
    if (misfit.kind === 'narrow_column' && misfit.type !== null)
      return [`ALTER TABLE ${qualified(name)} ${retyping(misfit.target, misfit.type, server)}`];
    return [];
  });
}

/** The same, for people. */
export const misfitTexts = (decision: Decision): string[] => textsOf(decision, (column) => column.type);

/** For `plan`. */
export function previewWords(name: TableName, source: TableSchema, decision: Decision, server: ServerFacts): PreviewWords<TargetColumn> {
  const isInstant = server.number >= (server.flavor === 'mariadb' ? 100_302 : 80_012);
  return {
    create: createTableStatement(name, source.columns, source.key, server),
    add: (column) => alterStatement(name, { add: [column], widen: [] }, server),
    addNote: isInstant
      ? 'waits for open transactions on the table; no rewrite'
      : 'the server writes the table anew; it can be used meanwhile',
    widen: (change) => ({
      sql: alterStatement(name, { add: [], widen: [change] }, server),
      note: 'the server may write the table anew: nobody writes to it meanwhile; `write_timeout` must allow for it',
    }),
    misfits: misfitTexts(decision),
  };
}

function columnName(column: Column): string {
  return quoteName(checkedName(column.name, `column "${column.name}"`));
}
