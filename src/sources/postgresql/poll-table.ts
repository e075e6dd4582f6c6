// What polling asks the server about one table: how its rows are ordered, the newest one, and up to where rows may be read.

import { CdcError } from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import { type ChunkTable, literal } from './chunk-sql.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import type { OrderKind } from './polling-position.ts';
import type { Queries } from './queries.ts';
import type { CatalogTable } from './system-catalog.ts';

export type Watermark = NonNullable<PostgresqlSourceConfig['watermark']>;

export interface PollTable {
  /** Its key is what rows are read in the order of: the watermark, then the key. */
  readonly chunk: ChunkTable;
  readonly kinds: readonly OrderKind[];
  /** What tells when a row may be read. */
  readonly settles: 'by_time' | 'by_xid' | 'by_look';
}

const INTEGERS: ReadonlySet<number> = new Set([20, 21, 23, 26]),
  XID8 = 5069,
  DATES: ReadonlySet<number> = new Set([1082, 1114, 1184]),
  UUID = 2950,
  TEXTS: ReadonlySet<number> = new Set([25, 1043, 19]);

/** Of the columns of a table: those whose texts sort by their bytes. $1: its oid. */
const BYTEWISE = `
SELECT a.attname AS name FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_collation AS c ON c.oid = a.attcollation
  JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND (c.collname IN ('C', 'POSIX', 'ucs_basic') OR (c.collname = 'default' AND d.datcollate IN ('C', 'POSIX')))`;

export async function pollTable(queries: Queries, table: CatalogTable, watermark: Watermark, where: string): Promise<PollTable> {
  const { schema, table: name, columns, primaryKey } = table,
    wanted = watermark.key === undefined ? primaryKey : typeof watermark.key === 'string' ? [watermark.key] : watermark.key,
    order = [...new Set([watermark.column, ...wanted])];
  const wrong = (problem: string, fix: string): CdcError =>
    new CdcError('SOURCE_MISCONFIGURED', `The table ${schema}.${name} cannot be polled: ${problem}.`, { where, fix });
  if (wanted.length === 0) throw wrong('it has no primary key', 'Name columns that tell its rows apart: `watermark.key`.');
  const found = order.map((column) => {
    const known = columns.find((c) => c.name === column);
    if (known === undefined) throw wrong(`it has no column "${column}"`, 'Correct `watermark`, or leave the table out of `tables`.');
    // Rows with NULL in a key would be neither before nor behind any place.
    if (!known.notNull && column !== watermark.column)
      throw wrong(`"${column}" may be NULL, so it is no key`, 'Make the column NOT NULL, or name others in `watermark.key`.');
    return known;
  });
  const bytewise = new Set((await queries.query(BYTEWISE, [table.oid])).rows.map((r) => r['name']));
  const kinds = found.map((c): OrderKind => kindOf(c.typeOid, bytewise.has(c.name)));
  const type = found[0]?.typeOid ?? 0,
    expected = { timestamp: DATES.has(type), integer: INTEGERS.has(type) || type === XID8, text: kinds[0] === 's' }[watermark.type];
  if (!expected) {
    const fix =
      watermark.type === 'text' ? 'Give the column COLLATE "C": only then the order of texts is known here.' : 'Correct `watermark.type`.';
    throw wrong(
      `its column "${watermark.column}" is no ${watermark.type}${watermark.type === 'text' ? ' that sorts by its bytes' : ''}`,
      fix,
    );
  }
  return {
    chunk: { schema, table: name, isPartitioned: table.kind === 'p', key: order, where: null },
    kinds,
    settles: type === XID8 ? 'by_xid' : watermark.type === 'timestamp' ? 'by_time' : 'by_look',
  };
}

function kindOf(typeOid: number, isBytewise: boolean): OrderKind {
  if (INTEGERS.has(typeOid) || typeOid === XID8) return 'i';
  if (DATES.has(typeOid)) return 't';
  return typeOid === UUID || (TEXTS.has(typeOid) && isBytewise) ? 's' : 'x';
}

/**
 * Whoever writes now has a watermark of its beginning or later, and is not seen yet: nothing from there on may be read. Asked
 * before the snapshot in which rows are read, so that who ends in between is seen there. Transactions of other roles show
 * themselves only to members of pg_read_all_stats; two-phase ones when they were prepared.
 */
const SETTLED_TIME = `
SELECT least(clock_timestamp() - $1::float8 * interval '1 millisecond',
  (SELECT min(xact_start) FROM pg_catalog.pg_stat_activity
    WHERE backend_xid IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()))::text AS bound`;
/** All transactions below it have ended. */
const SETTLED_XID = 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS bound';

/** The first watermark that must not be read yet; `null`: it says nothing. */
export async function settledBefore(queries: Queries, { settles }: PollTable, settleMs: number): Promise<string | null> {
  if (settles === 'by_look') return null;
  const { rows } = settles === 'by_time' ? await queries.query(SETTLED_TIME, [String(settleMs)]) : await queries.query(SETTLED_XID);
  return rows[0]?.['bound'] ?? null;
}

/** Rows that have a watermark, below `before`. */
export function readable({ chunk }: PollTable, before: string | null): string {
  const column = quoteName(chunk.key[0] ?? '');
  return `${column} IS NOT NULL${before === null ? '' : ` AND ${column} < ${literal(before)}`}`;
}

/** Watermark and key of the newest row, as a JSON array of texts; `null`: there is none. */
export async function newestRow(queries: Queries, table: PollTable, before: string | null): Promise<string | null> {
  const { schema, table: name, isPartitioned, key } = table.chunk,
    texts = key.map((k) => `${quoteName(k)}::text`).join(', '),
    order = key.map((k) => `${quoteName(k)} DESC`).join(', ');
  const { rows } = await queries.query(
    `SELECT json_build_array(${texts})::text AS place FROM ${isPartitioned ? '' : 'ONLY '}${quoteName(schema)}.${quoteName(name)} WHERE ${readable(table, before)} ORDER BY ${order} LIMIT 1`,
  );
  const place = rows[0]?.['place'];
  return place == null ? null : JSON.stringify(JSON.parse(place));
}
