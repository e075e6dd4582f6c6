// A table that is polled.

import { Catalog, type CatalogTable } from './catalog.ts';
import { from } from './chunk-sql.ts';
import { PollInput, type PollTools } from './poll-input.ts';
import { orderOf, type Watermark } from './poll-order.ts';

/** Throws `SOURCE_MISCONFIGURED` where the table cannot be polled. */
export function pollTable(table: CatalogTable, watermark: Watermark, tools: PollTools & { isMariadb(): Promise<boolean> }): PollInput {
  const relation = {
    table,
    hasLastSync: false,
    from: () => from(table),
    look: async (session: ConstructorParameters<typeof Catalog>[0]) => {
      // From here on it cannot be altered.
      await session.query(`SELECT 1 FROM ${from(table)} LIMIT 0`);
      return new Catalog(session, () => tools.isMariadb()).table(table.database, table.table);
    },
  };
  return new PollInput(relation, orderOf(table, watermark, tools.where), tools);
}
