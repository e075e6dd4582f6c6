// The tables that patterns mean, and what capture must know about each before it begins. Columns and keys in detail are
// read when a table is captured.

import { tableFilter } from './names.ts';
import type { Queries } from './queries.ts';
import type { TextRow } from './replication/socket.ts';

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export interface FoundTable extends TableName {
  /** Holds no rows itself: its partitions do, and their changes come under its name. */
  readonly isPartitioned: boolean;
  /** Of a partition: the table it is a part of, all the way up. */
  readonly root: TableName | null;
  /**
   * What UPDATE and DELETE send of the old row: `key` (of the primary key), `index` (of another unique index), `full`, or
   * nothing: then the server refuses them once the table is published.
   */
  readonly identity: 'key' | 'index' | 'full' | 'none';
  readonly hasPrimaryKey: boolean;
  /** Not in the log: its changes cannot be seen. */
  readonly isUnlogged: boolean;
  readonly isReadable: boolean;
  readonly isOwned: boolean;
  /** Policies hide rows from our role. */
  readonly hasRowSecurity: boolean;
  readonly generatedColumns: readonly string[];
  /** As the planner believes; -1 before the first ANALYZE. */
  readonly estimatedRows: number;
}

const TABLES = `
SELECT n.nspname AS schema, c.relname AS "table", c.relkind AS kind, c.relreplident AS identity, c.relpersistence AS persistence,
  c.reltuples::bigint AS rows, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
  pg_has_role(c.relowner, 'USAGE') AS owned, row_security_active(c.oid) AS row_security, rn.nspname AS root_schema, r.relname AS root_table,
  EXISTS (SELECT 1 FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary) AS primary_key,
  EXISTS (SELECT 1 FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident) AS identity_index,
  (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> '') AS generated
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class AS r ON c.relispartition AND r.oid = pg_partition_root(c.oid)
LEFT JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY 1, 2`;

/** All tables of the database that are not the system's. */
export async function allTables(queries: Queries): Promise<FoundTable[]> {
  return (await queries.query(TABLES)).rows.map(foundTable);
}

/** Those to capture. A partition goes with its root; one whose root is not captured counts as a table of its own. */
export function captured(tables: readonly FoundTable[], patterns: readonly string[]): FoundTable[] {
  const isWanted = tableFilter(patterns);
  return tables.filter((t) => isWanted(t.schema, t.table) && (t.root === null || !isWanted(t.root.schema, t.root.table)));
}

/** The tables that hold rows: a partitioned one is replaced by its partitions. */
export function withRows(tables: readonly FoundTable[], wanted: readonly FoundTable[]): FoundTable[] {
  return wanted.flatMap((w) =>
    w.isPartitioned ? tables.filter((t) => !t.isPartitioned && t.root?.schema === w.schema && t.root.table === w.table) : [w],
  );
}

function foundTable(row: TextRow): FoundTable {
  const { schema, table, root_schema: rootSchema, root_table: rootTable } = row;
  const hasPrimaryKey = row['primary_key'] === 't';
  return {
    schema: schema ?? '',
    table: table ?? '',
    isPartitioned: row['kind'] === 'p',
    root: rootSchema == null || rootTable == null ? null : { schema: rootSchema, table: rootTable },
    identity: identityOf(row['identity'] ?? 'd', hasPrimaryKey, row['identity_index'] === 't'),
    hasPrimaryKey,
    isUnlogged: row['persistence'] === 'u',
    isReadable: row['readable'] === 't',
    isOwned: row['owned'] === 't',
    hasRowSecurity: row['row_security'] === 't',
    generatedColumns: row['generated'] == null ? [] : (JSON.parse(row['generated']) as string[]),
    estimatedRows: Number(row['rows'] ?? -1),
  };
}

/** `pg_class.relreplident`. An index that was dropped leaves `i` without one. */
function identityOf(letter: string, hasPrimaryKey: boolean, hasIndex: boolean): FoundTable['identity'] {
  if (letter === 'f') return 'full';
  if (letter === 'i') return hasIndex ? 'index' : 'none';
  return letter === 'd' && hasPrimaryKey ? 'key' : 'none';
}
