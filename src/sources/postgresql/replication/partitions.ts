// Partitions that come and go while nobody is told: the log has nothing of the rows that a table brings with ATTACH PARTITION, and
// nothing of those that go with DETACH PARTITION or DROP TABLE.

import { quoteName } from '../../../util/sql-names.ts';
import type { Queries } from '../queries.ts';
import type { TableName } from '../tables.ts';
import type { Published, PublishedAs } from './published.ts';

/** A table that became a partition, and had rows when it was first seen as one. */
export interface Attached {
  /** The partitioned table, as progress names it. */
  readonly table: string;
  readonly root: TableName;
  readonly partition: string;
  /** The same for one attaching. */
  readonly id: string;
  /** Which rows of the partitioned table are its own, in SQL; `true` for a default partition that is alone. */
  readonly condition: string;
}

/** Partitions of a captured table that are not there any more. */
export interface Detached {
  readonly table: string;
  readonly count: number;
}

/** The partitions of both looks, where both know of them. */
function* partitioned(
  known: Published,
  now: Published,
): Generator<[table: string, as: PublishedAs, before: readonly number[], after: readonly number[]]> {
  for (const [table, as] of Object.entries(now.tables)) {
    const before = known.tables[table];
    if (before?.relation === as.relation && before.partitions !== undefined && as.partitions !== undefined)
      yield [table, as, before.partitions, as.partitions];
  }
}

/** Pure. */
export function detachedSince(known: Published, now: Published): Detached[] {
  return [...partitioned(known, now)]
    .map(([table, , before, after]) => ({ table, count: before.filter((p) => !after.includes(p)).length }))
    .filter(({ count }) => count > 0);
}

/** Attaching writes each column of a table again; of a partition that was made as one those without a default are as its row type is. */
const ATTACHED = `
SELECT n.nspname AS schema, c.relname AS "table", i.inhrelid::int8 || '-' || i.xmin AS id,
  coalesce(pg_get_partition_constraintdef(c.oid), 'true') AS condition
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid JOIN pg_catalog.pg_type AS t ON t.oid = c.reltype
WHERE c.oid = ANY ($1::int8[]) AND NOT EXISTS (
    SELECT 1 FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.xmin = t.xmin AND a.cmin = t.cmin)
  AND EXISTS (SELECT 1 FROM pg_partition_tree(c.oid) AS leaf WHERE leaf.isleaf AND pg_relation_size(leaf.relid) > 0)`;

/** Those that were attached since `known` with rows in them. Throws the driver's. */
export async function attachedSince(queries: Queries, known: Published, now: Published): Promise<Attached[]> {
  const attached: Attached[] = [];
  for (const [table, root, before, after] of partitioned(known, now)) {
    const come = after.filter((p) => !before.includes(p));
    if (come.length === 0) continue;
    const { rows } = await queries.query(ATTACHED, [`{${come.join(',')}}`]);
    for (const { schema, table: name, id, condition } of rows) {
      if (schema == null || name == null || id == null || condition == null) continue;
      attached.push({ table, root, partition: `${quoteName(schema)}.${quoteName(name)}`, id, condition });
    }
  }
  return attached;
}
