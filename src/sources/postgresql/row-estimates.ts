// How many rows a table may have, for people: asked of the planner.

import { type ChunkTable, explainRows } from './chunk-sql.ts';
import type { Queries } from './queries.ts';

/** Throws what the server says. */
export async function estimateRows(queries: Queries, table: ChunkTable, where: string | null): Promise<number | null> {
  const { rows } = await queries.query(explainRows(table, where));
  return plannedRows(rows[0]?.['QUERY PLAN'] ?? '');
}

/** `[{"Plan": {"Plan Rows": 1234, …}}]`; `null` when it is something else. */
export function plannedRows(plan: string): number | null {
  try {
    const [first] = JSON.parse(plan) as { readonly Plan?: { readonly 'Plan Rows'?: unknown } }[];
    const rows = first?.Plan?.['Plan Rows'];
    return typeof rows === 'number' && Number.isFinite(rows) ? rows : null;
  } catch {
    return null;
  }
}
