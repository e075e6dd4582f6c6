// The target tables as the server knows them. All of it may be repeated.

import { describeTarget, type TableName } from '../../relational/table.ts';
import { CdcError, formatTableId, type TableSchema } from '../../sdk/index.ts';
import { qualified, quoteName, textLiteral } from '../../systems/mysql/names.ts';
import type { Row, Session } from './connection.ts';
import { membersOf } from './fit.ts';
import type { CatalogTable, ColumnKind, TargetColumn, TargetTable } from './target-table.ts';

/** `DATA_TYPE` → kind. What is not here (geometry, inet6, uuid …) takes text as it comes. */
const KINDS: Readonly<Record<string, ColumnKind>> = {
  char: 'text',
  varchar: 'text',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  tinyint: 'int',
  smallint: 'int',
  mediumint: 'int',
  int: 'int',
  bigint: 'int',
  decimal: 'decimal',
  float: 'float',
  double: 'double',
  binary: 'bytes',
  varbinary: 'bytes',
  tinyblob: 'bytes',
  blob: 'bytes',
  mediumblob: 'bytes',
  longblob: 'bytes',
  bit: 'bits',
  json: 'json',
  date: 'date',
  time: 'time',
  datetime: 'datetime',
  timestamp: 'timestamp',
  year: 'year',
  enum: 'enum',
  set: 'set',
};

interface Index {
  readonly columns: readonly string[];
  readonly isUnique: boolean;
  /** Over whole columns. */
  readonly isPlain: boolean;
}

/** `null` when there is no such table. Throws when rows written there could not share the transaction of our point. */
export async function readTable(session: Session, name: TableName): Promise<CatalogTable | null> {
  const of = `TABLE_SCHEMA = ${textLiteral(name.schema)} AND TABLE_NAME = ${textLiteral(name.name)}`;
  const [tables, columns, parts] = await session.script([
    `SELECT TABLE_TYPE AS type, ENGINE AS engine FROM information_schema.TABLES WHERE ${of}`,
    `SELECT COLUMN_NAME AS name, DATA_TYPE AS base, COLUMN_TYPE AS type, CHARACTER_MAXIMUM_LENGTH AS characters,
      CHARACTER_OCTET_LENGTH AS octets, NUMERIC_PRECISION AS digits, NUMERIC_SCALE AS scale, DATETIME_PRECISION AS fraction,
      COLLATION_NAME AS collation, EXTRA AS extra FROM information_schema.COLUMNS WHERE ${of} ORDER BY ORDINAL_POSITION`,
    `SELECT INDEX_NAME AS name, COLUMN_NAME AS part, NON_UNIQUE AS shared, SUB_PART AS prefix FROM information_schema.STATISTICS WHERE ${of}`,
  ]);
  const table = tables?.rows[0];
  if (table === undefined) return null;
  const engine = table['engine'] ?? 'none';
  assertTransactional(name, table['type'] ?? '', engine);
  const indexes = indexesOf(parts?.rows ?? []);
  const definitions = await readDefinitions(session, name);
  const unique = indexes.filter((i) => i.isUnique);
  return {
    engine,
    columns: (columns?.rows ?? []).map((row) => toColumn(row, indexes, definitions)),
    uniqueKeys: unique.filter((i) => i.isPlain).map((i) => [...i.columns].sort()),
    hasOtherUnique: unique.some((i) => !i.isPlain),
  };
}

function assertTransactional(name: TableName, type: string, engine: string): void {
  if (type !== 'BASE TABLE' && type !== 'SYSTEM VERSIONED')
    throw new CdcError('DESTINATION_MISCONFIGURED', `${describeTarget(name)} is not a table.`, {
      fix: 'Give the target another name by `table`.',
    });
  if (engine.toLowerCase() === 'innodb') return;
  // Invariant 2: rows of another engine would stay when the transaction with our point is rolled back, and come twice.
  throw new CdcError(
    'DESTINATION_MISCONFIGURED',
    `${describeTarget(name)} is kept by ${engine}, which has no transactions with our point.`,
    {
      fix: `Run: ALTER TABLE ${qualified(name)} ENGINE=InnoDB;`,
    },
  );
}

function indexesOf(rows: readonly Row[]): Index[] {
  const found = new Map<string, { columns: string[]; isUnique: boolean; isPlain: boolean }>();
  for (const { name, part = null, shared, prefix = null } of rows) {
    const index = found.get(name ?? '') ?? { columns: [], isUnique: shared === '0', isPlain: true };
    if (part !== null) index.columns.push(part);
    if (part === null || prefix !== null) index.isPlain = false;
    found.set(name ?? '', index);
  }
  return [...found.values()];
}

/** Column → its line in the table's definition, without the name. */
async function readDefinitions(session: Session, name: TableName): Promise<Map<string, string>> {
  const { rows } = await session.query(`SHOW CREATE TABLE ${qualified(name)}`);
  const lines = (rows[0]?.['Create Table'] ?? '').split('\n');
  const found = new Map<string, string>();
  for (const line of lines) {
    const match = /^ {2}`((?:[^`]|``)+)` (.*?),?$/.exec(line);
    if (match !== null) found.set((match[1] ?? '').replaceAll('``', '`'), match[2] ?? '');
  }
  return found;
}

const NUMBER = (text: string | null | undefined): number | null => (text == null ? null : Number(text));

function toColumn(row: Row, indexes: readonly Index[], definitions: ReadonlyMap<string, string>): TargetColumn {
  const name = row['name'] ?? '',
    base = row['base'] ?? '',
    type = row['type'] ?? '',
    extra = row['extra'] ?? '',
    collation = row['collation'] ?? null,
    definition = definitions.get(name) ?? '';
  // MariaDB's JSON is a text with a check.
  const keepsJson = /\bCHECK \(json_valid\(/i.test(definition);
  const kind = keepsJson ? 'json' : (KINDS[base] ?? 'other');
  return {
    name,
    type,
    base,
    kind,
    unsigned: type.includes('unsigned'),
    length: kind === 'bits' ? NUMBER(row['digits']) : /^(var)?(char|binary)$/.test(base) ? NUMBER(row['characters']) : null,
    octets: /text$|blob$/.test(base) ? NUMBER(row['octets']) : null,
    precision: kind === 'decimal' ? NUMBER(row['digits']) : null,
    fraction: Number((kind === 'decimal' ? row['scale'] : row['fraction']) ?? 0),
    values: kind === 'enum' || kind === 'set' ? membersOf(type) : [],
    caseless: collation !== null && !/_(bin|cs|as_cs)$/.test(collation),
    padded: base === 'char' || (collation !== null && !/nopad|_0900_/.test(collation)),
    keepsJson,
    indexed: indexes.some((i) => i.columns.includes(name)),
    autoIncrement: extra.includes('auto_increment'),
    selfUpdating: /on update/i.test(extra),
    generated: /\b(VIRTUAL|STORED|PERSISTENT)\b/i.test(extra),
    definition: definition.startsWith(type) ? definition.slice(type.length).trim() : definition,
  };
}

/** The table for a source table's rows: with the key by which they are found. Throws when that key is not unique there. */
export function targetFor(name: TableName, found: CatalogTable, source: TableSchema): TargetTable {
  const { columns, uniqueKeys, hasOtherUnique } = found;
  const wanted = [...source.key].sort();
  const isWanted = (key: readonly string[]): boolean => key.length === wanted.length && key.every((c, i) => c === wanted[i]);
  if (wanted.length > 0 && !uniqueKeys.some(isWanted)) {
    const list = source.key.map(quoteName).join(', ');
    throw new CdcError(
      'DESTINATION_MISCONFIGURED',
      `${describeTarget(name)} has no unique key on ${list}, the key of ${formatTableId(source.id)}.`,
      { fix: `Run: ALTER TABLE ${qualified(name)} ADD UNIQUE (${list});` },
    );
  }
  const onlyKeyIsUnique = !hasOtherUnique && uniqueKeys.every(isWanted);
  return { ...name, place: qualified(name), columns, key: source.key, onlyKeyIsUnique, byName: new Map(columns.map((c) => [c.name, c])) };
}
