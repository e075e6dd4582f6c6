// Which columns of a table the server sends: the publication may list some, and generated ones are not in the log of every version.

import type { Queries } from './queries.ts';
import { readPublication } from './replication/publication.ts';
import { nameOf } from './schemas.ts';
import type { CatalogColumn, CatalogTable } from './system-catalog.ts';

export type Sends = (table: CatalogTable) => (column: CatalogColumn) => boolean;

export async function sentBy(queries: Queries, publication: string, tables: readonly CatalogTable[]): Promise<Sends> {
  return sendsOf(await sentColumns(queries, publication), tables);
}

interface Sent {
  /** By table, where the server lists them. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
  /** Before 18 generated columns are never sent, though 15 lists them. */
  readonly generated: boolean;
}

/** What the server sends of each table, where it says so: before 15 that is all but generated columns. */
async function sentColumns(queries: Queries, publication: string): Promise<Sent> {
  const tables = (await readPublication(queries, publication))?.tables ?? [];
  const { rows } = await queries.query("SELECT (current_setting('server_version_num')::int >= 180000)::text AS generated");
  return {
    columns: new Map(tables.flatMap((t) => (t.columns === null ? [] : [[nameOf(t), t.columns] as const]))),
    generated: rows[0]?.['generated'] === 'true',
  };
}

/**
 * A list of columns leaves out others than generated ones; without one, columns that are added are sent, too. Which of the two
 * it is shows only in the tables as they were when the server was asked.
 */
function sendsOf(sent: Sent, tables: readonly CatalogTable[]): Sends {
  const lists = new Set(
    tables
      .filter((t) => t.columns.some((c) => c.generated === '' && sent.columns.get(nameOf(t))?.includes(c.name) === false))
      .map((t) => nameOf(t)),
  );
  return (table) => {
    const name = nameOf(table),
      columns = sent.columns.get(name);
    if (columns === undefined) return (column) => column.generated === '';
    const isList = lists.has(name),
      isSent = (column: CatalogColumn): boolean => column.generated === '' || sent.generated;
    return (column) => isSent(column) && (columns.includes(column.name) || (!isList && column.generated === ''));
  };
}
