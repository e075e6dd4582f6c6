// Is what was asked of a snapshot possible? Which tables are meant, and does the server take the condition? Asked before
// anything is stored.

import { CdcError, formatTableId, type SnapshotRequest } from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import { matchesTable } from './names.ts';
import type { Server } from './server.ts';
import type { CatalogTable } from './system-catalog.ts';

/** The names of the tables that are meant, of those that are captured. */
export function tablesMeant(patterns: readonly string[], captured: readonly CatalogTable[], where: string): CatalogTable[] {
  const meant = new Set<CatalogTable>();
  for (const pattern of patterns) {
    const found = captured.filter((t) => matchesTable(pattern, t.schema, t.table));
    if (found.length === 0)
      throw new CdcError('SOURCE_SNAPSHOT_REFUSED', `The source captures no table "${pattern}".`, {
        where,
        fix: `Name one of: ${captured.map((t) => `${t.schema}.${t.table}`).join(', ')}.`,
      });
    for (const table of found) meant.add(table);
  }
  return [...meant];
}

export const nameOfTable = ({ schema, table }: Pick<CatalogTable, 'schema' | 'table'>): string =>
  formatTableId({ database: null, schema, table });

/** Asks the server to plan it. A bound value makes it a statement of its own: a condition cannot end it and begin another. */
export async function checkCondition(server: Server, tables: readonly CatalogTable[], { where }: SnapshotRequest): Promise<void> {
  if (where === null) return;
  await server.use(null, async (session) => {
    for (const { schema, table } of tables) {
      try {
        await session.query(`EXPLAIN SELECT 1 FROM ${quoteName(schema)}.${quoteName(table)} WHERE (${where}\n) AND $1::int = 1`, ['1']);
      } catch (cause) {
        throw new CdcError('SOURCE_SNAPSHOT_REFUSED', `The condition cannot be asked of ${schema}.${table}: ${(cause as Error).message}.`, {
          where: server.place.where,
          fix: 'Correct --where: a condition in SQL over the columns of the table.',
          cause,
        });
      }
    }
  });
}
