// What can be told about a change, and as which type. Pure.

import type { ChangeEvent, Value } from 'cdc-run/sdk';

export const MARKS = ['op', 'source_ts_ms', 'source', 'database', 'schema', 'table', 'position', 'transaction_id', 'snapshot'] as const;
export type Mark = (typeof MARKS)[number];

export const typeOfMark = (mark: Mark): 'string' | 'int64' | 'boolean' =>
  mark === 'source_ts_ms' ? 'int64' : mark === 'snapshot' ? 'boolean' : 'string';

export function markOf(event: ChangeEvent, mark: Mark): Value {
  switch (mark) {
    case 'op':
    case 'source':
    case 'position':
      return event[mark];
    case 'source_ts_ms':
      return BigInt(Math.trunc(event.sourceTsMs));
    case 'database':
    case 'schema':
    case 'table':
      return event.table.id[mark];
    case 'transaction_id':
      return event.transaction?.id ?? null;
    case 'snapshot':
      return event.snapshot !== false;
  }
}
