// Schema tracking: which shape a table has at each place of the log. TABLE_MAP says types, and with `binlog_row_metadata=FULL` names
// and all that is needed to read rows; what else a schema shows (defaults, `uuid`) comes from the catalog, which only knows now, and is
// taken where the two agree. Without FULL names come from the stored shape, or from the catalog while nothing speaks against it.

import { CdcError, type Position, type SchemaChange, type TableId, type TableSchema } from '../../sdk/index.ts';
import { RowLayout } from './binlog/rows.ts';
import type { TableName } from './binlog/statement.ts';
import type { MapColumn, TableMap } from './binlog/table-map.ts';
import type { Catalog, CatalogTable } from './catalog.ts';
import { mapColumn } from './catalog-map.ts';
import type { Queries } from './connection.ts';
import { tableWords } from './ddl-words.ts';
import { factOf, factsFor, fitsType, wordedFacts, wordedKey } from './facts.ts';
import { laterDdl } from './later-ddl.ts';
import { parsePlace } from './position.ts';
import { rowEndOf } from './row-end.ts';
import type { SchemaHistory, TableVersion } from './schema-history.ts';
import { columnOf, nameOf, textColumnOf } from './types.ts';

/** A table as it is read now. One per shape; the counts are those of the transaction that is being read. */
export class ReadTable {
  readonly schema: TableSchema;
  readonly layout: RowLayout;
  /** The column of the log that says until when a row is the one of now; -1: the table has no rows of the past. */
  readonly rowEnd: number;
  /** The transaction that `count` belongs to. */
  transaction = 0;
  /** Events of the table in it so far. */
  count = 0;

  constructor(schema: TableSchema, layout: RowLayout, rowEnd: number) {
    this.schema = schema;
    this.layout = layout;
    this.rowEnd = rowEnd;
  }
}

/** `table`: `null` when it is not captured. `change`: to be told before the first row. */
export interface Met {
  readonly table: ReadTable | null;
  readonly change: SchemaChange | null;
}

export const NOT_CAPTURED: Met = { table: null, change: null };
const SEQUENCE_COLUMNS = [
  'next_not_cached_value',
  'minimum_value',
  'maximum_value',
  'start_value',
  'increment',
  'cache_size',
  'cycle_option',
  'cycle_count',
];

export interface TrackerOptions {
  readonly history: SchemaHistory;
  readonly catalog: Catalog;
  readonly queries: Queries;
  readonly where: string;
  isTable(database: string, table: string): boolean;
  isColumn(database: string, table: string, column: string): boolean;
}

/** A database is what others call a schema: both names have it. */
export const tableId = (database: string, table: string): TableId => ({ database, schema: database, table });
export const nameOfTable = ({ database, table }: { readonly database: string; readonly table: string }): string => `${database}.${table}`;

export class SchemaTracker {
  readonly #o: TrackerOptions;
  /** DDL of tables whose next rows may have another shape. */
  readonly #ddl = new Map<string, string>();
  /** Tables whose shape must be asked for again: a DDL of them was read, and the log does not say names. */
  readonly #uncertain = new Set<string>();
  /** DDL of tables since their last row, in order. */
  readonly #said = new Map<string, string[]>();
  /** What a table was that has another name now. */
  readonly #bases = new Map<string, TableVersion | null>();

  constructor(options: TrackerOptions) {
    this.#o = options;
  }

  /** A table of which the change behind `at` is the next one. What is new is durable when this resolves. */
  async meet(map: TableMap, at: Position): Promise<Met> {
    if (!this.#o.isTable(map.database, map.table) || (await this.#isSequence(map))) return NOT_CAPTURED;
    const { history } = this.#o,
      name = nameOfTable(map),
      [current, next] = history.around(name, at);
    const isAsBefore = !this.#uncertain.has(name) && !this.#said.has(name);
    if (current !== null && isSame(current, map) && isAsBefore) return this.#met(map, current, at);
    if (next !== null && isSame(next, map)) {
      this.#said.delete(name);
      const moved = history.move(name, next, at);
      await history.save();
      return this.#met(map, moved, at);
    }
    const stored = current !== null && !this.#uncertain.has(name) ? withNamesOf(current, map) : null,
      looked = stored ?? (await this.#look(map, at, this.#bases.has(name) ? (this.#bases.get(name) ?? null) : current));
    this.#uncertain.delete(name);
    this.#said.delete(name);
    this.#bases.delete(name);
    const isKnown = current !== null && this.#isSameSchema(map, current, looked);
    // What the catalog said when capture began, in the words of the log; or a DDL that changed nothing of what rows are read by.
    if (isKnown) return this.#met(map, await this.#replace(name, current, looked), at);
    const isFirst = current === null && history.versions(name).length === 0 && !this.#ddl.has(name);
    const begun = history.begin(name, { ...looked, from: at, announced: !isFirst });
    // Before the event is handed over: a restart behind it must know what rows look like.
    await history.save();
    return this.#met(map, begun, at);
  }

  /** A table goes on under another name. */
  renamed(from: TableName, to: TableName): void {
    const name = nameOfTable(from);
    this.#bases.set(
      nameOfTable(to),
      this.#bases.has(name) ? (this.#bases.get(name) ?? null) : (this.#o.history.versions(name).at(-1) ?? null),
    );
    this.#said.set(nameOfTable(to), [...(this.#said.get(name) ?? [])]);
    this.#said.delete(name);
  }

  /** A statement has changed the table; whatever comes next of it may look different. */
  changed(database: string, table: string, ddl: string): void {
    const name = nameOfTable({ database, table }),
      last = this.#o.history.versions(name).at(-1);
    this.#ddl.set(name, ddl);
    this.indexed(database, table, ddl);
    // The log does not say names, so the same types may be those of other columns.
    if (last?.columns.some((c) => c.name === null) === true) this.#uncertain.add(name);
  }

  /** A statement has changed its indexes at most. */
  indexed(database: string, table: string, ddl: string): void {
    const name = nameOfTable({ database, table });
    this.#said.set(name, [...(this.#said.get(name) ?? []), ddl]);
  }

  /** The tables as capture begins: from now on every other shape is a change. */
  async begin(tables: readonly CatalogTable[], at: Position): Promise<void> {
    const { history } = this.#o;
    for (const table of tables) {
      if (history.versions(nameOfTable(table)).length === 0)
        history.begin(nameOfTable(table), { ...fromCatalog(table), from: at, announced: false });
    }
    await history.save();
  }

  /** A table as it was met last, or as the catalog has it; `null`: it is nowhere. */
  async current(database: string, table: string): Promise<ReadTable | null> {
    const known = this.#o.history.versions(nameOfTable({ database, table })).at(-1);
    if (known !== undefined) return this.#prepare(database, table, known);
    const now = await this.#o.catalog.table(database, table);
    return now === null
      ? null
      : this.#prepare(database, table, { ...fromCatalog(now), version: 1, from: '' as Position, announced: false });
  }

  /** Shapes of all tables of a database that were met. */
  known(database: string): TableSchema[] {
    return this.#o.history.names().flatMap((name) => {
      if (!name.startsWith(`${database}.`)) return [];
      const schema = this.latest(tableId(database, name.slice(database.length + 1)));
      return schema === null ? [] : [schema];
    });
  }

  /** May a statement that ran in this database have changed a table that is captured? */
  mayConcern(database: string): boolean {
    return this.known(database).length > 0;
  }

  /**
   * Rows of this shape go out at `at`, read beside the stream. Either a shape that the stream has shown, or one that it will show with the
   * next change: then it begins here.
   */
  async appear(now: CatalogTable, at: Position): Promise<{ schema: TableSchema; change: SchemaChange | null }> {
    const { history } = this.#o,
      { database, table } = now,
      name = nameOfTable(now),
      known = history.versions(name),
      shape = this.fromCatalog(now).schema;
    const same = known.findLast((v) => isSameSchema(this.#schemaOf(database, table, v), shape));
    if (same !== undefined) return { schema: this.#schemaOf(database, table, same), change: null };
    const begun = history.begin(name, { ...fromCatalog(now), from: at, announced: known.length > 0 });
    await history.save();
    const before = known.at(-1),
      previous = before === undefined ? null : this.#schemaOf(database, table, before);
    const change: SchemaChange | null = begun.announced ? { kind: previous === null ? 'create' : 'alter', previous, ddl: null } : null;
    return { schema: this.#schemaOf(database, table, begun), change };
  }

  /** The shape that a table has in the catalog. */
  fromCatalog(now: CatalogTable): ReadTable {
    return this.#prepare(now.database, now.table, { ...fromCatalog(now), version: 1, from: '' as Position, announced: false });
  }

  /** The newest shape that is known of a table; `null` when none is. */
  latest(id: TableId): TableSchema | null {
    const database = id.database ?? id.schema ?? '',
      version = this.#o.history.versions(nameOfTable({ database, table: id.table })).at(-1);
    return version === undefined ? null : this.#schemaOf(database, id.table, version);
  }

  // -- shapes ------------------------------------------------------------------------------------------------------------

  #isSameSchema({ database, table }: TableMap, version: TableVersion, looked: Pick<TableVersion, 'columns' | 'key' | 'facts'>): boolean {
    return isSameSchema(this.#schemaOf(database, table, version), this.#schemaOf(database, table, { ...version, ...looked }));
  }

  async #replace(name: string, version: TableVersion, looked: Pick<TableVersion, 'columns' | 'key' | 'facts'>): Promise<TableVersion> {
    const replaced = this.#o.history.replace(name, version, { ...version, ...looked });
    await this.#o.history.save();
    return replaced;
  }

  /** `base`: what the table was before the statements that were read since. */
  async #look(map: TableMap, at: Position, base: TableVersion | null): Promise<Pick<TableVersion, 'columns' | 'key' | 'facts'>> {
    const now = await this.#o.catalog.table(map.database, map.table),
      facts = factsFor(map, now);
    if (facts === null) throw this.#unknown(map, now === null ? 'it is gone' : 'it has other columns by now');
    const place = map.isFull ? null : parsePlace(at),
      later = place === null ? null : await laterDdl(this.#o.queries, place, map.database, map.table);
    if (later !== null) throw this.#unknown(map, `it was changed since (${later.slice(0, 100)})`);
    const names = map.columns.map((c, i) => nameOf(c, i, facts[i] ?? null)),
      primary = primaryOf(map, facts).map((i) => names[i] as string),
      known = now?.key ?? [];
    const listed = known.every((k) => names.includes(k)) ? known : [];
    if (!map.isFull) return { columns: map.columns, key: primary.length > 0 ? primary : listed, facts };
    const said = this.#said.get(nameOfTable(map)) ?? [],
      words = said.flatMap((sql) => tableWords(sql) ?? []),
      key = primary.length > 0 ? primary : (wordedKey(map, base?.key ?? null, words) ?? listed);
    return { columns: map.columns, key, facts: wordedFacts(map, base?.facts ?? [], said, words, facts) };
  }

  /** MariaDB's sequences are tables to the log, and nobody else's. */
  async #isSequence({ isFull, columns, database, table }: TableMap): Promise<boolean> {
    if (columns.length !== SEQUENCE_COLUMNS.length) return false;
    return isFull ? columns.every((c, i) => c.name === SEQUENCE_COLUMNS[i]) : this.#o.catalog.isSequence(database, table);
  }

  #met(map: TableMap, version: TableVersion, at: Position): Met {
    const table = this.#prepare(map.database, map.table, version),
      name = nameOfTable(map);
    if (version.from !== at || !version.announced) return { table, change: null };
    const versions = this.#o.history.versions(name),
      before = versions[versions.indexOf(version) - 1];
    const previous = before === undefined ? null : this.#schemaOf(map.database, map.table, before),
      ddl = this.#ddl.get(name) ?? null;
    this.#ddl.delete(name);
    return { table, change: { kind: previous === null ? 'create' : 'alter', previous, ddl } };
  }

  #prepare(database: string, table: string, version: TableVersion): ReadTable {
    const columns = version.columns.map((c, i) => {
      const facts = version.facts[i] ?? null;
      return this.#isRead(database, table, nameOf(c, i, facts), version) ? textColumnOf(c, i, facts) : null;
    });
    return new ReadTable(this.#schemaOf(database, table, version), new RowLayout(columns), rowEndOf(version.columns, version.facts));
  }

  #schemaOf(database: string, table: string, version: TableVersion): TableSchema {
    const columns = version.columns.map((c, i) => columnOf(c, i, version.facts[i] ?? null));
    const read = columns.filter((c) => this.#isRead(database, table, c.name, version));
    return { id: tableId(database, table), columns: read, key: version.key, version: version.version };
  }

  #isRead(database: string, table: string, column: string, { key, facts }: TableVersion): boolean {
    if (facts.some((fact) => fact?.name === column && fact.isHidden === true)) return false;
    return key.includes(column) || this.#o.isColumn(database, table, column);
  }

  #unknown(map: TableMap, why: string): CdcError {
    const name = nameOfTable(map);
    return new CdcError('SOURCE_DATA_INVALID', `The log does not say the columns of ${name}, and the table cannot tell them: ${why}.`, {
      where: this.#o.where,
      fix: 'Set binlog_row_metadata=FULL at the server (MySQL 8.0, MariaDB 10.5), and read the table again.',
    });
  }
}

/** The stored shape in the words of a log that says no names; `null`: the log says them, or other types. */
function withNamesOf(version: TableVersion, map: TableMap): Pick<TableVersion, 'columns' | 'key' | 'facts'> | null {
  const { facts, key } = version;
  if (map.isFull || facts.length !== map.columns.length) return null;
  const isSameType = (c: MapColumn, i: number): boolean => {
    const fact = facts[i] ?? null;
    return fact !== null && fitsType(c, fact.columnType, fact.nullable ?? c.nullable);
  };
  return map.columns.every(isSameType) ? { columns: map.columns, key, facts } : null;
}

function fromCatalog(now: CatalogTable): Pick<TableVersion, 'columns' | 'key' | 'facts'> {
  return { columns: now.columns.map(mapColumn), key: now.key, facts: now.columns.map(factOf) };
}

/** All that a consumer sees, but the number. */
function isSameSchema(a: TableSchema, b: TableSchema): boolean {
  const text = ({ columns, key }: TableSchema): string =>
    JSON.stringify([key, columns.map((c) => [c.name, c.type, c.nativeType, c.nullable, c.length, c.precision, c.scale, c.values])]);
  return text(a) === text(b);
}

/** The primary key as the log has it, without the end of a row, which is the same in all rows that are read. */
function primaryOf(map: TableMap, facts: TableVersion['facts']): readonly number[] {
  return map.primaryKey.filter((i) => facts[i]?.isRowEnd !== true);
}

/** Texts of columns, once per map: the log sends the same object for the same content. */
const signatures = new WeakMap<TableMap, string>();

function isSame(version: TableVersion, map: TableMap): boolean {
  let signature = signatures.get(map);
  if (signature === undefined) {
    signature = JSON.stringify(map.columns);
    signatures.set(map, signature);
  }
  const primary = primaryOf(map, version.facts).map((i) => map.columns[i]?.name ?? '');
  const isSameKey = !map.isFull || primary.length === 0 || primary.join('\0') === version.key.join('\0');
  return isSameKey && JSON.stringify(version.columns) === signature;
}
