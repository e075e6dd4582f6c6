// One table that is polled: how its rows are ordered, the newest one, a page of them.

import type { OrderKind } from '../../polling/places.ts';
import { CdcError, type Column, type TableId } from '../../sdk/index.ts';
import { quoteName, textLiteral } from '../../systems/mysql/names.ts';
import { Catalog, type CatalogColumn, type CatalogTable } from './catalog.ts';
import { mapColumn } from './catalog-map.ts';
import { type ChunkTable, from, selectNewest, selectRange } from './chunk-sql.ts';
import { chunkRow, cutPlace, type ReadRow, shapeOf } from './chunks.ts';
import type { MysqlSourceConfig } from './config.ts';
import type { Session } from './connection.ts';
import { DATE_LETTERS, type TimeColumn } from './poll-bound.ts';
import { factOf, nameOfTable, type SchemaTracker, tableId } from './schemas.ts';
import { isKeyType, isOrderedByNumber } from './text-values.ts';
import { columnOf } from './types.ts';

export type Watermark = NonNullable<MysqlSourceConfig['watermark']>;

const SECOND_LETTERS = 19;

/** Places are JSON arrays of texts: watermark, then key. */
export interface PollRange {
  /** The first watermark that must not be read yet; `null`: none. */
  readonly before: string | null;
  readonly after: string | null;
  readonly upTo: string | null;
  readonly maxRows: number;
  readonly maxBytes: number;
}

export interface PollRow {
  readonly row: ReadRow;
  readonly texts: string;
}

export interface PollRows {
  readonly rows: readonly PollRow[];
  readonly bytes: number;
  /** There is nothing more in the range. */
  readonly end: boolean;
}

/** Collations whose order is that of UTF-8. Of the older ones, blanks at the end do not count. */
const BYTEWISE = /^(?:utf8mb4|utf8mb3|utf8|ascii)_(?:nopad_|0900_)?bin$/,
  NO_PAD = /_(?:nopad|0900)_bin$/;

export function kindOf(column: Column, collation: string | null): OrderKind {
  if (isOrderedByNumber(column)) return 'i';
  switch (column.type) {
    case 'int16':
    case 'int32':
    case 'int64':
    case 'uint64':
      return 'i';
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return 't';
    case 'string':
      return !BYTEWISE.test(collation ?? '') ? 'x' : NO_PAD.test(collation ?? '') ? 's' : 'p';
    default:
      return 'x';
  }
}

function watermarkType(column: Column, kind: OrderKind): Watermark['type'] | null {
  if (isOrderedByNumber(column) || column.nativeType === 'year') return null;
  return kind === 't' ? 'timestamp' : kind === 'i' ? 'integer' : kind === 'x' ? null : 'text';
}

/** `null`: the watermark says nothing of the time. */
function timeColumn({ type, precision = 0 }: Column): TimeColumn | null {
  const zone = type === 'timestamptz' ? 'utc' : 'server';
  if (type === 'date') return { zone, letters: DATE_LETTERS };
  return type === 'timestamp' || type === 'timestamptz' ? { zone, letters: SECOND_LETTERS + (precision === 0 ? 0 : precision + 1) } : null;
}

interface Order {
  readonly columns: readonly Column[];
  readonly kinds: readonly OrderKind[];
}

/** How the rows of a table are ordered. Throws `SOURCE_MISCONFIGURED` where they cannot be. */
function orderOf(table: CatalogTable, watermark: Watermark, where: string): Order {
  const wanted = watermark.key === undefined ? table.key : [watermark.key].flat(),
    names = [...new Set([watermark.column, ...wanted])];
  const wrong = (problem: string, fix: string): CdcError =>
    new CdcError('SOURCE_MISCONFIGURED', `The table ${nameOfTable(table)} cannot be polled: ${problem}.`, { where, fix });
  if (wanted.length === 0) throw wrong('it has no primary key', 'Name columns that tell its rows apart: `watermark.key`.');
  const found = names.map((name) => {
    const i = table.columns.findIndex((c) => c.name === name),
      known = table.columns[i];
    if (known === undefined) throw wrong(`it has no column "${name}"`, 'Correct `watermark`, or leave the table out of `tables`.');
    // Rows with NULL in a key would be neither before nor behind any place.
    if (known.nullable && name !== watermark.column)
      throw wrong(`"${name}" may be NULL, so it is no key`, 'Make the column NOT NULL, or name others in `watermark.key`.');
    const column = columnOf(mapColumn(known), i, factOf(known));
    if (!isKeyType(column)) throw wrong(`"${name}" is of type ${known.columnType}, which has no order`, 'Name others in `watermark.key`.');
    return { column, known };
  });
  const columns = found.map(({ column }) => column),
    kinds = found.map(({ column, known }): OrderKind => kindOf(column, known.collation));
  checkType(found[0] as (typeof found)[number], kinds[0] as OrderKind, watermark, wrong);
  return { columns, kinds };
}

function checkType(
  { column, known }: { readonly column: Column; readonly known: CatalogColumn },
  kind: OrderKind,
  { type }: Watermark,
  wrong: (problem: string, fix: string) => CdcError,
): void {
  if (watermarkType(column, kind) === type) return;
  const isText = type === 'text',
    fix = isText ? 'Give the column COLLATE utf8mb4_bin: only then the order of texts is known here.' : 'Correct `watermark.type`.';
  throw wrong(`its column "${column.name}" (${known.columnType}) is no ${type}${isText ? ' of a binary collation of UTF-8' : ''}`, fix);
}

const LITERAL = /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|x'[0-9a-f]*'|'(?:[^'\\]|''|\\.)*')$/s;

export class PollTable {
  readonly id: TableId;
  /** What rows are read in the order of: the watermark, then the key. */
  readonly order: readonly Column[];
  readonly kinds: readonly OrderKind[];
  readonly time: TimeColumn | null;
  readonly table: CatalogTable;
  readonly #chunk: ChunkTable;

  /** Throws `SOURCE_MISCONFIGURED` where the table cannot be polled. */
  constructor(table: CatalogTable, watermark: Watermark, where: string) {
    const { columns, kinds } = orderOf(table, watermark, where),
      { database, table: name } = table;
    this.id = tableId(database, name);
    this.order = columns;
    this.kinds = kinds;
    this.time = timeColumn(columns[0] as Column);
    this.table = table;
    // Its key is what rows are read in the order of.
    this.#chunk = { database, table: name, key: columns.map((c) => c.name), where: null };
  }

  /** Watermark and key of the newest row with a watermark below `before`; `null`: there is none. */
  async newest(session: Session, before: string | null): Promise<string | null> {
    let place: string | null = null;
    for await (const values of session.rows(selectNewest(this.#chunk, this.order, this.#readable(before))))
      place = this.#texts(cutPlace(this.order, values));
    return place;
  }

  /** In one read-only transaction, in which the table cannot be altered. */
  async rows(session: Session, tracker: SchemaTracker, isMariadb: boolean, range: PollRange, where: string): Promise<PollRows> {
    const { maxRows, maxBytes } = range,
      table = this.#chunk;
    await session.query('START TRANSACTION READ ONLY');
    try {
      await session.query(`SELECT 1 FROM ${from(table)} LIMIT 0`);
      const now = await new Catalog(session, () => Promise.resolve(isMariadb)).table(table.database, table.table),
        lacking = table.key.find((name) => now?.columns.every((c) => c.name !== name) ?? true);
      if (now === null || lacking !== undefined)
        throw new CdcError('SOURCE_MISCONFIGURED', `The table ${nameOfTable(table)} has no column "${lacking}" any more.`, {
          where,
          fix: 'Start the pipeline again, or correct `watermark`.',
        });
      const shape = shapeOf(now, tracker, table.key),
        after = range.after === null ? null : this.#literals(range.after, where),
        upTo = range.upTo === null ? null : this.#literals(range.upTo, where),
        rows: PollRow[] = [];
      let bytes = 0;
      for await (const values of session.rows(selectRange(table, shape, this.#readable(range.before), { after, upTo }, maxRows))) {
        const { row, place, bytes: size } = chunkRow(shape, values);
        rows.push({ row, texts: this.#texts(place) });
        bytes += size;
        if (bytes >= maxBytes) return { rows, bytes, end: false };
      }
      return { rows, bytes, end: rows.length < maxRows };
    } finally {
      // It has written nothing, so there is nothing to keep; a connection that is gone has ended it already.
      if (!session.isBroken)
        await session.query('ROLLBACK').catch(() => {
          session.isBroken = true;
        });
    }
  }

  /** Rows that have a watermark, below `before`. */
  #readable(before: string | null): string {
    const column = quoteName(this.#chunk.key[0] ?? '');
    return `${column} IS NOT NULL${before === null ? '' : ` AND ${column} < ${textLiteral(before)}`}`;
  }

  /** SQL of a place → its texts. What only the server can order stays SQL. */
  #texts(place: string): string {
    const isQuoted = (i: number): boolean => /[tsp]/.test(this.kinds[i] ?? 'x');
    return JSON.stringify((JSON.parse(place) as string[]).map((sql, i) => (isQuoted(i) ? unquoted(sql) : sql)));
  }

  #literals(texts: string, where: string): string {
    const found = (JSON.parse(texts) as string[]).map((text, i) => (/[tsp]/.test(this.kinds[i] ?? 'x') ? textLiteral(text) : text)),
      wrong = found.find((sql) => !LITERAL.test(sql));
    if (wrong === undefined) return JSON.stringify(found);
    throw new CdcError('STATE_CORRUPT', `A place of ${nameOfTable(this.#chunk)} holds what is no value: ${wrong.slice(0, 50)}.`, {
      where,
      fix: 'Begin anew with `cdc-run forget`.',
    });
  }
}

/** What `textLiteral` was given. */
function unquoted(sql: string): string {
  return sql
    .slice(1, -1)
    .replaceAll(/''|\\(.)/gs, (_, escaped?: string) => (escaped === undefined ? "'" : escaped === '0' ? '\0' : escaped));
}
