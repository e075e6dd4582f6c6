// Events as servers write them, each kind, and bytes that are none.

import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BinlogDecoder } from '../../../../../src/sources/mysql/binlog/decoder.ts';
import { BinlogError } from '../../../../../src/sources/mysql/binlog/errors.ts';
import {
  type BinlogEvent,
  EventType,
  type RowsEvent,
  type TransactionPayloadEvent,
} from '../../../../../src/sources/mysql/binlog/events.ts';
import { BinlogRow } from '../../../../../src/sources/mysql/binlog/rows.ts';
import {
  column,
  event,
  formatDescription,
  le,
  packed,
  queryEvent,
  rowsBody,
  rowsEvent,
  type TestTable,
  tableMap,
} from '../../../../helpers/binlog.ts';
import { decodeAll, layoutOf, readRows } from '../../../../helpers/binlog-reader.ts';

const TABLE: TestTable = {
  id: 7,
  database: 'shop',
  table: 'orders',
  columns: [column.int('id'), column.varchar('note', 80), column.int('n')],
  key: [0],
};
const ROW = { id: 1, note: 'a', n: null };
const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const UUID_BYTES = Buffer.from(UUID.replaceAll('-', ''), 'hex');

/** The last of some events, after a FORMAT_DESCRIPTION. */
function last(...events: Buffer[]): BinlogEvent {
  return decodeAll([formatDescription(), ...events]).at(-1) as BinlogEvent;
}

function caught(run: () => unknown): BinlogError {
  try {
    run();
  } catch (error) {
    if (error instanceof BinlogError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** MariaDB's packing. */
function pack(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x82]), Buffer.from([bytes.length >> 8, bytes.length & 255]), deflateSync(bytes)]);
}

const varint = (n: number): Buffer => (n < 128 ? le(n << 1, 1) : le((n << 2) | 1, 2));
const tagged = (fields: Buffer, lastKnown = 12): Buffer => {
  const body = Buffer.concat([varint(lastKnown), fields]);
  return Buffer.concat([varint(1), varint(body.length + 2), body]);
};
const TAGGED_UUID = Buffer.concat(Array.from(UUID_BYTES, varint));

describe('events without rows', () => {
  const tags = Buffer.concat([
    varint(0),
    varint(0),
    varint(1),
    TAGGED_UUID,
    varint(2),
    varint(84),
    varint(3),
    varint(3),
    Buffer.from('abc'),
  ]);
  test.each<[string, Buffer, object]>([
    [
      'rotate',
      event(EventType.rotate, Buffer.concat([le(4, 8), Buffer.from('mysql-bin.000002')]), { flags: 0x20, timestamp: 0 }),
      { file: 'mysql-bin.000002', position: 4, artificial: true },
    ],
    ['xid', event(EventType.xid, le(2n ** 63n + 1n, 8)), { kind: 'xid', xid: 2n ** 63n + 1n }],
    [
      'xa_prepare',
      event(EventType.xaPrepare, Buffer.concat([le(1, 1), le(-1, 4), le(2, 4), le(0, 4), Buffer.from('ab')])),
      { onePhase: true, xid: "X'6162',X'',-1" },
    ],
    ['heartbeat', event(EventType.heartbeat, Buffer.from('bin.000009'), { nextPosition: 154 }), { file: 'bin.000009', position: 154 }],
    [
      'heartbeat of the second version, beyond 4 GiB',
      event(
        EventType.heartbeatV2,
        Buffer.concat([le(1, 1), packed(3), Buffer.from('b.1'), le(2, 1), packed(9), le(254, 1), le(5_000_000_000, 8), le(0, 1)]),
      ),
      { kind: 'heartbeat', file: 'b.1', position: 5_000_000_000 },
    ],
    ['rows_query', event(EventType.rowsQuery, Buffer.from('\x09select 1')), { kind: 'rows_query', sql: 'select 1' }],
    ['annotate_rows', event(EventType.mariadbAnnotateRows, Buffer.from('select 1')), { kind: 'rows_query', sql: 'select 1' }],
    [
      'incident',
      event(EventType.incident, Buffer.concat([le(1, 2), le(4, 1), Buffer.from('lost')])),
      { kind: 'incident', incident: 1, message: 'lost' },
    ],
    ['stop', event(EventType.stop, Buffer.alloc(0)), { kind: 'stop' }],
    ['intvar', event(EventType.intvar, Buffer.alloc(9)), { kind: 'statement_context', what: 'intvar' }],
    ['rand', event(EventType.rand, Buffer.alloc(16)), { what: 'rand' }],
    ['user_var', event(EventType.userVar, Buffer.alloc(9)), { what: 'user_var' }],
    ['binlog_checkpoint', event(EventType.mariadbBinlogCheckpoint, Buffer.alloc(9)), { kind: 'ignored' }],
    ['start_encryption', event(EventType.mariadbStartEncryption, Buffer.alloc(17)), { kind: 'ignored' }],
    ['an unknown one that may be passed over', event(250, Buffer.alloc(9), { flags: 0x80 }), { kind: 'ignored' }],
    [
      'gtid of 5.6',
      event(EventType.gtid, Buffer.concat([le(1, 1), UUID_BYTES, le(9, 8)])),
      { gtid: { uuid: UUID, tag: '', gno: 9 }, immediateCommitUs: null },
    ],
    [
      'gtid of 8.0 that came from another server',
      event(
        EventType.gtid,
        Buffer.concat([
          le(1, 1),
          UUID_BYTES,
          le(9, 8),
          le(2, 1),
          le(3, 8),
          le(4, 8),
          le(1_709_210_096_000_001n + 2n ** 55n, 7),
          le(1_709_210_096_000_000, 7),
          packed(300),
        ]),
      ),
      {
        lastCommitted: 3,
        sequenceNumber: 4,
        immediateCommitUs: 1_709_210_096_000_001,
        originalCommitUs: 1_709_210_096_000_000,
        transactionLength: 300,
      },
    ],
    ['anonymous gtid', event(EventType.anonymousGtid, Buffer.concat([le(1, 1), Buffer.alloc(24)])), { kind: 'gtid', gtid: null }],
    ['tagged gtid', event(EventType.gtidTagged, tagged(tags)), { gtid: { uuid: UUID, tag: 'abc', gno: 42 } }],
    [
      'previous_gtids',
      event(EventType.previousGtids, Buffer.concat([le(1, 8), UUID_BYTES, le(2, 8), le(1, 8), le(6, 8), le(9, 8), le(10, 8)])),
      { gtids: `${UUID}:1-5:9` },
    ],
    [
      'previous_gtids with a tag',
      event(
        EventType.previousGtids,
        Buffer.concat([
          le((1n << 56n) | (2n << 8n) | 1n, 8),
          UUID_BYTES,
          varint(0),
          le(1, 8),
          le(1, 8),
          le(6, 8),
          UUID_BYTES,
          varint(1),
          Buffer.from('t'),
          le(1, 8),
          le(2, 8),
          le(3, 8),
        ]),
      ),
      { gtids: `${UUID}:1-5:t:2` },
    ],
    [
      'gtid of MariaDB',
      event(EventType.mariadbGtid, Buffer.concat([le(77, 8), le(3, 4), le(33, 1), Buffer.alloc(6)])),
      { domain: 3, server: 1, sequence: 77, standalone: true, isDdl: true, xa: null },
    ],
    [
      'gtid of an XA transaction of MariaDB',
      event(EventType.mariadbGtid, Buffer.concat([le(77, 8), le(3, 4), le(64, 1), Buffer.alloc(6)])),
      { standalone: false, xa: 'prepared' },
    ],
    [
      'gtid_list',
      event(EventType.mariadbGtidList, Buffer.concat([le(2, 4), le(0, 4), le(1, 4), le(100, 8), le(5, 4), le(2, 4), le(7, 8)])),
      { gtids: ['0-1-100', '5-2-7'] },
    ],
    ['query', queryEvent('DROP TABLE t'), { database: 'shop', threadId: 7, errorCode: 0, statement: { kind: 'ddl', verb: 'drop' } }],
    [
      'query in the character set of its client',
      event(
        EventType.query,
        Buffer.concat([
          le(7, 4),
          le(0, 4),
          le(1, 1),
          le(0, 2),
          le(17, 2),
          le(0, 1),
          le(0, 4),
          le(6, 1),
          le(3, 1),
          Buffer.from('std'),
          le(4, 1),
          le(8, 2),
          Buffer.alloc(4),
          Buffer.from('d\0TRUNCATE `caf\xe9`', 'latin1'),
        ]),
      ),
      { statement: { tables: [{ database: 'd', table: 'café' }] } },
    ],
    [
      'packed query of MariaDB',
      event(
        EventType.mariadbQueryCompressed,
        Buffer.concat([le(7, 4), le(0, 4), le(1, 1), le(0, 2), le(0, 2), Buffer.from('d\0'), pack(Buffer.from('DROP TABLE t'))]),
      ),
      { kind: 'query', sql: 'DROP TABLE t' },
    ],
    [
      'LOAD DATA as a statement',
      event(
        EventType.executeLoadQuery,
        Buffer.concat([le(7, 4), le(0, 4), le(1, 1), le(0, 2), le(0, 2), Buffer.alloc(13), Buffer.from('d\0LOAD DATA')]),
      ),
      { statement: { kind: 'change', verb: 'load', table: null } },
    ],
  ])('%s', (_name, bytes, expected) => {
    expect(last(bytes)).toMatchObject(expected);
  });

  test('before the first FORMAT_DESCRIPTION an event tells by itself whether it has a checksum', () => {
    const body = Buffer.concat([le(4, 8), Buffer.from('b.1')]);
    for (const checksum of [true, false])
      expect(new BinlogDecoder().decode(event(EventType.rotate, body, { checksum }))).toMatchObject({ file: 'b.1' });
  });

  test('a server without checksums sends none behind FORMAT_DESCRIPTION', () => {
    const events = [formatDescription('8.0.31', 0), event(EventType.heartbeat, Buffer.from('b.1'), { checksum: false })];
    expect(decodeAll(events)).toMatchObject([{ checksum: 'none' }, { file: 'b.1' }]);
  });
});

describe('rows', () => {
  test.each([
    ['c', EventType.writeRowsV1],
    ['u', EventType.updateRowsV1],
    ['d', EventType.deleteRowsV1],
    ['c', EventType.writeRows],
    ['u', EventType.updateRows],
    ['d', EventType.deleteRows],
  ] as const)('%s, type %i', (op, type) => {
    const changed = { ...ROW, n: 5 },
      rows = op === 'u' ? [ROW, changed, ROW, changed] : [ROW, changed];
    const [first] = readRows(
      last(tableMap(TABLE), rowsEvent(op, TABLE, rows, { type, extra: type < 28 ? Buffer.alloc(0) : Buffer.alloc(9) })) as RowsEvent,
    );
    expect(first).toEqual({ before: op === 'c' ? null : ROW, after: op === 'd' ? null : op === 'u' ? changed : ROW });
  });

  test.each([
    ['c', 166],
    ['u', 167],
    ['d', 168],
    ['c', 169],
    ['u', 170],
    ['d', 171],
  ] as const)('packed by MariaDB: %s, type %i', (op, type) => {
    const rows = op === 'u' ? [ROW, ROW] : [ROW],
      { head, images } = rowsBody(op, TABLE, rows, { type });
    const decoded = last(tableMap(TABLE), event(type, Buffer.concat([head, pack(images)]))) as RowsEvent;
    expect(readRows(decoded)).toEqual([{ before: op === 'c' ? null : ROW, after: op === 'd' ? null : ROW }]);
  });

  test('columns that were not sent are absent, and taken from the old image where it has them', () => {
    const bytes = rowsEvent('u', TABLE, [{ id: 1, note: 'a' }, { n: 9 }], { before: ['id', 'note'], after: ['n'] });
    const decoded = last(tableMap(TABLE), bytes) as RowsEvent,
      layout = layoutOf(decoded);
    expect(readRows(decoded)).toEqual([{ before: { id: 1, note: 'a' }, after: { n: 9 } }]);
    const [oldAt, newAt] = [decoded.starts[0] as number, decoded.starts[1] as number];
    const merged = new BinlogRow(decoded.bytes, newAt, decoded.after as never, layout, oldAt, decoded.before);
    expect(merged.decode()).toEqual({ id: 1, note: 'a', n: 9 });
    expect(merged.incomplete).toBe(false);
    expect(new BinlogRow(decoded.bytes, newAt, decoded.after as never, layout).incomplete).toBe(true);
    expect(merged.columns()).toEqual(['id', 'note', 'n']);
  });

  test('one row without any column', () => {
    const decoded = last(tableMap(TABLE), rowsEvent('c', TABLE, [{}], { after: [] })) as RowsEvent;
    expect([decoded.rowCount, readRows(decoded)]).toEqual([1, [{ before: null, after: {} }]]);
  });

  test('an event that only ends the statement has none', () => {
    expect(last(event(EventType.writeRows, Buffer.concat([le(0xffffff, 6), le(1, 2), le(2, 2), packed(0)])))).toMatchObject({
      kind: 'ignored',
    });
  });

  test('a table with an unknown type of column stops itself alone', () => {
    const odd: TestTable = {
      ...TABLE,
      id: 8,
      table: 'odd',
      columns: [column.int('id'), { name: 'x', type: 199, meta: [], encode: () => Buffer.from('?') }],
    };
    const events = decodeAll([
      formatDescription(),
      tableMap(odd),
      rowsEvent('c', odd, [{ id: 1, x: 1 }]),
      tableMap(TABLE),
      rowsEvent('c', TABLE, [ROW]),
    ]);
    expect(events[2]).toMatchObject({ kind: 'unreadable_rows', reason: 'column "x" has the unknown type 199 (0)', endsStatement: true });
    expect(readRows(events[4] as RowsEvent)).toHaveLength(1);
  });

  test('invisible columns and those after them keep their places', () => {
    const hidden: TestTable = { ...TABLE, columns: [column.int('id'), { ...column.int('h'), invisible: true }, column.int('n')] };
    const decoded = last(tableMap(hidden), rowsEvent('c', hidden, [{ id: 1, h: 2, n: 3 }])) as RowsEvent;
    expect(decoded.table.columns.map((c) => c.visible)).toEqual([true, false, true]);
    expect(readRows(decoded)[0]?.after).toEqual({ id: 1, h: 2, n: 3 });
  });

  test('GEOMETRY before a text does not shift its character set, on either server', () => {
    const columns = [column.geometry('g'), column.varchar('t', 10, 8)];
    const mysql: TestTable = { ...TABLE, columns };
    const row = { g: Buffer.concat([Buffer.alloc(4), Buffer.from('0101000000', 'hex'), Buffer.alloc(16)]), t: Buffer.from([0xe9]) };
    // MariaDB gives geometries a collation, too.
    const mariadb: TestTable = { ...TABLE, columns: [{ ...column.geometry('g'), collation: 63 }, column.varchar('t', 10, 8)] };
    for (const [version, table] of [
      ['8.0.31', mysql],
      ['10.11.19-MariaDB', mariadb],
    ] as const) {
      const decoded = decodeAll([formatDescription(version), tableMap(table), rowsEvent('c', table, [row])]).at(-1) as RowsEvent;
      expect(readRows(decoded)[0]?.after?.t).toBe('é');
    }
  });
});

/** TRANSACTION_PAYLOAD of events that are not packed. */
function payload(inner: Buffer, size = inner.length, compression = 255): Buffer {
  const field = (type: number, n: number): Buffer => Buffer.concat([packed(type), packed(packed(n).length), packed(n)]);
  return event(
    EventType.transactionPayload,
    Buffer.concat([field(2, compression), field(3, size), field(1, inner.length), packed(0), inner]),
  );
}

describe('packed transactions', () => {
  const inner = Buffer.concat([
    queryEvent('BEGIN', 'shop', Buffer.alloc(0), { checksum: false }),
    tableMap(TABLE, { checksum: false }),
    rowsEvent('c', TABLE, [ROW], { checksum: false }),
    event(EventType.xid, le(1, 8), { checksum: false }),
  ]);

  test('give their events one by one', () => {
    expect(decodeAll([formatDescription(), payload(inner)]).map((e) => e.kind)).toEqual([
      'format_description',
      'transaction_payload',
      'query',
      'table_map',
      'rows',
      'xid',
    ]);
  });

  test.each<[string, Buffer, BinlogError['reason']]>([
    ['of an unknown algorithm', payload(inner, inner.length, 3), 'unsupported'],
    ['that are no zstd', payload(inner, 10, 0), 'malformed'],
    ['with an event that is cut off', payload(inner.subarray(0, -3)), 'malformed'],
    ['with a window of 2 GiB', payload(Buffer.from('28b52ffd00a8000000', 'hex'), 10, 0), 'too_large'],
    ['within each other', payload(payload(inner)), 'malformed'],
  ])('%s are an error', (_name, bytes, reason) => {
    expect(caught(() => decodeAll([formatDescription(), bytes])).reason).toBe(reason);
  });

  test('are not unpacked beyond the limit', () => {
    const decoder = new BinlogDecoder({ maxUnpackedBytes: inner.length - 1 });
    expect(caught(() => decodeAll([formatDescription(), payload(inner)], decoder)).reason).toBe('too_large');
  });

  test('are unpacked as they are read', () => {
    const decoded = new BinlogDecoder();
    decoded.decode(formatDescription());
    const { events } = decoded.decode(payload(Buffer.concat([inner, Buffer.from('garbage that is no event')]))) as TransactionPayloadEvent;
    expect(events[Symbol.iterator]().next().value).toMatchObject({ kind: 'query' });
  });
});

describe('bytes that are no event', () => {
  const map = tableMap(TABLE),
    rows = rowsEvent('c', TABLE, [ROW]);
  const cut = (bytes: Buffer, by: number): Buffer => event(bytes[4] as number, bytes.subarray(19, bytes.length - 4 - by));
  test.each<[string, readonly Buffer[], BinlogError['reason'], RegExp]>([
    ['shorter than a header', [Buffer.alloc(18)], 'malformed', /an event of 18 bytes/],
    ['of another length than they say', [Buffer.concat([map, Buffer.from([0])])], 'malformed', /an event of \d+ bytes in \d+/],
    ['of an unknown type', [event(250, Buffer.alloc(3))], 'unknown', /unknown type 250/],
    ['rows without their table', [rows], 'malformed', /of which there was no TABLE_MAP/],
    ['rows that are cut off', [map, cut(rows, 1)], 'malformed', /is cut off/],
    ['rows with bytes too many', [map, event(30, Buffer.concat([rows.subarray(19, -4), Buffer.from([0])]))], 'malformed', /is cut off/],
    [
      'rows of another number of columns',
      [map, rowsEvent('c', { ...TABLE, columns: TABLE.columns.slice(1) }, [ROW])],
      'malformed',
      /rows of 2 columns for a table of 3/,
    ],
    [
      'an update without its new image',
      [map, event(31, rowsEvent('u', TABLE, [ROW], {}).subarray(19, -4))],
      'malformed',
      /without its new image/,
    ],
    [
      'bytes behind rows without columns',
      [map, event(30, Buffer.concat([rowsEvent('c', TABLE, [{}], { after: [] }).subarray(19, -4), Buffer.from([1])]))],
      'malformed',
      /behind rows without columns/,
    ],
    ['a table that is cut off', [cut(map, 4)], 'malformed', /cut off/],
    ['a format of another version', [event(15, le(3, 2))], 'unsupported', /binlog format 3/],
    [
      'packed rows that are no zlib',
      [map, event(166, Buffer.concat([rowsBody('c', TABLE, [ROW], { type: 166 }).head, Buffer.from('82000aabcd', 'hex')]))],
      'malformed',
      /zlib/,
    ],
    [
      'packed rows that unpack to more than they say',
      [
        map,
        event(
          166,
          Buffer.concat([rowsBody('c', TABLE, [ROW], { type: 166 }).head, Buffer.from('820003', 'hex'), deflateSync(Buffer.alloc(9))]),
        ),
      ],
      'malformed',
      /zlib/,
    ],
  ])('%s', (_name, events, reason, message) => {
    const error = caught(() => decodeAll([formatDescription(), ...events]));
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(message);
  });
});
