// How people name tables when they choose among events.

import type { TableId } from '../sdk/index.ts';

/** `orders` is the table of any schema, `public.orders` of that one. */
export function isTable(id: TableId, name: string): boolean {
  return id.table === name || `${id.schema ?? id.database ?? ''}.${id.table}` === name;
}
