// SQL text: quoted names and the statements of the writer. Values are always bound, never written into the text. Pure.

import { quoteName } from '../../util/sql-names.ts';
import type { TargetColumn, TargetTable } from './target-table.ts';

export function qualified(table: { readonly schema: string; readonly name: string }): string {
  return `${quoteName(table.schema)}.${quoteName(table.name)}`;
}

/** Rows to write come as `v(c0, c1, …)`; this reads column `i` of it in the target's type. */
function read(column: TargetColumn, i: number): string {
  return column.bulk ? `v.c${i}` : `v.c${i}::${column.type}`;
}

/**
 * Arrays of texts as rows. Types whose arrays read like our text go in as they are; the others (arrays, enums, domains,
 * types with another delimiter) go in as text and are cast row by row. Casts carry no length: `::varchar(3)` would cut
 * silently, while the assignment to the column refuses.
 */
function unnest(columns: readonly TargetColumn[], more: readonly string[] = []): string {
  const params = [...columns.map((c) => (c.bulk ? c.type : 'text')), ...more].map((type, i) => `$${i + 1}::${type}[]`);
  return `unnest(${params.join(', ')}) AS v(${params.map((_, i) => `c${i}`).join(', ')})`;
}

export type ConflictAction = 'upsert' | 'replace' | 'ignore' | 'none';

/** `from` is a row source `… AS v(c0, …)` in the order of `columns`: `unnest`, or the table that COPY filled. */
function insertFrom(table: TargetTable, columns: readonly TargetColumn[], conflict: ConflictAction, from: string): string {
  const names = columns.map((c) => quoteName(c.name)).join(', ');
  // A column GENERATED ALWAYS AS IDENTITY takes the source's value only when told so.
  const overriding = columns.some((c) => c.identity === 'always') ? ' OVERRIDING SYSTEM VALUE' : '';
  return `INSERT INTO ${qualified(table)} (${names})${overriding} SELECT ${columns.map(read).join(', ')} FROM ${from}${onConflict(table, columns, conflict)}`;
}

function onConflict(table: TargetTable, columns: readonly TargetColumn[], conflict: ConflictAction): string {
  if (conflict === 'none') return '';
  const target = ` ON CONFLICT (${table.key.map(quoteName).join(', ')})`;
  const settings = conflict === 'ignore' ? [] : conflictSettings(table, columns, conflict);
  return settings.length === 0 ? `${target} DO NOTHING` : `${target} DO UPDATE SET ${settings.join(', ')}`;
}

function conflictSettings(table: TargetTable, columns: readonly TargetColumn[], conflict: ConflictAction): string[] {
  const sent = new Set(columns.map((c) => c.name));
  const settings = columns.filter((c) => !table.key.includes(c.name)).map((c) => `${quoteName(c.name)} = excluded.${quoteName(c.name)}`);
  return conflict === 'replace' ? [...settings, ...resets(table, sent)] : settings;
}

/** `replace`: what the event does not have goes back to its default. */
function resets(table: TargetTable, sent: ReadonlySet<string>): string[] {
  return table.columns
    .filter((c) => !sent.has(c.name) && !c.generated && c.identity === 'none')
    .map((c) => `${quoteName(c.name)} = DEFAULT`);
}

/** Parameters: one array of texts per column. */
export function insertStatement(table: TargetTable, columns: readonly TargetColumn[], conflict: ConflictAction): string {
  return insertFrom(table, columns, conflict, unnest(columns));
}

/** The columns of a table that COPY fills: `c0 bigint, c1 text, …`. */
export function stageColumns(columns: readonly TargetColumn[]): string {
  return columns.map((c, i) => `c${i} ${c.bulk ? c.type : 'text'}`).join(', ');
}

export function insertFromStage(table: TargetTable, columns: readonly TargetColumn[], conflict: ConflictAction, stage: string): string {
  return insertFrom(table, columns, conflict, `${stage} AS v`);
}

/** `t."id" = v.c0 AND …` for the first columns of the row source. */
function sameKey(key: readonly TargetColumn[]): string {
  return key.map((c, i) => `t.${quoteName(c.name)} = ${read(c, i)}`).join(' AND ');
}

/** Parameters: one array per key column. */
export function deleteStatement(table: TargetTable, key: readonly TargetColumn[]): string {
  return `DELETE FROM ${qualified(table)} AS t USING ${unnest(key)} WHERE ${sameKey(key)}`;
}

/**
 * Updates rows that are there, and returns the ordinals of those. Parameters: one array per key column, one per further
 * column, one of ordinals. Without further columns it only looks which rows are there.
 */
export function patchStatement(table: TargetTable, key: readonly TargetColumn[], columns: readonly TargetColumn[]): string {
  const all = [...key, ...columns];
  const rows = unnest(all, ['int']),
    ordinal = `v.c${all.length}`;
  if (columns.length === 0) return `SELECT ${ordinal} AS n FROM ${qualified(table)} AS t, ${rows} WHERE ${sameKey(key)}`;
  const settings = columns.map((c, i) => `${quoteName(c.name)} = ${read(c, key.length + i)}`);
  return `UPDATE ${qualified(table)} AS t SET ${settings.join(', ')} FROM ${rows} WHERE ${sameKey(key)} RETURNING ${ordinal} AS n`;
}

/** The three statements of one change of key. */
export interface MoveStatements {
  /** Removes another row that stands at the new key, if the old one is there: left over from a later state. Parameters: new key, old key. */
  readonly clear: string;
  /** Parameters: the columns (new key among them), old key. */
  readonly move: string;
}

export function moveStatements(
  table: TargetTable,
  key: readonly TargetColumn[],
  columns: readonly TargetColumn[],
  replace: boolean,
): MoveStatements {
  const is = (alias: string, from: number): string =>
    key.map((c, i) => `${alias}.${quoteName(c.name)} = $${from + i + 1}::text::${c.type}`).join(' AND ');
  const name = qualified(table);
  const settings = columns.map((c, i) => `${quoteName(c.name)} = $${i + 1}::text::${c.type}`);
  if (replace) settings.push(...resets(table, new Set(columns.map((c) => c.name))));
  return {
    clear: `DELETE FROM ${name} AS t WHERE ${is('t', 0)} AND NOT (${is('t', key.length)}) AND EXISTS (SELECT 1 FROM ${name} AS o WHERE ${is('o', key.length)})`,
    move: `UPDATE ${name} AS t SET ${settings.join(', ')} WHERE ${is('t', columns.length)}`,
  };
}
