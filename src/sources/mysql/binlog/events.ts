// The events of a binlog as the decoder gives them, one object per event; rows stay in their bytes (see rows.ts).
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html
// https://mariadb.com/docs/server/reference/clientserver-protocol/replication-protocol

import type { RowShape } from './row-shape.ts';
import type { Statement } from './statement.ts';
import type { TableMap } from './table-map.ts';

/** Numbers of the types of events, as both servers have them. */
export const EventType = {
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  appendBlock: 9,
  deleteFile: 11,
  rand: 13,
  userVar: 14,
  formatDescription: 15,
  xid: 16,
  beginLoadQuery: 17,
  executeLoadQuery: 18,
  tableMap: 19,
  writeRowsV1: 23,
  updateRowsV1: 24,
  deleteRowsV1: 25,
  incident: 26,
  heartbeat: 27,
  ignorable: 28,
  rowsQuery: 29,
  writeRows: 30,
  updateRows: 31,
  deleteRows: 32,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  transactionContext: 36,
  viewChange: 37,
  xaPrepare: 38,
  partialUpdateRows: 39,
  transactionPayload: 40,
  heartbeatV2: 41,
  gtidTagged: 42,
  mariadbAnnotateRows: 160,
  mariadbBinlogCheckpoint: 161,
  mariadbGtid: 162,
  mariadbGtidList: 163,
  mariadbStartEncryption: 164,
  mariadbQueryCompressed: 165,
  mariadbWriteRowsCompressedV1: 166,
  mariadbUpdateRowsCompressedV1: 167,
  mariadbDeleteRowsCompressedV1: 168,
  mariadbWriteRowsCompressed: 169,
  mariadbUpdateRowsCompressed: 170,
  mariadbDeleteRowsCompressed: 171,
} as const;

/** The 19 bytes that every event begins with. */
export interface EventHeader {
  /** Seconds since 1970 when the statement began; 0 in events that the server makes up for us. */
  readonly timestamp: number;
  readonly type: number;
  readonly serverId: number;
  /** Bytes of the event, header and checksum included. */
  readonly length: number;
  /**
   * Where the next event begins in the file, modulo 2^32; 0 where the server does not say: in events it makes up, inside of
   * transactions of MariaDB, and inside of a TRANSACTION_PAYLOAD.
   */
  readonly nextPosition: number;
  readonly flags: number;
}

/** The event is not in the file: the server made it up for this connection. */
export const ARTIFICIAL_FLAG = 0x20;
/** Who does not know the event may pass over it. */
export const IGNORABLE_FLAG = 0x80;

interface Event {
  readonly header: EventHeader;
}

/** First of each file, and of each connection. The decoder has taken from it what it needs. */
export interface FormatDescriptionEvent extends Event {
  readonly kind: 'format_description';
  readonly binlogVersion: number;
  /** `8.0.31`, `10.11.19-MariaDB-log` */
  readonly serverVersion: string;
  readonly flavor: 'mysql' | 'mariadb';
  readonly checksum: 'none' | 'crc32';
}

/** The following events are those of `file` from `position` on. */
export interface RotateEvent extends Event {
  readonly kind: 'rotate';
  readonly file: string;
  readonly position: number;
  /** Made up at the start of a dump, and when the server goes on to the next file: not in a file itself. */
  readonly artificial: boolean;
}

/** A statement: BEGIN and COMMIT of tables without transactions, DDL, changes logged as statements, and all else. */
export interface QueryEvent extends Event {
  readonly kind: 'query';
  /** Where names without a database belong to; empty for none. */
  readonly database: string;
  readonly sql: string;
  readonly threadId: number;
  /** The error that the statement ended with; 0 for none. */
  readonly errorCode: number;
  readonly statement: Statement;
}

/** COMMIT of a transaction that had changes of InnoDB. */
export interface XidEvent extends Event {
  readonly kind: 'xid';
  readonly xid: bigint;
}

/** Last event of an XA transaction's first half; it ends the GTID's group. */
export interface XaPrepareEvent extends Event {
  readonly kind: 'xa_prepare';
  /** `XA COMMIT … ONE PHASE`: it is a commit. */
  readonly onePhase: boolean;
  /** `X'31',X'',1`, as XA COMMIT and XA ROLLBACK name it. */
  readonly xid: string;
}

/** Start of a transaction of MySQL. */
export interface GtidEvent extends Event {
  readonly kind: 'gtid';
  /** `null`: anonymous, the server has GTIDs switched off. */
  readonly gtid: { readonly uuid: string; readonly tag: string; readonly gno: number } | null;
  readonly lastCommitted: number;
  readonly sequenceNumber: number;
  /** Microseconds since 1970 of the commit, on this server and on the first; `null` before 8.0. */
  readonly immediateCommitUs: number | null;
  readonly originalCommitUs: number | null;
  /** Bytes of the transaction, this event included; `null` before 8.0. */
  readonly transactionLength: number | null;
}

/** What all files before this one have, as the text of a set. */
export interface PreviousGtidsEvent extends Event {
  readonly kind: 'previous_gtids';
  readonly gtids: string;
}

/** Start of a transaction of MariaDB, or of one event that is all of it. */
export interface MariadbGtidEvent extends Event {
  readonly kind: 'mariadb_gtid';
  readonly domain: number;
  readonly server: number;
  readonly sequence: number;
  /** One statement follows (a DDL), with no COMMIT behind. */
  readonly standalone: boolean;
  readonly isDdl: boolean;
  /** The transaction is prepared here and completed (committed or rolled back) by another group. */
  readonly xa: 'prepared' | 'completed' | null;
}

/** Positions per domain at the start of a file of MariaDB: `0-1-100`. */
export interface MariadbGtidListEvent extends Event {
  readonly kind: 'mariadb_gtid_list';
  readonly gtids: readonly string[];
}

export interface TableMapEvent extends Event {
  readonly kind: 'table_map';
  readonly tableId: number;
  /** The same object for the same bytes: what is prepared for a table is kept by it. */
  readonly table: TableMap;
}

/** Changed rows of one table. Make images by `new BinlogRow(event.bytes, event.starts[n], shape, layout)`. */
export interface RowsEvent extends Event {
  readonly kind: 'rows';
  readonly op: 'c' | 'u' | 'd';
  readonly table: TableMap;
  /** What `starts` counts in: the event's own bytes, or what they unpack to. Never written to. */
  readonly bytes: Buffer;
  /** Where each image begins, and one more place for the end. Of `u`: before, after, before, after … */
  readonly starts: Int32Array;
  readonly rowCount: number;
  /** Which columns the images have: `null` where the operation has no such image. */
  readonly before: RowShape | null;
  readonly after: RowShape | null;
  /** The statement ends with this event: table maps hold until then. */
  readonly endsStatement: boolean;
}

/** Rows that are there and cannot be read: whoever wants the table must stop. */
export interface UnreadableRowsEvent extends Event {
  readonly kind: 'unreadable_rows';
  readonly op: 'c' | 'u' | 'd';
  readonly table: TableMap;
  /** `column "v" has the unknown type 199` */
  readonly reason: string;
  readonly endsStatement: boolean;
}

/** A transaction packed into one event. Its events come one by one; they have no checksums and no positions of their own. */
export interface TransactionPayloadEvent extends Event {
  readonly kind: 'transaction_payload';
  readonly compressedBytes: number;
  readonly uncompressedBytes: number;
  /** Unpacks as it is read. Read it once, to its end, before the next event is decoded. */
  readonly events: Iterable<BinlogEvent>;
}

/** The server is there and has nothing new; its position may be ahead of the last event that it sent. */
export interface HeartbeatEvent extends Event {
  readonly kind: 'heartbeat';
  readonly file: string;
  readonly position: number;
}

/** The statement that the following rows are from: ROWS_QUERY, ANNOTATE_ROWS. */
export interface RowsQueryEvent extends Event {
  readonly kind: 'rows_query';
  readonly sql: string;
}

/** A value for the statement that follows: only changes logged as statements have them. */
export interface StatementContextEvent extends Event {
  readonly kind: 'statement_context';
  readonly what: 'intvar' | 'rand' | 'user_var' | 'load_data';
}

/** The server may have lost events. */
export interface IncidentEvent extends Event {
  readonly kind: 'incident';
  readonly incident: number;
  readonly message: string;
}

/** The server of this file stopped in good order. */
export interface StopEvent extends Event {
  readonly kind: 'stop';
}

/** Passed over: known to say nothing about changes, or unknown and marked as ignorable. */
export interface IgnoredEvent extends Event {
  readonly kind: 'ignored';
}

export type BinlogEvent =
  | FormatDescriptionEvent
  | RotateEvent
  | QueryEvent
  | XidEvent
  | XaPrepareEvent
  | GtidEvent
  | PreviousGtidsEvent
  | MariadbGtidEvent
  | MariadbGtidListEvent
  | TableMapEvent
  | RowsEvent
  | UnreadableRowsEvent
  | TransactionPayloadEvent
  | HeartbeatEvent
  | RowsQueryEvent
  | StatementContextEvent
  | IncidentEvent
  | StopEvent
  | IgnoredEvent;

export interface BinlogDecoderOptions {
  /** What a TRANSACTION_PAYLOAD, a compressed query or compressed rows may unpack to. Default 1 GiB, as `max_allowed_packet`. */
  readonly maxUnpackedBytes?: number;
}
