// What is known of columns beside what the log says: the catalog's words, which are those of now, and those of statements in the log, which
// are those of their place.

import type { Value } from '../../sdk/index.ts';
import { ColumnType } from './binlog/column-type.ts';
import type { MapColumn, TableMap } from './binlog/table-map.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import type { ColumnWords, TableWords } from './ddl-words.ts';
import { markedAfter, marksOf, unmarked } from './row-end.ts';
import type { ColumnFacts } from './types.ts';

/** Facts of the catalog, one per column of the log; `null`: the two do not agree, and the log alone is not enough. */
export function factsFor(map: TableMap, now: CatalogTable | null): readonly (ColumnFacts | null)[] | null {
  const listed = now === null ? [] : [...now.columns, ...now.hidden];
  if (map.isFull) {
    return map.columns.map((c) => {
      const known = listed.find((n) => n.name === c.name);
      return known === undefined || !fits(c, known) ? null : factOf(known);
    });
  }
  if (listed.length !== map.columns.length) return null;
  return map.columns.every((c, i) => fits(c, listed[i] as CatalogColumn)) ? listed.map(factOf) : null;
}

export function factOf({ name, columnType, charset, nullable, defaultSql, comment, isRowEnd, isHidden }: CatalogColumn): ColumnFacts {
  const literal = literalDefault(defaultSql);
  return {
    name,
    columnType,
    charset,
    nullable,
    ...(defaultSql === null ? {} : { defaultSql }),
    ...(literal === undefined ? {} : { default: literal }),
    ...(comment === '' ? {} : { comment }),
    ...marksOf({ isRowEnd, isHidden }),
  };
}

const { tiny, short, int24, long, longlong, float, double, newDecimal, bit, year, date, newDate, json, geometry, string } = ColumnType;
const TEXTS: readonly number[] = [
  ColumnType.varchar,
  ColumnType.varString,
  ColumnType.string,
  ColumnType.blob,
  ColumnType.tinyBlob,
  ColumnType.mediumBlob,
  ColumnType.longBlob,
  ColumnType.varcharCompressed,
  ColumnType.blobCompressed,
];
/** The word that a type begins with in the catalog → what the log calls it. */
const KINDS: Readonly<Record<string, readonly number[]>> = {
  tinyint: [tiny],
  smallint: [short],
  mediumint: [int24],
  int: [long],
  bigint: [longlong],
  float: [float],
  double: [double],
  decimal: [newDecimal],
  bit: [bit],
  year: [year],
  date: [date, newDate],
  time: [ColumnType.time, ColumnType.time2],
  datetime: [ColumnType.datetime, ColumnType.datetime2],
  timestamp: [ColumnType.timestamp, ColumnType.timestamp2],
  enum: [ColumnType.enum],
  set: [ColumnType.set],
  json: [json],
  uuid: [string],
  inet4: [string],
  inet6: [string],
  char: [string],
  binary: [string],
  vector: [ColumnType.vector],
};
const GEOMETRIES = /^(?:geometry|point|linestring|polygon|multipoint|multilinestring|multipolygon|geometrycollection|geomcollection)$/;

/** Can the column be the one that the catalog describes? */
function fits(column: MapColumn, { columnType, nullable }: CatalogColumn): boolean {
  return fitsType(column, columnType, nullable);
}

export function fitsType(column: MapColumn, columnType: string, nullable: boolean): boolean {
  const [word = ''] = /^[a-z0-9]+/i.exec(columnType.toLowerCase()) ?? [],
    kinds = Object.hasOwn(KINDS, word) ? KINDS[word] : GEOMETRIES.test(word) ? [geometry] : TEXTS;
  return kinds?.includes(column.type) === true && (column.nullable === nullable || word === 'timestamp');
}

const SYNONYMS: Readonly<Record<string, string>> = {
  bool: 'tinyint(1)',
  boolean: 'tinyint(1)',
  int1: 'tinyint',
  int2: 'smallint',
  int3: 'mediumint',
  middleint: 'mediumint',
  int4: 'int',
  integer: 'int',
  int8: 'bigint',
  dec: 'decimal',
  numeric: 'decimal',
  fixed: 'decimal',
  real: 'double',
  float4: 'float',
  float8: 'double',
  character: 'char',
  nchar: 'char',
  serial: 'bigint unsigned',
};
/** Types that Debezium tells from what the catalog calls them. */
const DECLARED: Readonly<Record<string, ColumnFacts['declared']>> = { bool: 'boolean', boolean: 'boolean', json: 'json', real: 'real' };

function ofWords({ name, type, defaultSql, comment }: ColumnWords): ColumnFacts {
  const [word = ''] = /^[a-z0-9]*/.exec(type ?? '') ?? [],
    synonym = Object.hasOwn(SYNONYMS, word) ? SYNONYMS[word] : undefined,
    declared = Object.hasOwn(DECLARED, word) ? DECLARED[word] : undefined;
  return {
    name,
    columnType: synonym === undefined ? (type ?? '') : (type ?? '').replace(word, synonym),
    charset: null,
    ...defaultFacts(defaultSql ?? null),
    ...(comment === undefined || comment === '' ? {} : { comment }),
    ...(declared === undefined ? {} : { declared }),
  };
}

function defaultFacts(sql: string | null): Pick<ColumnFacts, 'default' | 'defaultSql'> {
  const literal = literalDefault(sql);
  return { ...(sql === null ? {} : { defaultSql: sql }), ...(literal === undefined ? {} : { default: literal }) };
}

/** The facts after these statements, by name. */
function afterWords(known: readonly (ColumnFacts | null)[], statements: readonly TableWords[]): Map<string, ColumnFacts> {
  const facts = new Map(known.flatMap((fact) => (fact === null ? [] : [[fact.name, fact]])));
  for (const { isCreate, columns } of statements) {
    if (isCreate) facts.clear();
    const before = new Map(facts);
    for (const { before: old } of columns) if (old !== null) facts.delete(old);
    for (const words of columns) {
      const { name, type, defaultSql } = words,
        fact = type === null ? before.get(words.before ?? name) : ofWords(words);
      if (fact === undefined) continue;
      const { default: _default, defaultSql: _sql, ...rest } = fact;
      facts.set(name, type !== null || defaultSql === undefined ? { ...fact, name } : { ...rest, name, ...defaultFacts(defaultSql) });
    }
  }
  return facts;
}

/** One per column: from what was known of it and what statements said since; from the catalog (`now`) where neither tells. */
export function wordedFacts(
  map: TableMap,
  known: readonly (ColumnFacts | null)[],
  statements: readonly string[],
  words: readonly TableWords[],
  now: readonly (ColumnFacts | null)[],
): readonly (ColumnFacts | null)[] {
  const facts = afterWords(known, words),
    marked = markedAfter(known, statements);
  return map.columns.map((column, i) => {
    const listed = now[i] ?? null,
      mark =
        marked === null ? listed : marked.find((fact) => fact.name === column.name && fitsType(column, fact.columnType, column.nullable)),
      said = facts.get(column.name ?? '') ?? (mark?.isHidden === true ? mark : undefined);
    if (said === undefined) return listed === null ? null : { ...unmarked(listed), ...marksOf(mark ?? {}) };
    const columnType = known.includes(said) ? said.columnType : (listed?.columnType ?? said.columnType);
    if (!fitsType(column, columnType, column.nullable)) return listed;
    return {
      ...unmarked(said),
      ...marksOf(mark ?? {}),
      columnType,
      charset: said.charset ?? listed?.charset ?? null,
      nullable: column.nullable,
    };
  });
}

/** The key of a table without a primary one; `null`: the statements do not tell. */
export function wordedKey(map: TableMap, known: readonly string[] | null, statements: readonly TableWords[]): readonly string[] | null {
  if (statements.length === 0) return null;
  let key: readonly string[] | null = known;
  const isRequired = (name: string): boolean => map.columns.some((c) => c.name === name && !c.nullable);
  for (const { isCreate, columns, dropsPrimaryKey, dropsIndex, uniqueKeys } of statements) {
    if (isCreate || dropsPrimaryKey) key = [];
    if (dropsIndex || key === null) return null;
    key = key.map((name) => columns.find((c) => c.before === name)?.name ?? name);
    if (key.length === 0) key = uniqueKeys.find((unique) => unique.every(isRequired)) ?? key;
  }
  return key;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0' };

/**
 * | default | value of |
 * |---|---|
 * | `5`, `-1.5` | the digits, as text |
 * | `'a''b'`, `'a\\nb'` | `a'b`, two lines |
 * | `current_timestamp()`, none | unknown |
 */
export function literalDefault(sql: string | null): Value | undefined {
  if (sql === null) return undefined;
  const [, quoted] = /^'((?:[^'\\]|''|\\.)*)'$/s.exec(sql) ?? [];
  if (quoted !== undefined)
    return quoted.replaceAll(/''|\\(.)/gs, (_, escaped?: string) => (escaped === undefined ? "'" : (ESCAPES[escaped] ?? escaped)));
  return /^-?\d+(?:\.\d+)?$/.test(sql) ? sql : undefined;
}
