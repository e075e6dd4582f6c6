// The publication: what the server sends. Made and extended where it is our own, which a comment on it says; one that
// somebody else made is looked at and never touched. https://www.postgresql.org/docs/current/sql-createpublication.html

import { quoteName, quoteText } from '../../../util/sql-names.ts';
import type { Queries } from '../queries.ts';
import type { TableName } from '../tables.ts';

/** In the comment of each publication that we made. */
const OUR_MARK = 'Made by cdc-run';

export interface PublishedTable extends TableName {
  /** A condition in SQL: only rows that meet it are sent (15 and later). */
  readonly rowFilter: string | null;
  /** What is sent; `null` before 15, where that is all. */
  readonly columns: readonly string[] | null;
}

export interface PublicationState {
  readonly name: string;
  readonly owner: string;
  /** Our role may change it. */
  readonly isOwned: boolean;
  readonly isOurs: boolean;
  readonly allTables: boolean;
  /** `insert`, `update`, `delete`, `truncate`: those that are left out. */
  readonly missingOperations: readonly string[];
  /** Changes of partitions come under the name of their root. */
  readonly viaRoot: boolean;
  readonly tables: readonly PublishedTable[];
}

const PUBLICATION = `
SELECT p.pubname AS name, pg_get_userbyid(p.pubowner) AS owner, pg_has_role(p.pubowner, 'USAGE') AS owned, p.puballtables AS all_tables,
  p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot AS via_root, obj_description(p.oid, 'pg_publication') AS comment
FROM pg_catalog.pg_publication AS p WHERE p.pubname = $1`;
/** As JSON, because the view has grown: what a version does not know is NULL. */
const TABLES = `
SELECT t.schemaname AS schema, t.tablename AS "table", to_jsonb(t) ->> 'rowfilter' AS row_filter, to_jsonb(t) ->> 'attnames' AS columns
FROM pg_catalog.pg_publication_tables AS t WHERE t.pubname = $1`;
const OPERATIONS = ['insert', 'update', 'delete', 'truncate'] as const;

export async function readPublication(queries: Queries, name: string): Promise<PublicationState | null> {
  const row = (await queries.query(PUBLICATION, [name])).rows[0];
  if (row === undefined) return null;
  const tables = (await queries.query(TABLES, [name])).rows;
  return {
    name,
    owner: row['owner'] ?? '',
    isOwned: row['owned'] === 't',
    isOurs: row['comment']?.startsWith(OUR_MARK) === true,
    allTables: row['all_tables'] === 't',
    missingOperations: OPERATIONS.filter((operation) => row[`pub${operation}`] !== 't'),
    viaRoot: row['via_root'] === 't',
    tables: tables.map((t) => ({
      schema: t['schema'] ?? '',
      table: t['table'] ?? '',
      rowFilter: t['row_filter'] ?? null,
      columns: t['columns'] == null ? null : (JSON.parse(t['columns']) as string[]),
    })),
  };
}

export interface PublicationRequest {
  readonly name: string;
  readonly create: boolean;
  readonly pipeline: string;
  readonly tables: readonly (TableName & { readonly isPartitioned: boolean })[];
  /** TRUNCATE is to become events. */
  readonly truncate: boolean;
}

export interface PublicationProblem {
  readonly message: string;
  /** SQL that whoever owns the publication can run. */
  readonly fix: string;
}

export interface PublicationPlan {
  /** What we do ourselves, in one transaction. Each takes a lock on its tables that neither readers nor writers wait for. */
  readonly statements: readonly string[];
  /** What somebody else must do before we can begin. */
  readonly problems: readonly PublicationProblem[];
}

/** What is to be done so that the publication sends all changes of the tables. Pure. */
export function planPublication(state: PublicationState | null, request: PublicationRequest): PublicationPlan {
  if (state !== null) return planExisting(state, request);
  const statements = createStatements(request);
  if (request.create) return { statements, problems: [] };
  return {
    statements: [],
    problems: [
      { message: `the publication "${request.name}" does not exist`, fix: `Run: ${statements[0]}; or set \`publication.create: true\`.` },
    ],
  };
}

function planExisting(state: PublicationState, { create, tables, truncate }: PublicationRequest): PublicationPlan {
  const mayChange = state.isOurs && state.isOwned && create;
  const name = quoteName(state.name);
  const wrong: { message: string; sql: string }[] = [];
  const operations = state.missingOperations.filter((o) => o !== 'truncate' || truncate);
  if (operations.length > 0) {
    const sql = `ALTER PUBLICATION ${name} SET (publish = 'insert, update, delete, truncate')`;
    wrong.push({ message: `the publication "${state.name}" leaves out ${operations.join(', ')}`, sql });
  }
  if (!state.viaRoot && tables.some((t) => t.isPartitioned)) {
    const sql = `ALTER PUBLICATION ${name} SET (publish_via_partition_root = true)`;
    wrong.push({ message: `the publication "${state.name}" sends partitions under their own names`, sql });
  }
  // Without the root option the view lists the partitions of a partitioned table in its place.
  const known = new Set(state.tables.map((t) => `${t.schema}.${t.table}`));
  const missing = state.allTables ? [] : tables.filter((t) => !known.has(`${t.schema}.${t.table}`) && (state.viaRoot || !t.isPartitioned));
  if (missing.length > 0) {
    const sql = `ALTER PUBLICATION ${name} ADD TABLE ${missing.map(qualified).join(', ')}`;
    wrong.push({ message: `the publication "${state.name}" lacks ${missing.map((t) => `${t.schema}.${t.table}`).join(', ')}`, sql });
  }
  if (mayChange) return { statements: wrong.map((w) => w.sql), problems: [] };
  return { statements: [], problems: wrong.map(({ message, sql }) => ({ message, fix: `Run as ${state.owner}: ${sql};` })) };
}

function createStatements({ name, pipeline, tables }: PublicationRequest): string[] {
  const list = tables.length === 0 ? '' : ` FOR TABLE ${tables.map(qualified).join(', ')}`;
  return [
    `CREATE PUBLICATION ${quoteName(name)}${list} WITH (publish_via_partition_root = true)`,
    `COMMENT ON PUBLICATION ${quoteName(name)} IS ${quoteText(`${OUR_MARK} for the pipeline ${pipeline}.`)}`,
  ];
}

/** All or nothing: a simple query of several statements is one transaction, so a crash leaves no publication without its mark. */
export async function applyPublication(session: { script(text: string): Promise<void> }, plan: PublicationPlan): Promise<void> {
  if (plan.statements.length > 0) await session.script(plan.statements.join('; '));
}

/** Drops it, if it is our own. */
export async function dropPublication(session: Queries & { script(text: string): Promise<void> }, name: string): Promise<void> {
  if ((await readPublication(session, name))?.isOurs === true) await session.script(`DROP PUBLICATION IF EXISTS ${quoteName(name)}`);
}

export function qualified({ schema, table }: TableName): string {
  return `${quoteName(schema)}.${quoteName(table)}`;
}
