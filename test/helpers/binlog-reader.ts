// Reads recorded and made binlogs in tests: events, and rows as objects.

import { readFileSync } from 'node:fs';
import { JsonText, type Row } from '../../src/sdk/index.ts';
import { BinlogDecoder } from '../../src/sources/mysql/binlog/decoder.ts';
import type { BinlogEvent, RowsEvent } from '../../src/sources/mysql/binlog/events.ts';
import type { RowShape } from '../../src/sources/mysql/binlog/row-shape.ts';
import { BinlogRow, RowLayout } from '../../src/sources/mysql/binlog/rows.ts';
import { type ColumnFacts, textColumnOf } from '../../src/sources/mysql/types.ts';

export const RECORDINGS = ['mariadb-10.11', 'mysql-5.6.24', 'mysql-5.7.22', 'mysql-8.0.31'] as const;
const FILE_HEADER_BYTES = 4;

/** The bytes of each event. */
export function recordedEvents(name: (typeof RECORDINGS)[number]): Buffer[] {
  const file = readFileSync(new URL(`../fixtures/mysql/binlog/${name}.binlog`, import.meta.url)),
    events: Buffer[] = [];
  for (let at = FILE_HEADER_BYTES; at < file.length; ) {
    const length = file.readUInt32LE(at + 9);
    events.push(file.subarray(at, at + length));
    at += length;
  }
  return events;
}

/** Those of packed transactions too. */
export function decodeAll(events: readonly Buffer[], decoder = new BinlogDecoder()): BinlogEvent[] {
  const out: BinlogEvent[] = [];
  for (const bytes of events) {
    const event = decoder.decode(bytes);
    out.push(event);
    if (event.kind === 'transaction_payload') for (const inner of event.events) out.push(inner);
  }
  return out;
}

export function layoutOf({ table }: RowsEvent, facts?: readonly ColumnFacts[]): RowLayout {
  return new RowLayout(table.columns.map((c, i) => textColumnOf(c, i, facts?.[i] ?? null)));
}

export interface ReadRow {
  readonly before: Row | null;
  readonly after: Row | null;
}

export function images(event: RowsEvent, layout = layoutOf(event)): { before: BinlogRow | null; after: BinlogRow | null }[] {
  const { bytes, starts, before, after, op, rowCount } = event;
  const image = (n: number, shape: RowShape | null): BinlogRow | null =>
    shape === null ? null : new BinlogRow(bytes, starts[n] as number, shape, layout);
  return Array.from({ length: rowCount }, (_, i) =>
    op === 'u' ? { before: image(i * 2, before), after: image(i * 2 + 1, after) } : { before: image(i, before), after: image(i, after) },
  );
}

/** JSON documents as their text, so that they can be compared. */
export function plain(row: Row | null): Row | null {
  return row && Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v instanceof JsonText ? v.text : v]));
}

export function readRows(event: RowsEvent, facts?: readonly ColumnFacts[]): ReadRow[] {
  return images(event, layoutOf(event, facts)).map(({ before, after }) => ({
    before: plain(before?.decode() ?? null),
    after: plain(after?.decode() ?? null),
  }));
}

export function rowsOf(events: readonly BinlogEvent[]): RowsEvent[] {
  return events.filter((e): e is RowsEvent => e.kind === 'rows');
}
