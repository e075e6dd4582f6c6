// Is what was asked of a snapshot possible? Which tables are meant, and does the server take the condition? Asked before anything is
// stored.

import { CdcError, type SnapshotRequest } from '../../sdk/index.ts';
import type { CatalogTable } from './catalog.ts';
import { from } from './chunk-sql.ts';
import { matchesTable } from './names.ts';
import { nameOfTable } from './schemas.ts';
import type { Server } from './server.ts';

/** The tables that are meant, of those that are captured. */
export function tablesMeant(
  patterns: readonly string[],
  captured: readonly CatalogTable[],
  home: string | null,
  where: string,
): CatalogTable[] {
  const meant = new Set<CatalogTable>();
  for (const pattern of patterns) {
    const found = captured.filter((t) => matchesTable(pattern, home, t.database, t.table));
    if (found.length === 0)
      throw new CdcError('SOURCE_SNAPSHOT_REFUSED', `The source captures no table "${pattern}".`, {
        where,
        fix: `Name one of: ${captured.map(nameOfTable).join(', ')}.`,
      });
    for (const table of found) meant.add(table);
  }
  return [...meant];
}

/** Asks the server to plan it. The driver sends one statement at a time: a condition cannot end it and begin another. */
export async function checkCondition(server: Server, tables: readonly CatalogTable[], { where }: SnapshotRequest): Promise<void> {
  if (where === null) return;
  for (const table of tables) {
    try {
      await server.query(`EXPLAIN SELECT 1 FROM ${from(table)} WHERE (${where}\n)`);
    } catch (cause) {
      throw new CdcError(
        'SOURCE_SNAPSHOT_REFUSED',
        `The condition cannot be asked of ${nameOfTable(table)}: ${(cause as Error).message}.`,
        {
          where: server.place.where,
          fix: 'Correct --where: a condition in SQL over the columns of the table.',
          cause,
        },
      );
    }
  }
}
