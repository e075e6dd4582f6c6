// The statements of snapshots. Order and comparison are the database's own; keys are literals that were made of the values it gave.

import type { Column } from '../../sdk/index.ts';
import { quoteName } from '../../systems/mysql/names.ts';
import { isOrderedByNumber, selectExpression } from './text-values.ts';

/** How a table is read. */
export interface ChunkTable {
  readonly database: string;
  readonly table: string;
  /** SQL of rows that are read in its place, under any name. */
  readonly source?: string;
  /** By it rows are ordered, and found in the stream. Empty for tables that are read in one pass. */
  readonly key: readonly string[];
  /** `snapshot.where` of the configuration. */
  readonly where: string | null;
}

export const nameOf = ({ database, table }: Pick<ChunkTable, 'database' | 'table'>): string => `${database}.${table}`;
export const from = ({ database, table, source }: Pick<ChunkTable, 'database' | 'table' | 'source'>): string =>
  source ?? `${quoteName(database)}.${quoteName(table)}`;

/** What a key column is ordered by. */
export const orderExpression = (column: Column): string =>
  isOrderedByNumber(column) ? `${quoteName(column.name)} + 0` : quoteName(column.name);
const order = (key: readonly Column[]): string => key.map(orderExpression).join(', ');

/** Conditions of the configuration and of the run; each is SQL of the operator, and may end with a comment. */
function conditions(table: ChunkTable, where: string | null, more: readonly string[] = []): string {
  const all = [...[table.where, where].flatMap((w) => (w === null ? [] : [`(${w}\n)`])), ...more];
  return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`;
}

export const literals = (key: string): readonly string[] => JSON.parse(key) as string[];

/**
 * `(a, b) > (1, 2)` written out, because the server does not use an index for the short form:
 * `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`.
 */
export function beyond(key: readonly Column[], place: string, operator: '>' | '<', orEqual: boolean): string {
  const values = literals(place),
    names = key.map(orderExpression);
  const at = (i: number): string => {
    const name = names[i] as string,
      value = values[i] as string;
    if (i === names.length - 1) return `${name} ${operator}${orEqual ? '=' : ''} ${value}`;
    return `(${name} ${operator} ${value} OR (${name} = ${value} AND ${at(i + 1)}))`;
  };
  return names.length === 1 ? at(0) : `${names[0]} ${operator}= ${values[0]} AND ${at(0)}`;
}

export interface Range {
  readonly after: string | null;
  readonly upTo: string | null;
}

function within(key: readonly Column[], { after, upTo }: Range): string[] {
  return [...(after === null ? [] : [beyond(key, after, '>', false)]), ...(upTo === null ? [] : [beyond(key, upTo, '<', true)])];
}

/** The columns, and behind them the numbers of key columns that are ordered by them. */
function list(columns: readonly Column[], key: readonly Column[]): string {
  return [...columns.map(selectExpression), ...key.filter(isOrderedByNumber).map(orderExpression)].join(', ');
}

export interface Shape {
  readonly columns: readonly Column[];
  readonly key: readonly Column[];
}

export function selectRange(table: ChunkTable, { columns, key }: Shape, where: string | null, range: Range, limit: number): string {
  const rows = `SELECT ${list(columns, key)} FROM ${from(table)}${conditions(table, where, within(key, range))} ORDER BY ${order(key)}`;
  return Number.isFinite(limit) ? `${rows} LIMIT ${limit}` : rows;
}

export function selectKeys(table: ChunkTable, { columns, key }: Shape, where: string | null, keys: readonly string[]): string {
  const these = keys.map(
    (k) =>
      `(${literals(k)
        .map((value, i) => `${quoteName(key[i]?.name ?? '')} = ${value}`)
        .join(' AND ')})`,
  );
  return `SELECT ${list(columns, key)} FROM ${from(table)}${conditions(table, where, [`(${these.join(' OR ')})`])}`;
}

export function selectAll(table: ChunkTable, { columns }: Shape, where: string | null): string {
  return `SELECT ${list(columns, [])} FROM ${from(table)}${conditions(table, where)}`;
}

export function selectAny(table: ChunkTable): string {
  return `SELECT 1 AS found FROM ${from(table)}${conditions(table, null)} LIMIT 1`;
}

export function explainRows(table: ChunkTable, where: string | null): string {
  return `EXPLAIN SELECT 1 FROM ${from(table)}${conditions(table, where)}`;
}

/** The greatest key. */
export function selectNewest(table: ChunkTable, key: readonly Column[], where: string): string {
  const last = key.map((c) => `${orderExpression(c)} DESC`).join(', ');
  return `SELECT ${list(key, key)} FROM ${from(table)}${conditions(table, where)} ORDER BY ${last} LIMIT 1`;
}

/** One key, `rows` rows behind `after`: the index is gone through, not the table. */
export function selectCut(table: ChunkTable, key: readonly Column[], where: string | null, after: string | null, rows: number): string {
  const found = conditions(table, where, within(key, { after, upTo: null }));
  return `SELECT ${list(key, key)} FROM ${from(table)}${found} ORDER BY ${order(key)} LIMIT ${rows - 1}, 1`;
}
