// How rows of polled tables are ordered: by the watermark, then by what tells rows apart. Decides from the catalog alone.

import type { OrderKind } from '../../polling/places.ts';
import { CdcError, type Column } from '../../sdk/index.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import { mapColumn } from './catalog-map.ts';
import type { MysqlSourceConfig } from './config.ts';
import { factOf } from './facts.ts';
import { DATE_LETTERS, type TimeColumn } from './poll-bound.ts';
import { nameOfTable } from './schemas.ts';
import { isKeyType, isOrderedByNumber } from './text-values.ts';
import { columnOf } from './types.ts';

export type Watermark = NonNullable<MysqlSourceConfig['watermark']>;

const SECOND_LETTERS = 19;

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

/** `null`: no type that grows in an order which is known here. */
export function watermarkTypeOf(known: CatalogColumn): Watermark['type'] | null {
  const column = columnOf(mapColumn(known), 0, factOf(known));
  return watermarkType(column, kindOf(column, known.collation));
}

/** `null`: the watermark says nothing of the time. */
export function timeColumn({ type, precision = 0 }: Column): TimeColumn | null {
  const zone = type === 'timestamptz' ? 'utc' : 'server';
  if (type === 'date') return { zone, letters: DATE_LETTERS };
  return type === 'timestamp' || type === 'timestamptz' ? { zone, letters: SECOND_LETTERS + (precision === 0 ? 0 : precision + 1) } : null;
}

export interface Order {
  readonly columns: readonly Column[];
  readonly kinds: readonly OrderKind[];
}

/**
 * How the rows of a table are ordered. Throws `SOURCE_MISCONFIGURED` where they cannot be. `mayBeNull`: a row whose key is NULL is refused
 * where it is read.
 */
export function orderOf(table: CatalogTable, watermark: Watermark, where: string, mayBeNull = false): Order {
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
    if (known.nullable && name !== watermark.column && !mayBeNull)
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
