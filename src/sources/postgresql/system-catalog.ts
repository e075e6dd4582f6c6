// What the server's catalog says of tables and types, as plain objects. It tells how things are now; what a row of the log had
// then, its relation message says (schemas.ts puts the two together).
// https://www.postgresql.org/docs/current/catalogs.html

import type { PgType } from './pg-type.ts';
import type { ReplicaIdentity } from './pgoutput/relation.ts';
import type { Queries } from './queries.ts';

export interface CatalogColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly typmod: number;
  readonly notNull: boolean;
  /** Stored (`s`) or virtual (`v`) generated column; empty for others. */
  readonly generated: string;
  /** The default as SQL; `null` for none. */
  readonly default: string | null;
}

export interface CatalogTable {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** Ordinary or partitioned. */
  readonly kind: 'r' | 'p';
  readonly identity: ReplicaIdentity;
  /** The file of its rows: another one after a rewrite. 0 for partitioned tables. */
  readonly relfilenode: number;
  /** Estimate; negative when the table was never analysed. */
  readonly rows: number;
  readonly columns: readonly CatalogColumn[];
  /** Names in key order. */
  readonly primaryKey: readonly string[];
  /** Of the index that REPLICA IDENTITY USING INDEX names. */
  readonly identityKey: readonly string[];
}

interface TableName {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly ancestors: readonly { readonly schema: string; readonly table: string }[];
}

/** Only what is in the write-ahead log can be captured: no temporary and no unlogged tables. */
const NAMES = `
  SELECT json_build_object('oid', c.oid::int8, 'schema', n.nspname, 'table', c.relname,
    'ancestors', coalesce((
      SELECT json_agg(json_build_object('schema', pn.nspname, 'table', p.relname))
      FROM pg_partition_ancestors(c.oid) a(relid) JOIN pg_class p ON p.oid = a.relid JOIN pg_namespace pn ON pn.oid = p.relnamespace
      WHERE c.relispartition AND p.oid <> c.oid), '[]')) AS found
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
  ORDER BY n.nspname, c.relname`;

/** `which`: the condition on the index. */
const indexColumns = (which: string): string => `
  coalesce((SELECT json_agg(a.attname ORDER BY k.n) FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k(number, n), pg_attribute a
    WHERE i.indrelid = c.oid AND ${which} AND k.n <= i.indnkeyatts AND a.attrelid = c.oid AND a.attnum = k.number), '[]')`;

const TABLES = `
  SELECT json_build_object('oid', c.oid::int8, 'schema', n.nspname, 'table', c.relname, 'kind', c.relkind, 'identity', c.relreplident,
    'relfilenode', c.relfilenode::int8, 'rows', c.reltuples,
    'columns', coalesce((
      SELECT json_agg(json_build_object('name', a.attname, 'typeOid', a.atttypid::int8, 'typmod', a.atttypmod, 'notNull', a.attnotnull OR ty.typtype = 'd' AND ty.typnotnull,
        'generated', a.attgenerated, 'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END) ORDER BY a.attnum)
      FROM pg_attribute a JOIN pg_type ty ON ty.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
    'primaryKey', ${indexColumns('i.indisprimary')}, 'identityKey', ${indexColumns('i.indisreplident')}) AS found
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = ANY($1::oid[])
  ORDER BY n.nspname, c.relname`;

const TYPES = `
  SELECT json_build_object('oid', t.oid::int8, 'name', t.typname, 'formatted', format_type(t.oid, NULL), 'kind', t.typtype,
    'category', t.typcategory, 'element', CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::int8, 'delimiter', t.typdelim,
    'base', t.typbasetype::int8, 'typmod', t.typtypmod,
    'labels', coalesce((SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '[]'),
    'fields', coalesce((
      SELECT json_agg(json_build_object('name', a.attname, 'typeOid', a.atttypid::int8, 'typmod', a.atttypmod) ORDER BY a.attnum)
      FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]')) AS found
  FROM pg_type t WHERE t.oid = ANY($1::oid[])`;

export class Catalog {
  readonly #queries: Queries;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  /** The tables that `isWanted` names; a partition only when none of its ancestors is: their rows come under the root's name. */
  async tables(isWanted: (schema: string, table: string) => boolean): Promise<CatalogTable[]> {
    const names = await this.#found<TableName>(NAMES);
    const wanted = names.filter((t) => isWanted(t.schema, t.table) && !t.ancestors.some((a) => isWanted(a.schema, a.table)));
    return wanted.length === 0 ? [] : this.#found<CatalogTable>(TABLES, [wanted.map((t) => t.oid)]);
  }

  /** `null`: it has been dropped. */
  async table(oid: number): Promise<CatalogTable | null> {
    const [table] = await this.#found<CatalogTable>(TABLES, [[oid]]);
    return table ?? null;
  }

  /** As the transaction of the session sees it; `null`: there is none of this name. */
  async named(schema: string, table: string): Promise<CatalogTable | null> {
    const [found] = await this.#found<CatalogTable>(TABLES.replace('c.oid = ANY($1::oid[])', 'n.nspname = $1 AND c.relname = $2'), [
      schema,
      table,
    ]);
    return found ?? null;
  }

  /** These types and all that they are made of. Dropped ones are missing. */
  async types(oids: Iterable<number>): Promise<PgType[]> {
    const types = new Map<number, PgType>();
    let missing = [...new Set(oids)];
    while (missing.length > 0) {
      const found = await this.#found<PgType>(TYPES, [missing]);
      for (const type of found) types.set(type.oid, type);
      const asked = new Set(missing);
      missing = [...new Set(found.flatMap(partsOf))].filter((oid) => !types.has(oid) && !asked.has(oid));
    }
    return [...types.values()];
  }

  async #found<T>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    const { rows } = await this.#queries.query(text, values);
    return rows.map((row) => JSON.parse(row['found'] as string) as T);
  }
}

function partsOf(type: PgType): number[] {
  return [type.element, type.base, ...type.fields.map((f) => f.typeOid)].filter((oid) => oid !== 0);
}
