// What a keyed table does with change events: the rules for upserts, deletes, key changes and incomplete rows that every
// destination of rows must follow (docs/writing-a-destination.md), in their shortest form.

import {
  CdcError,
  type ChangeEvent,
  formatTableId,
  isBeingRead,
  type LaneBatch,
  type Row,
  type TableSchema,
  type Value,
} from '../../index.ts';

/** Rows of all tables by `table/key`. */
export type Rows = Map<string, Row>;

export function rowKey(table: string, key: Row): string {
  return `${table}/${Object.values(key).map(String).join('/')}`;
}

export function rowsOf(rows: Rows, table: string): Row[] {
  return [...rows].filter(([k]) => k.startsWith(`${table}/`)).map(([, row]) => row);
}

function refusal(code: 'DESTINATION_ROW_MISSING' | 'DESTINATION_EVENT_REJECTED', event: ChangeEvent, what: string): CdcError {
  return new CdcError(
    code,
    `${what} (${formatTableId(event.table.id)} ${JSON.stringify(event.key, (_, v: Value) => (typeof v === 'bigint' ? String(v) : v))})`,
    {
      fix: 'Look at the dead letter.',
    },
  );
}

/**
 * Applies one event; returns why it can never be applied, or `null`. `undoes`: the destination stores its point with the
 * data, so that a repeat cannot happen; without it an incomplete change of key could move the wrong row.
 */
export function applyEvent(
  rows: Rows,
  event: ChangeEvent,
  batch: Pick<LaneBatch, 'previous' | 'through'>,
  undoes: boolean,
): CdcError | null {
  const table = formatTableId(event.table.id);
  if (event.op === 't') {
    for (const k of [...rows.keys()]) if (k.startsWith(`${table}/`)) rows.delete(k);
    return null;
  }
  if (event.op === 'm' || event.op === 's') return null;
  if (event.key === null) return refusal('DESTINATION_EVENT_REJECTED', event, 'an event without a key cannot be stored by key');
  const at = rowKey(table, event.key);
  if (event.op === 'd') {
    rows.delete(at);
    return null;
  }
  const oldAt = event.oldKey === null ? at : rowKey(table, event.oldKey);
  if (event.incomplete) return applyIncomplete(rows, event, oldAt, at, isBeingRead(event, batch), undoes);
  if (oldAt !== at) rows.delete(oldAt);
  rows.set(at, { ...event.after });
  return null;
}

function applyIncomplete(
  rows: Rows,
  event: ChangeEvent,
  oldAt: string,
  at: string,
  snapshotRuns: boolean,
  undoes: boolean,
): CdcError | null {
  if (oldAt !== at && !undoes)
    return refusal('DESTINATION_EVENT_REJECTED', event, 'an incomplete change of key could move the wrong row when it is repeated');
  const row = rows.get(oldAt);
  if (row === undefined) return snapshotRuns ? null : refusal('DESTINATION_ROW_MISSING', event, 'there is no row to update');
  rows.delete(oldAt);
  rows.set(at, { ...row, ...event.after });
  return null;
}

/** The key of a row by its table's key columns. */
export function keyOfRow(table: TableSchema, row: Row): Row {
  return Object.fromEntries(table.key.map((name) => [name, row[name] ?? null]));
}
