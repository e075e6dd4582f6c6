// From what the catalog says of a table to how its rows are read: in which order, and which of them.

import type { ChunkTable } from './chunk-sql.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import type { CatalogTable } from './system-catalog.ts';

export function chunkTable(table: CatalogTable, { snapshot }: PostgresqlSourceConfig): ChunkTable {
  const { schema, table: name, identity, primaryKey, identityKey } = table;
  const where = snapshot.where[`${schema}.${name}`] ?? (schema === 'public' ? snapshot.where[name] : undefined);
  return {
    schema,
    table: name,
    isPartitioned: table.kind === 'p',
    // FULL has every column of the old row, those of the primary key as well.
    key: identity === 'i' ? identityKey : identity === 'n' ? [] : primaryKey,
    where: where ?? null,
  };
}
