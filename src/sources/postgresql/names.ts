// Names at the server: the slot and the publication that belong to a pipeline, and which tables and columns patterns mean.

import { createHash } from 'node:crypto';
import { globToRegExp } from '../../util/glob.ts';

/** NAMEDATALEN - 1: the server cuts off what is longer. */
export const MAX_NAME_BYTES = 63;
const HASH_LETTERS = 8;

/** https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS-MANIPULATION */
export function isSlotName(name: string): boolean {
  return /^[a-z0-9_]{1,63}$/.test(name);
}

/**
 * The name of what belongs to a pipeline: `orders` → `cdc_run_orders`. Where letters must give way, a hash keeps the names of
 * two pipelines apart: `orders-eu` → `cdc_run_orders_eu_` and eight digits. `source`: only of a pipeline with several.
 */
export function ownName(pipeline: string, source: string | null = null): string {
  const wanted = source === null ? pipeline : `${pipeline}_${source}`;
  const name = `cdc_run_${wanted.toLowerCase().replace(/[^a-z0-9_]/g, '_')}`;
  // With a source the parts are hashed, too: `a_b` + `c` is not `a` + `b_c`.
  if (source === null && isSlotName(name) && name === `cdc_run_${wanted}`) return name;
  const hash = createHash('sha256')
    .update(JSON.stringify([pipeline, source]))
    .digest('hex')
    .slice(0, HASH_LETTERS);
  return `${name.slice(0, MAX_NAME_BYTES - HASH_LETTERS - 1)}_${hash}`;
}

/** `orders` means `public.orders`. Dots that belong to a name are written `\.`. */
export function tablePattern(pattern: string): string {
  return /(^|[^\\])\./.test(pattern) ? pattern : `public.${pattern}`;
}

/** Does the pattern mean the table? An exact `schema.table` always does, whatever characters it has. */
export function matchesTable(pattern: string, schema: string, table: string): boolean {
  const full = tablePattern(pattern);
  return full === `${schema}.${table}` || toRegExp(full).test(dotted(schema, table));
}

/** A predicate over all patterns. */
export function tableFilter(wanted: readonly string[]): (schema: string, table: string) => boolean {
  const exact = new Set(wanted.map(tablePattern)),
    expressions = [...exact].map(toRegExp);
  return (schema, table) => exact.has(`${schema}.${table}`) || expressions.some((e) => e.test(dotted(schema, table)));
}

/** `schema.table.column`, `table.column` (any schema), `column` (any table). Key columns are not asked about. */
export function columnFilter(columns: {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}): (schema: string, table: string, column: string) => boolean {
  const include = columns.include.map(columnPattern),
    exclude = columns.exclude.map(columnPattern);
  return (schema, table, column) => {
    const name = dotted(schema, table, column);
    return include.some((e) => e.test(name)) && !exclude.some((e) => e.test(name));
  };
}

function columnPattern(pattern: string): RegExp {
  const parts = pattern.replaceAll('\\.', '').split('.').length;
  return toRegExp('*.'.repeat(Math.max(0, 3 - parts)) + pattern);
}

/** Stands for a dot that belongs to a name; no name of the server holds it. */
const INNER_DOT = '\u0000';

function dotted(...names: string[]): string {
  return names.map((name) => name.replaceAll('.', INNER_DOT)).join('.');
}

function toRegExp(pattern: string): RegExp {
  return globToRegExp(pattern.replaceAll('\\.', INNER_DOT), '.');
}
