// Since when the publication sends a table without a break. One that is taken out and put back has another row in the catalog, and
// of what was written in between the stream has nothing: the log is decoded with the catalog as it was then.
// https://www.postgresql.org/docs/current/catalog-pg-publication-rel.html

import { formatTableId } from '../../../sdk/index.ts';
import type { Queries } from '../queries.ts';
import type { TableName } from '../tables.ts';

/** One table, as the publication has it. */
export interface PublishedAs extends TableName {
  /** Another one: the table was made anew. */
  readonly relation: number;
  /** Rows of the catalog that make the publication send all its changes: of the table, its schema, or all tables. */
  readonly memberships: readonly number[];
  /** Of a partitioned table: what it is divided into, at any depth. */
  readonly partitions?: readonly number[];
}

export interface Published {
  /** `null`: there is none of this name. */
  readonly publication: number | null;
  /** Its row in the catalog: what stands in it, and the transaction that wrote it last. `null`: there is none. */
  readonly row: { readonly settings: string; readonly version: string } | null;
  /** By name, those that are there. */
  readonly tables: Readonly<Record<string, PublishedAs>>;
}

/**
 * | break | |
 * |---|---|
 * | `left` | the publication does not send it, or not all of its changes |
 * | `rejoined` | it does, and did not for a time |
 * | `altered` | it does, but settings of the publication were changed and changed back |
 * | `recreated` | another table has the name |
 */
export type Break = 'left' | 'rejoined' | 'altered' | 'recreated';

const HAS_SCHEMAS = "SELECT (to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL)::text AS found";
/** 15 and later. */
const SCHEMA_MEMBERSHIP = `
    UNION ALL SELECT s.oid::int8 FROM pg_catalog.pg_publication_namespace AS s WHERE s.pnpubid = p.oid AND s.pnnspid = c.relnamespace`;

/** A partition is in the view under its own name only where its changes come under it. Partitions are found without locks. */
const published = (schemas: string): string => `
WITH p AS (
  SELECT oid, puballtables, pubviaroot, pubinsert AND pubupdate AND pubdelete AND (pubtruncate OR NOT $2::bool) AS complete,
    xmin::text AS version, to_jsonb(own)::text AS settings
  FROM pg_catalog.pg_publication AS own WHERE pubname = $1),
t AS (
  SELECT c.oid, c.relnamespace, c.relkind, n.nspname, c.relname FROM unnest($3::text[], $4::text[]) AS w(nspname, relname)
  JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.nspname JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.relname)
SELECT p.oid::int8 AS publication, p.version, p.settings, c.oid::int8 AS relation, c.nspname AS schema, c.relname AS "table",
  CASE WHEN p.complete AND (c.relkind = 'r' OR p.pubviaroot) AND (c.nspname, c.relname) IN (
    SELECT v.schemaname, v.tablename FROM pg_catalog.pg_publication_tables AS v WHERE v.pubname = $1
  ) THEN (SELECT json_agg(m.id) FROM (
    SELECT p.oid::int8 AS id WHERE p.puballtables
    UNION ALL SELECT r.oid::int8 FROM pg_catalog.pg_publication_rel AS r WHERE r.prpubid = p.oid
      AND (r.prrelid = c.oid OR r.prrelid IN (SELECT a.relid FROM pg_partition_ancestors(c.oid) AS a))${schemas}) AS m) END AS memberships,
  CASE WHEN c.relkind = 'p' THEN (
    WITH RECURSIVE parts AS (
      SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid
      UNION ALL SELECT i.inhrelid FROM parts JOIN pg_catalog.pg_inherits AS i ON i.inhparent = parts.inhrelid)
    SELECT coalesce(json_agg(inhrelid::int8 ORDER BY inhrelid), '[]') FROM parts) END AS partitions
FROM (SELECT 1) AS one LEFT JOIN p ON true LEFT JOIN t AS c ON true`;

/** `truncate`: TRUNCATE is to be sent, too. */
export async function lookAtPublished(queries: Queries, name: string, tables: readonly TableName[], truncate: boolean): Promise<Published> {
  const hasSchemas = (await queries.query(HAS_SCHEMAS)).rows[0]?.['found'] === 'true';
  const { rows } = await queries.query(published(hasSchemas ? SCHEMA_MEMBERSHIP : ''), [
    name,
    truncate,
    tables.map((t) => t.schema),
    tables.map((t) => t.table),
  ]);
  const found: [string, PublishedAs][] = [];
  for (const { relation, schema, table, memberships, partitions } of rows) {
    if (relation == null || schema == null || table == null) continue;
    const as = { schema, table, relation: Number(relation), memberships: idsIn(memberships) ?? [] },
      parts = idsIn(partitions);
    found.push([formatTableId({ database: null, schema, table }), parts === null ? as : { ...as, partitions: parts }]);
  }
  const { publication, version, settings } = rows[0] ?? {};
  return {
    publication: publication == null ? null : Number(publication),
    row: settings == null || version == null ? null : { settings, version },
    tables: Object.fromEntries(found),
  };
}

const idsIn = (json: string | null | undefined): number[] | null => (json == null ? null : (JSON.parse(json) as number[]));

/**
 * The row was written again and says the same: what it said in between nobody knows, and operations that it left out then were not sent.
 * Pure.
 */
export function isAlteredBack({ row: before }: Pick<Published, 'row'>, { row: now }: Pick<Published, 'row'>): boolean {
  return before != null && now !== null && before.settings === now.settings && before.version !== now.version;
}

/** What has come between `known` and now; `null`: nothing. A table that is not there any more lacks nothing. Pure. */
export function breakOf(known: PublishedAs, now: PublishedAs | undefined, isAltered: boolean): Break | null {
  if (now === undefined) return null;
  if (now.relation !== known.relation) return 'recreated';
  if (known.memberships.length === 0) return null;
  if (now.memberships.some((m) => known.memberships.includes(m))) return isAltered ? 'altered' : null;
  return now.memberships.length === 0 ? 'left' : 'rejoined';
}
