// A batch as bytes for files. Pure.

import type { CsvOutput, formatRecords } from '../../formats/csv.ts';
import { cellText } from '../../formats/csv-cell.ts';
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
  /** One behind the other. Those of a batch are views of its records. */
  readonly parts: readonly Uint8Array[];
  /** Columns of a CSV file; `null` for NDJSON. */
  readonly columns: readonly string[] | null;
}

const NEWLINE = Buffer.from('\n');
/** Columns before those of the row: the operation, and its time at the source. */
const META = ['__op', '__source_ts_ms'] as const;

/** Lines that lie one behind the other, as long as nothing comes between. */
class Lines {
  readonly parts: Uint8Array[] = [];
  #bytes: Uint8Array | null = null;
  #start = 0;
  #end = 0;

  add(bytes: Uint8Array, start: number, end: number): void {
    if (bytes === this.#bytes && start === this.#end) {
      this.#end = end;
      return;
    }
    this.finish();
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  finish(): void {
    if (this.#bytes !== null) this.parts.push(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = null;
  }
}

/** One line per record that has a value; tombstones have none, and nothing to say in a file. */
export function encodeNdjson(batch: LaneBatch, template: PathTemplate): Segment[] {
  const encoded = batch.encoded(),
    { event, lines } = encoded;
  const files = new Map<string, Lines>();
  let path = '',
    file: Lines | null = null;
  for (let i = 0; i < event.length; i++) {
    const index = event[i] as number;
    if (batch.skip.has(index)) continue;
    const bytes = lines === undefined ? encoded.value[i] : lines.buffers[lines.buffer[i] as number];
    if (!bytes) continue;
    const to = template.pathOf(batch.events[index] as ChangeEvent);
    if (file === null || to !== path) {
      path = to;
      file = files.get(path) ?? new Lines();
      files.set(path, file);
    }
    if (lines !== undefined) file.add(bytes, lines.start[i] as number, lines.end[i] as number);
    else {
      file.add(bytes, 0, bytes.length);
      file.add(NEWLINE, 0, NEWLINE.length);
    }
  }
  return [...files].map(([name, written]) => {
    written.finish();
    return { path: name, parts: written.parts, columns: null };
  });
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
      segments.push({ path, parts: [Buffer.from(format(file.rows, output))], columns: file.columns });
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
    const cells = columns.map((name) => (Object.hasOwn(row, name) ? cellText(row[name] as Value, types.get(name)) : undefined));
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
