// One table that is polled: how its rows are ordered, the newest one, a page of them.

import type { OrderKind } from '../../polling/places.ts';
import type { PollRange } from '../../polling/reader.ts';
import { CdcError, type TableId } from '../../sdk/index.ts';
import type { RangeJob } from '../../snapshot/types.ts';
import { quoteName } from '../../util/sql-names.ts';
import { type ChunkTable, literal } from './chunk-sql.ts';
import type { ChunkReader } from './chunks.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import type { Session } from './connection.ts';
import { kindOf, type PollInput, type PollRows, settlesOf, watermarkType } from './poll-input.ts';
import type { Queries } from './queries.ts';
import type { CatalogTable } from './system-catalog.ts';

export type Watermark = NonNullable<PostgresqlSourceConfig['watermark']>;

/** Of the columns of a table: those whose texts sort by their bytes. $1: its oid. */
const BYTEWISE = `
SELECT a.attname AS name FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_collation AS c ON c.oid = a.attcollation
  JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND (c.collname IN ('C', 'POSIX', 'ucs_basic') OR (c.collname = 'default' AND d.datcollate IN ('C', 'POSIX')))`;

/** How the rows of a table are ordered. Throws `SOURCE_MISCONFIGURED` where they cannot be. */
async function orderOf(
  queries: Queries,
  table: CatalogTable,
  watermark: Watermark,
  where: string,
): Promise<{ order: string[]; kinds: OrderKind[]; typeOid: number }> {
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
  const typeOid = found[0]?.typeOid ?? 0,
    expected = watermarkType(typeOid, kinds[0]) === watermark.type;
  if (!expected) {
    const fix =
      watermark.type === 'text' ? 'Give the column COLLATE "C": only then the order of texts is known here.' : 'Correct `watermark.type`.';
    throw wrong(
      `its column "${watermark.column}" is no ${watermark.type}${watermark.type === 'text' ? ' that sorts by its bytes' : ''}`,
      fix,
    );
  }
  return { order, kinds, typeOid };
}

export class PollTable implements PollInput {
  readonly id: TableId;
  readonly order: readonly string[];
  readonly kinds: readonly OrderKind[];
  readonly settles: PollInput['settles'];
  readonly carriesBefore = false;
  readonly #table: CatalogTable;
  readonly #chunk: ChunkTable;
  readonly #reader: () => Promise<ChunkReader>;

  private constructor(table: CatalogTable, found: Awaited<ReturnType<typeof orderOf>>, reader: () => Promise<ChunkReader>) {
    const { schema, table: name, kind } = table;
    this.id = { database: null, schema, table: name };
    this.order = found.order;
    this.kinds = found.kinds;
    this.settles = settlesOf(found.typeOid);
    this.#table = table;
    // Its key is what rows are read in the order of.
    this.#chunk = { schema, table: name, isPartitioned: kind === 'p', key: found.order, where: null };
    this.#reader = reader;
  }

  static async open(
    queries: Queries,
    table: CatalogTable,
    watermark: Watermark,
    where: string,
    reader: () => Promise<ChunkReader>,
  ): Promise<PollTable> {
    return new PollTable(table, await orderOf(queries, table, watermark, where), reader);
  }

  async catalogTable(): Promise<CatalogTable> {
    return this.#table;
  }

  async newest(queries: Queries, before: string | null): Promise<string | null> {
    const { schema, table: name, isPartitioned, key } = this.#chunk,
      texts = key.map((k) => `${quoteName(k)}::text`).join(', '),
      order = key.map((k) => `${quoteName(k)} DESC`).join(', ');
    const { rows } = await queries.query(
      `SELECT json_build_array(${texts})::text AS place FROM ${isPartitioned ? '' : 'ONLY '}${quoteName(schema)}.${quoteName(name)} WHERE ${this.#readable(before)} ORDER BY ${order} LIMIT 1`,
    );
    const place = rows[0]?.['place'];
    return place == null ? null : JSON.stringify(JSON.parse(place));
  }

  async rows(session: Session, { before, after, upTo, maxRows, maxBytes }: PollRange): Promise<PollRows> {
    const reader = await this.#reader(),
      job: RangeJob = { kind: 'range', id: 0, attempt: 0, table: '', where: this.#readable(before), after, upTo, maxRows, maxBytes };
    const read = await reader.read(session, this.#chunk, job, () => true);
    if (read === null) return { rows: [], bytes: 0, end: false };
    return { rows: Array.from({ length: read.rows.count }, (_, i) => read.rows.row(i)), bytes: read.bytes, end: read.end };
  }

  /** Rows that have a watermark, below `before`. */
  #readable(before: string | null): string {
    const column = quoteName(this.#chunk.key[0] ?? '');
    return `${column} IS NOT NULL${before === null ? '' : ` AND ${column} < ${literal(before)}`}`;
  }
}
