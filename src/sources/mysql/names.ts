// Which tables and columns patterns mean. A database is what other systems call a schema: names have two parts.

import { globToRegExp } from '../../util/glob.ts';

/** Databases of the server itself, and what hosts write to keep a server busy. */
const SYSTEM = new Set(['mysql', 'information_schema', 'performance_schema', 'sys']);
const HEARTBEATS = /^rds_heartbeat/;

export const isSystem = (database: string): boolean => SYSTEM.has(database.toLowerCase());

/** Stands for a dot that belongs to a name; no name of the server holds it. */
const INNER_DOT = '\u0000';

const dotted = (...names: string[]): string => names.map((name) => name.replaceAll('.', INNER_DOT)).join('.');
const toRegExp = (pattern: string): RegExp => globToRegExp(pattern.replaceAll('\\.', INNER_DOT), '.');

/** `orders` is a table of the database of the connection, or of any where that says none. */
export function tablePattern(pattern: string, database: string | null): string {
  return /(^|[^\\])\./.test(pattern) ? pattern : `${(database ?? '*').replaceAll('.', '\\.')}.${pattern}`;
}

export function matchesTable(pattern: string, home: string | null, database: string, table: string): boolean {
  const full = tablePattern(pattern, home);
  return full === `${database}.${table}` || toRegExp(full).test(dotted(database, table));
}

/** The table that a name without wildcards means; without any database it belongs to none. */
export function nameIn(name: string, home: string | null): { database: string; table: string } {
  const [database = '', table = name] = name.split(/(?<!\\)\.(.*)/s),
    plain = (text: string): string => text.replaceAll('\\.', '.');
  return /(^|[^\\])\./.test(name) ? { database: plain(database), table: plain(table) } : { database: home ?? '', table: plain(name) };
}

/** A predicate over all patterns. Tables of the server itself are never meant. */
export function tableFilter(wanted: readonly string[], home: string | null): (database: string, table: string) => boolean {
  const exact = new Set(wanted.map((p) => tablePattern(p, home))),
    expressions = [...exact].map(toRegExp);
  return (database, table) =>
    !isSystem(database) &&
    !HEARTBEATS.test(table) &&
    (exact.has(`${database}.${table}`) || expressions.some((e) => e.test(dotted(database, table))));
}

/** `database.table.column`, `table.column` (any database), `column` (any table). Key columns are not asked about. */
export function columnFilter(columns: {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}): (database: string, table: string, column: string) => boolean {
  const include = columns.include.map(columnPattern),
    exclude = columns.exclude.map(columnPattern);
  return (database, table, column) => {
    const name = dotted(database, table, column);
    return include.some((e) => e.test(name)) && !exclude.some((e) => e.test(name));
  };
}

function columnPattern(pattern: string): RegExp {
  const parts = pattern.replaceAll('\\.', '').split('.').length;
  return toRegExp('*.'.repeat(Math.max(0, 3 - parts)) + pattern);
}
