// A batch as bytes for files. Pure.

import type { CsvOutput, formatRecords } from '../../formats/csv.ts';
import { stringifyJson } from '../../formats/json-lossless.ts';
import {
  CdcError,
  type ChangeEvent,
  type ColumnType,
  formatTableId,
  type LaneBatch,
  type Row,
  type TableSchema,
  type Value,
} from '../../sdk/index.ts';
import type { PathTemplate } from './path-template.ts';

/** Bytes for one file, in order. A file whose columns change within a batch has several. */
export interface Segment {
  readonly path: string;
  readonly bytes: Buffer;
  /** Columns of a CSV file; `null` for NDJSON. */
  readonly columns: readonly string[] | null;
}

const NEWLINE = Buffer.from('\n');
/** Columns before those of the row: the operation, and its time at the source. */
const META = ['__op', '__source_ts_ms'] as const;

/** One line per record that has a value; tombstones have none, and nothing to say in a file. */
export function encodeNdjson(batch: LaneBatch, template: PathTemplate): Segment[] {
  const { event, value } = batch.encoded();
  const parts = new Map<string, Uint8Array[]>();
  for (let i = 0; i < value.length; i++) {
    const index = event[i] as number,
      bytes = value[i];
    if (!bytes || batch.skip.has(index)) continue;
    const path = template.pathOf(batch.events[index] as ChangeEvent);
    const list = parts.get(path);
    if (list === undefined) parts.set(path, [bytes, NEWLINE]);
    else list.push(bytes, NEWLINE);
  }
  return [...parts].map(([path, list]) => ({ path, bytes: Buffer.concat(list), columns: null }));
}

export interface CsvContext {
  readonly format: typeof formatRecords;
  readonly template: PathTemplate;
  readonly output: CsvOutput;
  readonly where: string;
  /** The columns that a file has already. */
  columnsOf(path: string): readonly string[] | null;
  /** The table whose rows a file holds; filled in here. */
  readonly tables: Map<string, string>;
}

/**
 * One record per event with a row: `after`, or what is known of the row before a delete. A truncate is a record without columns.
 * Schema changes show as other columns; messages are no rows, and left out.
 */
export function encodeCsv(batch: LaneBatch, ctx: CsvContext): Segment[] {
  const { format, template, output, columnsOf } = ctx;
  const open = new Map<string, { columns: readonly string[]; rows: (string | null | undefined)[][] }>();
  const segments: Segment[] = [];
  let table: TableSchema | null = null,
    types: ReadonlyMap<string, ColumnType> = new Map();
  const close = (path: string): void => {
    const file = open.get(path);
    if (file !== undefined && file.rows.length > 0)
      segments.push({ path, bytes: Buffer.from(format(file.rows, output)), columns: file.columns });
  };
  batch.events.forEach((event, index) => {
    if (batch.skip.has(index) || event.op === 's' || event.op === 'm') return;
    const path = template.pathOf(event);
    assertOneTable(ctx, path, event);
    const row = rowOf(event);
    const present = open.get(path)?.columns ?? columnsOf(path);
    const columns = columnsFor(event, row, present);
    if (open.get(path)?.columns !== columns) {
      close(path);
      open.set(path, { columns, rows: [] });
    }
    if (event.table !== table) {
      table = event.table;
      types = new Map(table.columns.map((c) => [c.name, c.type]));
    }
    const cells = columns.map((name) => (Object.hasOwn(row, name) ? cell(row[name] as Value, types.get(name)) : undefined));
    open.get(path)?.rows.push([event.op, String(event.sourceTsMs), ...cells]);
  });
  for (const path of open.keys()) close(path);
  return segments;
}

function assertOneTable({ tables, where }: CsvContext, path: string, event: ChangeEvent): void {
  const table = formatTableId(event.table.id),
    known = tables.get(path);
  if (known === undefined) tables.set(path, table);
  else if (known !== table) {
    throw new CdcError(
      'DESTINATION_MISCONFIGURED',
      `"${path}" gets rows of ${known} and of ${table}, whose columns do not fit one CSV file.`,
      {
        where,
        fix: 'Put {table}, and {schema} if need be, into the path.',
      },
    );
  }
}

/** The header line of a file with these columns. */
export function csvHeader(format: typeof formatRecords, columns: readonly string[], output: CsvOutput): Buffer {
  return Buffer.from(format([[...META, ...columns]], output));
}

function rowOf(event: ChangeEvent): Row {
  return event.after ?? event.before ?? event.key ?? {};
}

/** The table's columns; without a schema those of the file, and of the row if it has others. The same array while nothing changes. */
function columnsFor(event: ChangeEvent, row: Row, present: readonly string[] | null): readonly string[] {
  const { columns } = event.table;
  if (columns.length > 0) {
    const same = present !== null && present.length === columns.length && columns.every((c, i) => c.name === present[i]);
    return same ? present : columns.map((c) => c.name);
  }
  const known = present ?? [];
  const added = Object.keys(row).filter((name) => !known.includes(name));
  return present !== null && added.length === 0 ? present : [...known, ...added];
}

/** A value as text. Bytes as `\x` and hexadecimal digits, as PostgreSQL writes them; arrays and objects as JSON. */
function cell(value: Value, type: ColumnType | undefined): string | null {
  if (value === null || (typeof value === 'string' && type !== 'json')) return value;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'object' || type === 'json') return stringifyJson(value);
  return Object.is(value, -0) ? '-0' : String(value);
}
