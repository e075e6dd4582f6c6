// Events with rows: the versions 1 and 2 of both servers, MariaDB's packed ones, and MySQL's with JSON diffs. Rows stay in their
// bytes; only their borders are found here.
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Rows__event.html

import { BinlogError } from './errors.ts';
import { type EventHeader, EventType, type RowsEvent, type UnreadableRowsEvent } from './events.ts';
import { RowsWithDiffs } from './partial-rows.ts';
import type { EventReader } from './reader.ts';
import { RowShape } from './row-shape.ts';
import type { TableMap } from './table-map.ts';
import { unpack } from './unpack.ts';

export type RowOp = 'c' | 'u' | 'd';

export interface RowsKind {
  readonly op: RowOp;
  /** Version 2 has room for more between head and columns. */
  readonly hasExtra: boolean;
  readonly isPacked: boolean;
  readonly hasDiffs: boolean;
}

const kind = (op: RowOp, hasExtra: boolean, isPacked = false, hasDiffs = false): RowsKind => ({ op, hasExtra, isPacked, hasDiffs });

export const ROWS_KINDS: ReadonlyMap<number, RowsKind> = new Map([
  [EventType.writeRowsV1, kind('c', false)],
  [EventType.updateRowsV1, kind('u', false)],
  [EventType.deleteRowsV1, kind('d', false)],
  [EventType.writeRows, kind('c', true)],
  [EventType.updateRows, kind('u', true)],
  [EventType.deleteRows, kind('d', true)],
  [EventType.partialUpdateRows, kind('u', true, false, true)],
  [EventType.mariadbWriteRowsCompressedV1, kind('c', false, true)],
  [EventType.mariadbUpdateRowsCompressedV1, kind('u', false, true)],
  [EventType.mariadbDeleteRowsCompressedV1, kind('d', false, true)],
  [EventType.mariadbWriteRowsCompressed, kind('c', true, true)],
  [EventType.mariadbUpdateRowsCompressed, kind('u', true, true)],
  [EventType.mariadbDeleteRowsCompressed, kind('d', true, true)],
]);

const ENDS_STATEMENT = 1;
/** Of an event without rows that only ends the statement: all ones, in as many bytes as the id had in that version. */
const NO_TABLES: ReadonlySet<number> = new Set([0xff_ffff, 0xffff_ffff, 0xffff_ffff_ffff]);
/** Of the length itself. */
const EXTRA_LENGTH_BYTES = 2;

export class RowsDecoder {
  readonly #maxUnpackedBytes: number;
  readonly #shapes = new WeakMap<TableMap, Map<string, RowShape>>();
  #lastShape: RowShape | null = null;
  #lastPresent = '';
  /** Where borders are collected; grows with the largest event. */
  #places = new Int32Array(256);

  constructor(maxUnpackedBytes: number) {
    this.#maxUnpackedBytes = maxUnpackedBytes;
  }

  /** `null`: it has no rows, it ended the statement only. */
  decode(
    header: EventHeader,
    r: EventReader,
    { op, hasExtra, isPacked, hasDiffs }: RowsKind,
    tableOf: (id: number) => TableMap | undefined,
  ): RowsEvent | UnreadableRowsEvent | null {
    const id = r.uint48('the table'),
      endsStatement = (r.uint16('the flags') & ENDS_STATEMENT) !== 0,
      table = tableOf(id);
    if (table === undefined) {
      if (NO_TABLES.has(id)) return null;
      r.fail(`rows of table ${id}, of which there was no TABLE_MAP`);
    }
    if (hasExtra) r.take(r.uint16('the length of extra data') - EXTRA_LENGTH_BYTES, 'the extra data');
    const width = r.packedInteger('the number of columns');
    if (width !== table.columns.length) r.fail(`rows of ${width} columns for a table of ${table.columns.length}`);
    if (table.unreadable !== null) return { kind: 'unreadable_rows', header, op, table, reason: table.unreadable, endsStatement };
    const bitmapBytes = (width + 7) >> 3,
      first = this.#shape(table, r, bitmapBytes),
      second = op === 'u' ? this.#shape(table, r, bitmapBytes) : null;
    const before = op === 'c' ? null : first,
      after = op === 'c' ? first : second;
    let { bytes, at: start, end } = r;
    if (isPacked) {
      bytes = unpack(bytes, start, end, this.#maxUnpackedBytes);
      start = 0;
      end = bytes.length;
    }
    if (hasDiffs) {
      const rows = new RowsWithDiffs(bytes, start, end, first, second as RowShape);
      if (rows.unreadable !== null) return { kind: 'unreadable_rows', header, op, table, reason: rows.unreadable, endsStatement };
      const { whole, starts } = rows;
      return { kind: 'rows', header, op, table, bytes: whole, starts, rowCount: (starts.length - 1) >> 1, before, after, endsStatement };
    }
    const starts = this.#borders(bytes, start, end, first, second ?? first),
      rowCount = op === 'u' ? (starts.length - 1) >> 1 : starts.length - 1;
    if (op === 'u' && starts.length % 2 === 0) throw new BinlogError('malformed', 'an updated row without its new image');
    return { kind: 'rows', header, op, table, bytes, starts, rowCount, before, after, endsStatement };
  }

  #shape(table: TableMap, r: EventReader, length: number): RowShape {
    const present = r.view(length, 'the columns that are there'),
      key = present.toString('latin1');
    if (this.#lastShape?.table === table && key === this.#lastPresent) return this.#lastShape;
    let shapes = this.#shapes.get(table);
    if (shapes === undefined) {
      shapes = new Map();
      this.#shapes.set(table, shapes);
    }
    let shape = shapes.get(key);
    if (shape === undefined) {
      shape = new RowShape(table, present);
      shapes.set(key, shape);
    }
    this.#lastShape = shape;
    this.#lastPresent = key;
    return shape;
  }

  /** Images of the two shapes by turns. */
  #borders(bytes: Buffer, start: number, end: number, first: RowShape, second: RowShape): Int32Array {
    let places = this.#places,
      count = 0,
      at = start;
    do {
      if (count + 3 > places.length) {
        places = new Int32Array(places.length * 2);
        places.set(this.#places);
        this.#places = places;
      }
      places[count++] = at;
      const next = first.skip(bytes, at, end);
      if (first === second) at = next;
      else {
        places[count++] = next;
        const behind = second.skip(bytes, next, end);
        // Images without columns take no bytes: one row is all that there can be.
        if (behind === at && at < end) throw new BinlogError('malformed', `${end - at} bytes behind rows without columns`);
        at = behind;
        continue;
      }
      if (at === places[count - 1] && at < end) throw new BinlogError('malformed', `${end - at} bytes behind rows without columns`);
    } while (at < end);
    places[count++] = at;
    return places.slice(0, count);
  }
}
