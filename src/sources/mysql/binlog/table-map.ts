// TABLE_MAP: the columns of a table at the moment of a change. Comes before each statement's rows; parsed once per content.
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html

import { charsetOf } from './charsets.ts';
import { ColumnType, metadataBytes, widthOf } from './column-type.ts';
import type { EventReader } from './reader.ts';
import { type OptionalMetadata, readOptionalMetadata } from './table-metadata.ts';

/** What TABLE_MAP says of a column. `null`: it does not (servers before 8.0, `binlog_row_metadata=MINIMAL`). */
export interface MapColumn {
  /** Of `ColumnType`; ENUM and SET as such, not as the strings that they are sent as. */
  readonly type: number;
  /** Depends on the type: bytes, digits, precision and scale; of ENUM and SET the bytes of a number. */
  readonly meta: number;
  readonly nullable: boolean;
  /** Bytes of a value; `-n`: a length of `n` bytes stands before it; `null`: of an unknown type. */
  readonly width: number | null;
  readonly name: string | null;
  readonly unsigned: boolean | null;
  /** Id of the collation, of columns that have one; 63 is binary. */
  readonly collation: number | null;
  /** Names of ENUM and SET, in order. */
  readonly values: readonly string[] | null;
  /** `point`, `polygon`, …, of GEOMETRY. */
  readonly geometry: string | null;
  /** `false`: left out by `SELECT *`. */
  readonly visible: boolean;
  /** Numbers of a VECTOR, at most. */
  readonly dimensions: number | null;
}

export interface TableMap {
  readonly database: string;
  readonly table: string;
  readonly columns: readonly MapColumn[];
  /** `binlog_row_metadata=FULL`: names, ENUM and SET names and the primary key are known. */
  readonly isFull: boolean;
  /** Indexes of the columns of the primary key; empty for none, and without FULL metadata. */
  readonly primaryKey: readonly number[];
  /** Why rows of the table cannot be taken apart; `null`: they can. */
  readonly unreadable: string | null;
}

const MOST_COLUMNS = 4096;
const ENUM_HIGH = ColumnType.enum << 8,
  SET_HIGH = ColumnType.set << 8;

/** What is told of one column before the optional metadata. */
export interface PlainColumn {
  readonly type: number;
  readonly meta: number;
}

function readColumn(type: number, r: EventReader): PlainColumn {
  switch (metadataBytes(type)) {
    case 0:
      return { type, meta: 0 };
    case 1:
      return { type, meta: r.byte('metadata of a column') };
    case 2:
      break;
  }
  if (type === ColumnType.varchar || type === ColumnType.varcharCompressed || type === ColumnType.bit) {
    const meta = r.uint16('metadata of a column');
    // Of BIT: odd bits in the low byte, whole bytes in the high one.
    return { type, meta };
  }
  const high = r.byte('metadata of a column'),
    meta = (high << 8) | r.byte('metadata of a column');
  if (type === ColumnType.newDecimal) return { type, meta };
  // The real type stands in the high byte: that of ENUM and SET, or STRING with two bits of its length turned over.
  if ((meta & 0xff00) === ENUM_HIGH || (meta & 0xff00) === SET_HIGH) return { type: high, meta: meta & 0xff };
  return { type, meta: (meta & 0xff) | (((high & 0x30) ^ 0x30) << 4) };
}

/** Of the bytes behind the table's id and flags. */
export function parseTableMap(r: EventReader, flavor: 'mysql' | 'mariadb'): TableMap {
  const database = r.text(r.byte('a length'), 'the database');
  r.byte('the end of the database');
  const table = r.text(r.byte('a length'), 'the table');
  r.byte('the end of the table');
  const count = r.packedInteger('the number of columns');
  if (count > MOST_COLUMNS) r.fail(`${count} columns`);
  const types = r.view(count, 'the types'),
    metadata = r.part(r.packedInteger('the length of metadata'), 'the metadata');
  const plain = Array.from(types, (type) => readColumn(type, metadata));
  metadata.finish();
  const nulls = r.view((count + 7) >> 3, 'the columns that may be NULL');
  const optional = readOptionalMetadata(r, plain, flavor);
  const columns = plain.map(
    ({ type, meta }, i): MapColumn => ({
      type,
      meta,
      nullable: (((nulls[i >> 3] as number) >> (i & 7)) & 1) === 1,
      width: widthOf(type, meta),
      name: optional.names?.[i] ?? null,
      unsigned: optional.unsigned?.get(i) ?? null,
      collation: optional.collations.get(i) ?? null,
      values: namesOf(optional, i),
      geometry: optional.geometries.get(i) ?? null,
      visible: optional.visible?.[i] ?? true,
      dimensions: optional.dimensions.get(i) ?? null,
    }),
  );
  return {
    database,
    table,
    columns,
    isFull: optional.names !== null,
    primaryKey: optional.primaryKey,
    unreadable: unreadableReason(columns),
  };
}

/** Names of an ENUM or SET; `null` also where they are of a character set that we cannot read: the catalog may know them. */
function namesOf({ values, collations }: OptionalMetadata, column: number): readonly string[] | null {
  const names = values.get(column),
    collation = collations.get(column);
  if (names === undefined) return null;
  if (collation === undefined) return names.map((bytes) => bytes.toString('utf8'));
  try {
    return names.map((bytes) => charsetOf(collation).decode(bytes, 0, bytes.length));
  } catch {
    return null;
  }
}

function unreadableReason(columns: readonly MapColumn[]): string | null {
  const i = columns.findIndex((c) => c.width === null),
    column = columns[i];
  return column === undefined
    ? null
    : `column ${column.name === null ? i + 1 : `"${column.name}"`} has the unknown type ${column.type} (${column.meta})`;
}
