// Bytes of one event → the event. Keeps what later events need: whether they end with a checksum, which server they are from,
// the tables of the statement. Pure: no I/O, no time; one decoder per connection or file.

import {
  decodeAnnotateRows,
  decodeHeartbeat,
  decodeHeartbeatV2,
  decodeIncident,
  decodeRotate,
  decodeRowsQuery,
  decodeXaPrepare,
  decodeXid,
} from './control.ts';
import { CHECKSUM_BYTES, checkChecksum, checkFormatChecksum, hasChecksum } from './crc.ts';
import { BinlogError } from './errors.ts';
import {
  type BinlogDecoderOptions,
  type BinlogEvent,
  type EventHeader,
  EventType,
  IGNORABLE_FLAG,
  type StatementContextEvent,
  type TableMapEvent,
  type TransactionPayloadEvent,
} from './events.ts';
import { decodeFormatDescription } from './format-description.ts';
import { decodeGtid, decodeMariadbGtid, decodeMariadbGtidList, decodePreviousGtids, decodeTaggedGtid } from './gtid.ts';
import { decodeCompressedQuery, decodeExecuteLoad, decodeQuery } from './query.ts';
import { EventReader, HEADER_BYTES } from './reader.ts';
import { ROWS_KINDS, RowsDecoder } from './row-events.ts';
import { TableMaps } from './table-maps.ts';
import { eventsIn, readPayload } from './transaction-payload.ts';

const MAX_UNPACKED_BYTES = 1024 * 1024 * 1024;

const STATEMENT_CONTEXT: ReadonlyMap<number, StatementContextEvent['what']> = new Map([
  [EventType.intvar, 'intvar'],
  [EventType.rand, 'rand'],
  [EventType.userVar, 'user_var'],
  [EventType.beginLoadQuery, 'load_data'],
  [EventType.appendBlock, 'load_data'],
  [EventType.deleteFile, 'load_data'],
]);

/** They say nothing about changes. Keys of encryption: a server decrypts what it sends. */
const WITHOUT_CHANGES: ReadonlySet<number> = new Set([
  EventType.ignorable,
  EventType.transactionContext,
  EventType.viewChange,
  EventType.mariadbBinlogCheckpoint,
  EventType.mariadbStartEncryption,
]);

export class BinlogDecoder {
  readonly #maxUnpackedBytes: number;
  readonly #tables = new TableMaps();
  readonly #rows: RowsDecoder;
  readonly #tableOf = (id: number) => this.#tables.get(id);
  #flavor: 'mysql' | 'mariadb' = 'mysql';
  /** `null`: no FORMAT_DESCRIPTION was there yet; the event before it tells by itself. */
  #checksum: 'none' | 'crc32' | null = null;

  constructor({ maxUnpackedBytes = MAX_UNPACKED_BYTES }: BinlogDecoderOptions = {}) {
    this.#maxUnpackedBytes = maxUnpackedBytes;
    this.#rows = new RowsDecoder(maxUnpackedBytes);
  }

  /**
   * The event in `bytes` from `start` to `end`, never read beyond. Rows keep `bytes`, which must not change afterwards. Throws
   * `BinlogError`; after that the decoder must not be used any more.
   */
  decode(bytes: Buffer, start = 0, end = bytes.length): BinlogEvent {
    const header = readHeader(bytes, start, end);
    if (header.type === EventType.formatDescription) {
      const event = decodeFormatDescription(header, bytes, start, end);
      if (event.checksum === 'crc32') checkFormatChecksum(bytes, start, end, header.type);
      this.#flavor = event.flavor;
      this.#checksum = event.checksum;
      this.#tables.clear();
      return event;
    }
    let stop = end;
    if (this.#checksum === 'crc32') {
      checkChecksum(bytes, start, end, header.type);
      stop -= CHECKSUM_BYTES;
    } else if (this.#checksum === null && hasChecksum(bytes, start, end)) stop -= CHECKSUM_BYTES;
    return this.#body(header, new EventReader(bytes, start, stop, start + HEADER_BYTES));
  }

  /** What a checksum would be is cut off already. */
  #body(header: EventHeader, r: EventReader): BinlogEvent {
    const { type } = header,
      rows = ROWS_KINDS.get(type);
    if (rows !== undefined) {
      const event = this.#rows.decode(header, r, rows, this.#tableOf);
      if (event === null || event.endsStatement) this.#tables.endStatement();
      return event ?? { kind: 'ignored', header };
    }
    switch (type) {
      case EventType.tableMap:
        return this.#tableMap(header, r);
      case EventType.query:
        return decodeQuery(header, r);
      case EventType.xid:
        return decodeXid(header, r);
      case EventType.gtid:
        return decodeGtid(header, r, false);
      case EventType.mariadbGtid:
        return decodeMariadbGtid(header, r);
      case EventType.transactionPayload:
        return this.#payload(header, r);
      default:
        return this.#rareBody(header, r);
    }
  }

  #rareBody(header: EventHeader, r: EventReader): BinlogEvent {
    switch (header.type) {
      case EventType.rotate:
        return decodeRotate(header, r);
      case EventType.anonymousGtid:
        return decodeGtid(header, r, true);
      case EventType.gtidTagged:
        return decodeTaggedGtid(header, r);
      case EventType.previousGtids:
        return decodePreviousGtids(header, r);
      case EventType.mariadbGtidList:
        return decodeMariadbGtidList(header, r);
      case EventType.heartbeat:
        return decodeHeartbeat(header, r);
      case EventType.heartbeatV2:
        return decodeHeartbeatV2(header, r);
      case EventType.rowsQuery:
        return decodeRowsQuery(header, r);
      case EventType.mariadbAnnotateRows:
        return decodeAnnotateRows(header, r);
      case EventType.mariadbQueryCompressed:
        return decodeCompressedQuery(header, r, this.#maxUnpackedBytes);
      case EventType.executeLoadQuery:
        return decodeExecuteLoad(header, r);
      case EventType.xaPrepare:
        return decodeXaPrepare(header, r);
      case EventType.incident:
        return decodeIncident(header, r);
      case EventType.stop:
        return { kind: 'stop', header };
      default:
        return otherEvent(header);
    }
  }

  #tableMap(header: EventHeader, r: EventReader): TableMapEvent {
    const tableId = r.uint48('the table');
    r.uint16('the flags');
    return { kind: 'table_map', header, tableId, table: this.#tables.read(tableId, r, this.#flavor) };
  }

  #payload(header: EventHeader, r: EventReader): TransactionPayloadEvent {
    const payload = readPayload(r);
    if (payload.uncompressedBytes > this.#maxUnpackedBytes) {
      throw new BinlogError(
        'too_large',
        `a transaction unpacks to ${payload.uncompressedBytes} bytes, more than ${this.#maxUnpackedBytes}`,
      );
    }
    return {
      kind: 'transaction_payload',
      header,
      compressedBytes: payload.compressed.length,
      uncompressedBytes: payload.uncompressedBytes,
      events: { [Symbol.iterator]: () => this.#payloadEvents(eventsIn(payload, this.#maxUnpackedBytes)) },
    };
  }

  *#payloadEvents(events: Iterable<Buffer>): Generator<BinlogEvent> {
    for (const bytes of events) {
      const header = readHeader(bytes, 0, bytes.length);
      if (header.type === EventType.transactionPayload) throw new BinlogError('malformed', 'a packed transaction within another');
      yield this.#body(header, new EventReader(bytes, 0, bytes.length, HEADER_BYTES));
    }
  }
}

function readHeader(bytes: Buffer, start: number, end: number): EventHeader {
  if (end - start < HEADER_BYTES) throw new BinlogError('malformed', `an event of ${end - start} bytes`);
  const length = bytes.readUInt32LE(start + 9);
  if (length !== end - start) throw new BinlogError('malformed', `an event of ${length} bytes in ${end - start}`, 9);
  return {
    timestamp: bytes.readUInt32LE(start),
    type: bytes[start + 4] as number,
    serverId: bytes.readUInt32LE(start + 5),
    length,
    nextPosition: bytes.readUInt32LE(start + 13),
    flags: bytes.readUInt16LE(start + 17),
  };
}

function otherEvent(header: EventHeader): BinlogEvent {
  const what = STATEMENT_CONTEXT.get(header.type);
  if (what !== undefined) return { kind: 'statement_context', header, what };
  if (WITHOUT_CHANGES.has(header.type) || (header.flags & IGNORABLE_FLAG) !== 0) return { kind: 'ignored', header };
  throw new BinlogError('unknown', `an event of the unknown type ${header.type} (${header.length} bytes, flags ${header.flags})`);
}
