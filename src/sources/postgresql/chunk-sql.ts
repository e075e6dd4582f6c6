// The statements of snapshots. Order and comparison are the database's own; keys are the texts it gave. They are written
// as literals without a type: each takes that of the column beside it.

import { quoteName } from '../../util/sql-names.ts';
import { END_OF_LOG } from './end-of-log.ts';

/** How a table is read. */
export interface ChunkTable {
  readonly schema: string;
  readonly table: string;
  /** Its rows are in its partitions. */
  readonly isPartitioned: boolean;
  /**
   * What every event carries of the old row, if it is unique and has no NULL: by it rows are ordered, and found in the stream.
   * Empty for tables that are read in one pass.
   */
  readonly key: readonly string[];
  /** `snapshot.where` of the configuration. */
  readonly where: string | null;
}

/** `it's` → `'it''s'`; with a backslash in the form that means the same whatever the server's settings are. */
export function literal(text: string): string {
  const quoted = text.replaceAll("'", "''");
  return text.includes('\\') ? `E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

const list = (names: readonly string[]): string => names.map(quoteName).join(', ');
const tuple = (names: readonly string[]): string => `(${list(names)})`;
/** A key as it was carried: a JSON array of texts. */
const values = (key: string): string => `(${(JSON.parse(key) as string[]).map(literal).join(', ')})`;

/** Tables that inherit are tables of their own; partitions are not. */
function from({ schema, table, isPartitioned }: ChunkTable): string {
  return `${isPartitioned ? '' : 'ONLY '}${quoteName(schema)}.${quoteName(table)}`;
}

export function lockTable(table: ChunkTable): string {
  return `LOCK TABLE ${from(table)} IN ACCESS SHARE MODE`;
}

/** Conditions of the configuration and of the run; each is SQL of the operator, and may end with a comment. */
function conditions(table: ChunkTable, where: string | null, more: readonly string[] = []): string {
  const all = [...[table.where, where].flatMap((w) => (w === null ? [] : [`(${w}\n)`])), ...more];
  return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`;
}

export interface Range {
  readonly after: string | null;
  readonly upTo: string | null;
}

function within(table: ChunkTable, { after, upTo }: Range): string[] {
  const key = tuple(table.key);
  return [...(after === null ? [] : [`${key} > ${values(after)}`]), ...(upTo === null ? [] : [`${key} <= ${values(upTo)}`])];
}

export function selectRange(table: ChunkTable, columns: readonly string[], where: string | null, range: Range, limit: number): string {
  const rows = `SELECT ${list(columns)} FROM ${from(table)}${conditions(table, where, within(table, range))} ORDER BY ${list(table.key)}`;
  return Number.isFinite(limit) ? `${rows} LIMIT ${limit}` : rows;
}

export function selectKeys(table: ChunkTable, columns: readonly string[], where: string | null, keys: readonly string[]): string {
  const these = `${tuple(table.key)} IN (${keys.map(values).join(', ')})`;
  return `SELECT ${list(columns)} FROM ${from(table)}${conditions(table, where, [these])}`;
}

export function selectAll(table: ChunkTable, columns: readonly string[], where: string | null): string {
  return `SELECT ${list(columns)} FROM ${from(table)}${conditions(table, where)}`;
}

export function selectAny(table: ChunkTable): string {
  return `SELECT EXISTS (SELECT FROM ${from(table)}${conditions(table, null)})::text AS found`;
}

/** What the planner believes, as JSON: it goes by statistics and the size of the table. */
export function explainRows(table: ChunkTable, where: string | null): string {
  return `EXPLAIN (FORMAT JSON) SELECT 1 FROM ${from(table)}${conditions(table, where)}`;
}

/** Every `rows`-th key behind `after`, `count` of them at most: the index is gone through, not the table. */
export function selectCuts(table: ChunkTable, where: string | null, after: string | null, rows: number, count: number): string {
  const key = list(table.key);
  const inner = `SELECT ${key}, row_number() OVER (ORDER BY ${key}) AS "cdc_run n" FROM ${from(table)}${conditions(
    table,
    where,
    within(table, { after, upTo: null }),
  )} ORDER BY ${key} LIMIT ${rows * count}`;
  const texts = table.key.map((name) => `${quoteName(name)}::text`).join(', ');
  return `SELECT json_build_array(${texts})::text AS key FROM (${inner}) AS cuts WHERE "cdc_run n" % ${rows} = 0 ORDER BY "cdc_run n"`;
}

/** The next transaction id, without taking one (facts: xmax of a snapshot is not it). */
export const NEXT_XID = "SELECT ((age('3'::xid)::bigint + 3) & 4294967295)::text AS xid";

/**
 * One statement behind the lock: S, the table and its files, what its columns are, and last H, the end of the log. Of a partitioned
 * table the files of all partitions count: TRUNCATE and rewrites give it another one. $1: its name.
 */
export const SEEN = `
  SELECT pg_current_snapshot()::text AS seen, pg_is_in_recovery() AS standby, ${END_OF_LOG},
    (SELECT string_agg(c.oid::text || ':' || c.relfilenode::text, ' ' ORDER BY c.oid) FROM pg_class c
      WHERE c.oid = t.oid OR c.oid IN (SELECT p.relid FROM pg_partition_tree(t.oid) p WHERE p.isleaf)) AS files,
    (SELECT md5(string_agg(a::text, ' ' ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0) AS columns
  FROM (SELECT to_regclass($1)::oid AS oid) AS t`;

export const qualifiedName = ({ schema, table }: ChunkTable): string => `${quoteName(schema)}.${quoteName(table)}`;
