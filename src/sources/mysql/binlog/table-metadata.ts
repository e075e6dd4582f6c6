// The optional metadata of TABLE_MAP: fields with a type and a length. Signedness and character sets always (MySQL 8.0.1,
// MariaDB 10.5), names, keys and the rest with `binlog_row_metadata=FULL`.

import { ColumnType, hasCharacters, isNumeric } from './column-type.ts';
import type { EventReader } from './reader.ts';
import type { PlainColumn } from './table-map.ts';

const Field = {
  signedness: 1,
  defaultCharset: 2,
  columnCharset: 3,
  columnName: 4,
  setValues: 5,
  enumValues: 6,
  geometryType: 7,
  primaryKey: 8,
  primaryKeyWithPrefix: 9,
  enumAndSetDefaultCharset: 10,
  enumAndSetColumnCharset: 11,
  visibility: 12,
  dimensions: 13,
} as const;

/** In the order of their numbers. */
const GEOMETRIES = [
  'geometry',
  'point',
  'linestring',
  'polygon',
  'multipoint',
  'multilinestring',
  'multipolygon',
  'geometrycollection',
] as const;

export interface OptionalMetadata {
  names: readonly string[] | null;
  unsigned: ReadonlyMap<number, boolean> | null;
  visible: readonly boolean[] | null;
  primaryKey: readonly number[];
  readonly collations: Map<number, number>;
  /** In the character set of the column. */
  readonly values: Map<number, readonly Buffer[]>;
  readonly geometries: Map<number, string>;
  readonly dimensions: Map<number, number>;
}

/** By column index; what is not told is missing. */
export function readOptionalMetadata(r: EventReader, columns: readonly PlainColumn[], flavor: string): OptionalMetadata {
  const out: OptionalMetadata = {
    names: null,
    unsigned: null,
    visible: null,
    primaryKey: [],
    collations: new Map(),
    values: new Map(),
    geometries: new Map(),
    dimensions: new Map(),
  };
  while (r.left > 0) {
    const type = r.byte('the type of metadata');
    readField(type, r.part(r.packedInteger('the length of metadata'), 'the metadata'), columns, flavor, out);
  }
  return out;
}

function readField(field: number, r: EventReader, columns: readonly PlainColumn[], flavor: string, out: OptionalMetadata): void {
  const indexesOf = (is: (type: number) => boolean): number[] => columns.flatMap(({ type }, i) => (is(type) ? [i] : []));
  const isChoice = (type: number): boolean => type === ColumnType.enum || type === ColumnType.set;
  const isText = (type: number): boolean => hasCharacters(type, flavor);
  switch (field) {
    case Field.signedness:
      out.unsigned = readBits(r, indexesOf(isNumeric));
      break;
    case Field.defaultCharset:
      readDefaultCharset(r, indexesOf(isText), out.collations);
      break;
    case Field.enumAndSetDefaultCharset:
      readDefaultCharset(r, indexesOf(isChoice), out.collations);
      break;
    case Field.columnCharset:
      for (const i of indexesOf(isText)) out.collations.set(i, r.packedInteger('a collation'));
      break;
    case Field.enumAndSetColumnCharset:
      for (const i of indexesOf(isChoice)) out.collations.set(i, r.packedInteger('a collation'));
      break;
    case Field.columnName:
      out.names = columns.map(() => r.packedText('the name of a column'));
      break;
    case Field.setValues:
      readValues(
        r,
        indexesOf((type) => type === ColumnType.set),
        out.values,
      );
      break;
    case Field.enumValues:
      readValues(
        r,
        indexesOf((type) => type === ColumnType.enum),
        out.values,
      );
      break;
    case Field.geometryType:
      for (const i of indexesOf((type) => type === ColumnType.geometry))
        out.geometries.set(i, GEOMETRIES[r.packedInteger('a type of geometry')] ?? 'geometry');
      break;
    case Field.primaryKey:
    case Field.primaryKeyWithPrefix:
      out.primaryKey = readKey(r, columns.length, field === Field.primaryKeyWithPrefix);
      break;
    case Field.visibility: {
      const bits = readBits(
        r,
        columns.map((_, i) => i),
      );
      out.visible = columns.map((_, i) => bits.get(i) === true);
      break;
    }
    case Field.dimensions:
      for (const i of indexesOf((type) => type === ColumnType.vector)) out.dimensions.set(i, r.packedInteger('the size of a vector'));
      break;
    // Later versions may say more; it changes nothing of the rest.
    default:
  }
}

/** One bit per column, the highest first. */
function readBits(r: EventReader, indexes: readonly number[]): Map<number, boolean> {
  const bits = r.view((indexes.length + 7) >> 3, 'bits of columns');
  return new Map(indexes.map((index, n) => [index, (((bits[n >> 3] as number) << (n & 7)) & 0x80) !== 0]));
}

/** One for all, and then pairs of which column has another: counted among those that have one. */
function readDefaultCharset(r: EventReader, indexes: readonly number[], collations: Map<number, number>): void {
  const common = r.packedInteger('the collation');
  for (const i of indexes) collations.set(i, common);
  while (r.left > 0) {
    const index = indexes[r.packedInteger('a column')];
    if (index === undefined) r.fail('the collation of a column that is none of text');
    else collations.set(index, r.packedInteger('a collation'));
  }
}

function readValues(r: EventReader, indexes: readonly number[], values: Map<number, readonly Buffer[]>): void {
  for (const i of indexes) {
    const count = r.packedInteger('the number of values');
    // Each takes a byte at least.
    if (count > r.left) r.fail(`${count} values`);
    values.set(
      i,
      Array.from({ length: count }, () => r.packedBytes('a value')),
    );
  }
}

function readKey(r: EventReader, columns: number, hasPrefixes: boolean): number[] {
  const key: number[] = [];
  while (r.left > 0) {
    const index = r.packedInteger('a column of the key');
    if (index >= columns) r.fail(`column ${index} in the key`);
    // How many characters of the column are in the key: 0 for all. It names a row all the same.
    if (hasPrefixes) r.packedInteger('a length');
    key.push(index);
  }
  return key;
}
