// How each captured table is read by a snapshot: by which key, and which of its rows.

import type { CatalogTable } from './catalog.ts';
import { mapColumn } from './catalog-map.ts';
import type { ChunkTable } from './chunk-sql.ts';
import type { MysqlSourceConfig } from './config.ts';
import { factOf } from './facts.ts';
import { matchesTable } from './names.ts';
import { isKeyType } from './text-values.ts';
import { columnOf } from './types.ts';

export function chunkTable(table: CatalogTable, { snapshot }: Pick<MysqlSourceConfig, 'snapshot'>, home: string | null): ChunkTable {
  const where = Object.entries(snapshot.where).find(([pattern]) => matchesTable(pattern, home, table.database, table.table))?.[1] ?? null;
  const isUsable = table.key.every((name) => {
    const i = table.columns.findIndex((c) => c.name === name),
      column = table.columns[i];
    return column !== undefined && isKeyType(columnOf(mapColumn(column), i, factOf(column)));
  });
  return { database: table.database, table: table.table, key: isUsable ? table.key : [], where };
}
