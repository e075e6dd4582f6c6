// Schema tracking: which shape a table has at each place of the log. The relation message says names, types and modifiers as
// they were then; nullability, defaults and the primary key come from the catalog, which only knows now, and are taken where
// the two agree.

import {
  type Column,
  formatTableId,
  type Position,
  type SchemaChange,
  type TableId,
  type TableSchema,
  type Value,
} from '../../sdk/index.ts';
import type { PgTypes } from './pg-type.ts';
import type { Relation, RelationColumn } from './pgoutput/relation.ts';
import { RowLayout } from './pgoutput/tuple.ts';
import type { ColumnFact, SchemaHistory, TableVersion } from './schema-history.ts';
import type { Catalog, CatalogColumn, CatalogTable } from './system-catalog.ts';
import { columnOf, textColumnOf, textColumnsOf } from './types.ts';

/** A table as it is read now. One per relation and version; the counts are those of the transaction that is being read. */
export class ReadTable {
  readonly schema: TableSchema;
  readonly layout: RowLayout;
  /** The transaction that `count` belongs to. */
  transaction = 0;
  /** Events of the table in it so far. */
  count = 0;

  constructor(schema: TableSchema, layout: RowLayout) {
    this.schema = schema;
    this.layout = layout;
  }
}

/** `table`: `null` when it is not captured. `change`: to be told before the first row. */
export interface Met {
  readonly table: ReadTable | null;
  readonly change: SchemaChange | null;
}

/** A shape as the catalog has it, and how its rows are read. */
export interface CatalogShape {
  readonly schema: TableSchema;
  readonly layout: RowLayout;
  readonly relation: Relation;
  readonly version: TableVersion;
}

export interface TrackerOptions {
  readonly database: string;
  readonly history: SchemaHistory;
  readonly catalog: Catalog;
  isTable(schema: string, table: string): boolean;
  isColumn(schema: string, table: string, column: string): boolean;
}

export class SchemaTracker {
  readonly #o: TrackerOptions;

  constructor(options: TrackerOptions) {
    this.#o = options;
  }

  /** The tables as capture begins: from now on every other shape is a change. `sends`: which columns the server sends. */
  async begin(
    tables: readonly CatalogTable[],
    at: Position,
    sends: (table: CatalogTable) => (column: CatalogColumn) => boolean,
  ): Promise<void> {
    const { history, catalog } = this.#o;
    const types = new Map((await catalog.types(tables.flatMap((t) => t.columns.map((c) => c.typeOid)))).map((t) => [t.oid, t]));
    for (const table of tables) {
      if (history.versions(nameOf(table)).length > 0) continue;
      const relation = asRelation(table, table.columns.filter(sends(table)));
      history.begin(nameOf(table), { ...versionOf(relation, table, types), from: at, announced: false });
    }
    await history.save();
  }

  /** A relation of which the change behind `at` is the next one. What is new is durable when this resolves. */
  async meet(relation: Relation, at: Position): Promise<Met> {
    if (!this.#o.isTable(relation.schema, relation.table)) return { table: null, change: null };
    const { history } = this.#o,
      name = nameOf(relation);
    const [current, next] = history.around(name, at);
    if (current !== null && isSame(current, relation)) {
      // The log is described anew after any ALTER. What only the catalog tells may be new, where no later shape is known.
      if (next !== null || !(await this.#hasNewFacts(relation, current))) return this.#met(relation, current, at);
    }
    if (next !== null && isSame(next, relation)) {
      const moved = history.move(name, next, at);
      await history.save();
      return this.#met(relation, moved, at);
    }
    const begun = history.begin(name, { ...(await this.#look(relation)), from: at, announced: true });
    // Before the event is handed over: a restart behind it must know what rows look like.
    await history.save();
    return this.#met(relation, begun, at);
  }

  /** The newest shape that is known of a table; `null` when none is. */
  latest(id: TableId): TableSchema | null {
    const version = this.#o.history.versions(formatTableId(id)).at(-1);
    return version === undefined ? null : this.#schemaOf(id.schema ?? '', id.table, version);
  }

  /** The shape that a table has in the catalog, with the columns that the server sends. */
  async fromCatalog(table: CatalogTable, sends: (column: CatalogColumn) => boolean = isStored): Promise<CatalogShape> {
    const relation = asRelation(table, table.columns.filter(sends));
    const types = new Map((await this.#o.catalog.types(relation.columns.map((c) => c.typeOid))).map((t) => [t.oid, t]));
    const version = { ...versionOf(relation, table, types), version: 1, from: '' as Position, announced: false };
    const { schema, layout } = this.#prepare(relation, version);
    // Only the columns that are wanted are asked for.
    const read = relation.columns.filter((c) => layout.indexOf(c.name) >= 0);
    return { schema, layout: new RowLayout(layout.columns, { columns: read }), relation, version };
  }

  /**
   * Rows of this shape go out at `at`, read beside the stream. Either a shape that the stream has shown, or one that it will show
   * with the next change: then it begins here.
   */
  async appear({ relation, version }: CatalogShape, at: Position): Promise<{ schema: TableSchema; change: SchemaChange | null }> {
    const { history } = this.#o,
      name = nameOf(relation),
      known = history.versions(name);
    const same = known.findLast((v) => isSame(v, relation));
    if (same !== undefined) return { schema: this.#schemaOf(relation.schema, relation.table, same), change: null };
    const begun = history.begin(name, { ...version, from: at, announced: known.length > 0 });
    await history.save();
    const { table, change } = this.#met(relation, begun, at);
    return { schema: (table as ReadTable).schema, change };
  }

  /** Does the catalog, of the same columns, tell another key, default or nullability? */
  async #hasNewFacts(relation: Relation, { key, facts }: TableVersion): Promise<boolean> {
    const now = await this.#o.catalog.table(relation.oid);
    if (now === null || nameOf(now) !== nameOf(relation)) return false;
    if (!relation.columns.every((c) => now.columns.some((n) => n.name === c.name && n.typeOid === c.typeOid))) return false;
    const { key: newKey, facts: newFacts } = versionOf(relation, now, new Map());
    return JSON.stringify([newKey, newFacts]) !== JSON.stringify([key, facts]);
  }

  async #look(relation: Relation): Promise<Omit<TableVersion, 'version' | 'from' | 'announced'>> {
    const { catalog } = this.#o;
    const types = new Map((await catalog.types(relation.columns.map((c) => c.typeOid))).map((t) => [t.oid, t]));
    return versionOf(relation, await catalog.table(relation.oid), types);
  }

  #met(relation: Relation, version: TableVersion, at: Position): Met {
    const table = this.#prepare(relation, version);
    if (version.from !== at || !version.announced) return { table, change: null };
    const versions = this.#o.history.versions(nameOf(relation)),
      before = versions[versions.indexOf(version) - 1];
    const previous = before === undefined ? null : this.#schemaOf(relation.schema, relation.table, before);
    return { table, change: { kind: previous === null ? 'create' : 'alter', previous, ddl: null } };
  }

  #prepare(relation: Relation, version: TableVersion): ReadTable {
    const { schema, table } = relation,
      types = typesOf(version);
    const columns = textColumnsOf(relation.columns, types, (name) => this.#isRead(schema, table, name, version.key));
    return new ReadTable(this.#schemaOf(schema, table, version), new RowLayout(columns, relation));
  }

  #schemaOf(schema: string, table: string, version: TableVersion): TableSchema {
    const types = typesOf(version),
      columns: Column[] = [];
    for (const [i, c] of version.columns.entries()) {
      if (!this.#isRead(schema, table, c.name, version.key)) continue;
      const { notNull, default: sql } = version.facts[i] as ColumnFact;
      const value = literalDefault(sql, textColumnOf(c, types).decode);
      columns.push(columnOf({ ...c, nullable: !notNull, defaultSql: sql, ...(value === undefined ? {} : { default: value }) }, types));
    }
    return { id: { database: this.#o.database, schema, table }, columns, key: version.key, version: version.version };
  }

  #isRead(schema: string, table: string, column: string, key: readonly string[]): boolean {
    return key.includes(column) || this.#o.isColumn(schema, table, column);
  }
}

export function nameOf({ schema, table }: { readonly schema: string; readonly table: string }): string {
  return formatTableId({ database: null, schema, table });
}

const isStored = (column: CatalogColumn): boolean => column.generated === '';
const typesOf = (version: TableVersion): PgTypes => new Map(version.types.map((t) => [t.oid, t]));

/** The relation message as the server would send it now. */
function asRelation(table: CatalogTable, columns: readonly CatalogColumn[]): Relation {
  const key = table.identity === 'd' ? table.primaryKey : table.identity === 'i' ? table.identityKey : [];
  return {
    ...table,
    columns: columns.map(({ name, typeOid, typmod }) => ({
      name,
      typeOid,
      typmod,
      isKey: table.identity === 'f' || key.includes(name),
    })),
  };
}

/** The same columns and, where the message tells it, the same key. */
function isSame(version: TableVersion, relation: Relation): boolean {
  const { columns } = version;
  if (columns.length !== relation.columns.length) return false;
  for (const [i, c] of relation.columns.entries()) {
    const known = columns[i] as RelationColumn;
    if (known.name !== c.name || known.typeOid !== c.typeOid || known.typmod !== c.typmod) return false;
    if (relation.identity === 'd' && c.isKey !== version.key.includes(c.name)) return false;
    if (relation.identity === 'i' && !c.isKey && version.key.includes(c.name)) return false;
  }
  return true;
}

/** `now`: what the catalog says of the table; `null` when it is gone. */
function versionOf(relation: Relation, now: CatalogTable | null, types: PgTypes): Omit<TableVersion, 'version' | 'from' | 'announced'> {
  const key = keyOf(relation, now);
  const facts = relation.columns.map((c): ColumnFact => {
    const known = now?.columns.find((n) => n.name === c.name && n.typeOid === c.typeOid);
    return { notNull: key.includes(c.name) || known?.notNull === true, default: known?.default ?? null };
  });
  return { columns: relation.columns, key, facts, types: withParts(relation.columns, types) };
}

/**
 * The primary key, or the index of the replica identity where that leaves out columns of it: a delete then does not have them, and
 * an update does not say that they changed, so only the index tells rows apart. The message's flags are those of then, so they win where
 * they tell the same thing; their order is that of the columns, which is the best that can be known of a table that is gone.
 */
function keyOf(relation: Relation, now: CatalogTable | null): readonly string[] {
  const { identity } = relation,
    flagged = relation.columns.filter((c) => c.isKey).map((c) => c.name);
  const has = (key: readonly string[]): boolean => key.every((name) => relation.columns.some((c) => c.name === name));
  const primary = now?.primaryKey ?? [];
  if (identity === 'd') return primary.length === flagged.length && flagged.every((name) => primary.includes(name)) ? primary : flagged;
  const isSent = identity !== 'i' || primary.every((name) => flagged.includes(name));
  if (primary.length > 0 && isSent && has(primary)) return primary;
  if (identity !== 'i') return [];
  const indexed = now?.identityKey ?? [];
  return indexed.length > 0 && has(indexed) ? indexed : flagged;
}

function withParts(columns: readonly RelationColumn[], types: PgTypes): TableVersion['types'] {
  const wanted = new Set<number>(),
    open = columns.map((c) => c.typeOid);
  for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
    const type = types.get(oid);
    if (type === undefined || wanted.has(oid)) continue;
    wanted.add(oid);
    open.push(type.element, type.base, ...type.fields.map((f) => f.typeOid));
  }
  return [...types.values()].filter((t) => wanted.has(t.oid));
}

/**
 * | default | value of |
 * |---|---|
 * | `5`, `-1.5`, `(-1)` | the digits |
 * | `true` | `t` |
 * | `'a''b'::text` | `a'b` |
 * | `now()`, `nextval(…)`, none | unknown |
 */
export function literalDefault(sql: string | null, decode: (text: string) => Value): Value | undefined {
  if (sql === null) return undefined;
  const [, digits] = /^\(?(-?\d+(?:\.\d+)?)\)?(?:::[\w" ().,]+)?$/.exec(sql) ?? [];
  if (digits !== undefined) return decode(digits);
  if (sql === 'true' || sql === 'false') return decode(sql.slice(0, 1));
  const [, quoted] = /^'((?:[^']|'')*)'::[\w" ().,[\]]+$/s.exec(sql) ?? [];
  return quoted === undefined ? undefined : decode(quoted.replaceAll("''", "'"));
}
