// SQL text of the writer. Values come as literals that types.ts has spelled. Pure.

import { qualified, quoteName } from '../../systems/mysql/names.ts';
import type { TargetColumn, TargetTable } from './target-table.ts';

export type ConflictAction = 'upsert' | 'replace' | 'ignore' | 'none';
type Literals = readonly (string | null)[];

/** `(1,'a',NULL)` */
export function tuple(values: Literals): string {
  let text = '(';
  for (let i = 0; i < values.length; i++) text += (i === 0 ? '' : ',') + (values[i] ?? 'NULL');
  return `${text})`;
}

/** Before and behind the tuples of an insert. `none` as well where a row cannot meet another one. */
export function insertFrame(table: TargetTable, columns: readonly TargetColumn[], conflict: ConflictAction): [head: string, tail: string] {
  const names = columns.map((c) => quoteName(c.name)).join(', ');
  return [`INSERT INTO ${qualified(table)} (${names}) VALUES `, onConflict(table, columns, conflict)];
}

/** INSERT IGNORE would keep more than the row quiet: cut texts, rounded numbers. So the key is set to itself instead. */
function onConflict(table: TargetTable, columns: readonly TargetColumn[], conflict: ConflictAction): string {
  if (conflict === 'none') return '';
  const settings =
    conflict === 'ignore'
      ? []
      : columns.filter((c) => !table.key.includes(c.name)).map((c) => `${quoteName(c.name)} = VALUES(${quoteName(c.name)})`);
  if (conflict === 'replace') settings.push(...resets(table, columns));
  if (settings.length > 0)
    settings.push(
      ...pins(
        table,
        columns.filter((c) => !table.key.includes(c.name)),
        true,
      ),
    );
  const [first = ''] = table.key.map(quoteName);
  return ` ON DUPLICATE KEY UPDATE ${settings.length === 0 ? `${first} = ${first}` : settings.join(', ')}`;
}

/** `replace`: what the event does not have goes back to its default. REPLACE would delete the row, and what refers to it. */
function resets(table: TargetTable, columns: readonly TargetColumn[]): string[] {
  const sent = new Set(columns.map((c) => c.name));
  return table.columns.filter((c) => !sent.has(c.name) && !c.generated && !c.autoIncrement).map((c) => `${quoteName(c.name)} = DEFAULT`);
}

/** The server would move a row to another key, or change a column that an incomplete event leaves alone. */
function pins(table: TargetTable, columns: readonly TargetColumn[], keysOnly: boolean): string[] {
  const sent = new Set(columns.map((c) => c.name));
  const pinned = table.columns.filter((c) => c.selfUpdating && !sent.has(c.name) && (!keysOnly || table.key.includes(c.name)));
  return pinned.map((c) => `${quoteName(c.name)} = ${quoteName(c.name)}`);
}

/** `` `a` = 1 AND `b` = 'x' `` */
export function isKey(key: readonly TargetColumn[], values: Literals): string {
  return key.map((c, i) => `${quoteName(c.name)} = ${values[i] ?? 'NULL'}`).join(' AND ');
}

/** All keys at once; the server finds each by the index. */
export function deleteStatement(table: TargetTable, key: readonly TargetColumn[], keys: readonly Literals[]): string {
  const [only] = key;
  const where =
    key.length === 1 && only !== undefined
      ? `${quoteName(only.name)} IN (${keys.map(([value]) => value ?? 'NULL').join(',')})`
      : keys.map((values) => `(${isKey(key, values)})`).join(' OR ');
  return `DELETE FROM ${qualified(table)} WHERE ${where}`;
}

/** One row's columns. `replace` resets the others, `patch` leaves them all as they are. Without columns the key is set to itself, so that the row counts as met. */
export function updateStatement(
  table: TargetTable,
  columns: readonly TargetColumn[],
  values: Literals,
  where: string,
  conflict: 'upsert' | 'replace' | 'patch',
): string {
  const settings = columns.map((c, i) => `${quoteName(c.name)} = ${values[i] ?? 'NULL'}`);
  if (conflict === 'replace') settings.push(...resets(table, [...columns, ...table.columns.filter((c) => table.key.includes(c.name))]));
  settings.push(...pins(table, columns, conflict !== 'patch'));
  const [first = ''] = table.key.map(quoteName);
  return `UPDATE ${qualified(table)} SET ${settings.length === 0 ? `${first} = ${first}` : settings.join(', ')} WHERE ${where}`;
}

/** A row that is not there by its key; one with another unique value in common is an error, as it should be. */
export function addStatement(table: TargetTable, columns: readonly TargetColumn[], values: Literals, where: string): string {
  const names = columns.map((c) => quoteName(c.name)).join(', ');
  const row = values.map((v) => v ?? 'NULL').join(', ');
  return `INSERT INTO ${qualified(table)} (${names}) SELECT ${row} FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM ${qualified(table)} WHERE ${where})`;
}
