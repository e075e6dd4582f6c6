// TRANSACTION_PAYLOAD (`binlog_transaction_compression`): the events of a transaction in one event, as one zstd stream. Unpacked
// piece by piece, so that a transaction of any size takes the memory of its largest event.
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Transaction__payload__event.html

import { Decompress } from 'fzstd';
import { BinlogError } from './errors.ts';
import { type EventReader, HEADER_BYTES } from './reader.ts';

const Field = { end: 0, size: 1, compression: 2, uncompressedSize: 3 } as const;
const ZSTD = 0,
  NONE = 255;
const LENGTH_AT = 9;
/** What is given to the decompressor at once: a block unpacks to 128 KiB at most. */
const PIECE_BYTES = 64 * 1024;

/** Of a zstd frame: what the decompressor would reserve at once. zstd's own limit for streams. */
const MAGIC = 0xfd2fb528,
  MOST_WINDOW_BYTES = 128 * 1024 * 1024;

export interface Payload {
  readonly compressed: Buffer;
  readonly isPacked: boolean;
  readonly uncompressedBytes: number;
}

export function readPayload(r: EventReader): Payload {
  let size = -1,
    uncompressedBytes = -1,
    compression = ZSTD;
  for (;;) {
    const type = r.packedInteger('the type of a field');
    if (type === Field.end) break;
    const field = r.part(r.packedInteger('the length of a field'), 'a field');
    if (type === Field.size) size = field.packedInteger('the size');
    else if (type === Field.compression) compression = field.packedInteger('the algorithm');
    else if (type === Field.uncompressedSize) uncompressedBytes = field.packedInteger('the size');
  }
  if (compression !== ZSTD && compression !== NONE)
    throw new BinlogError('unsupported', `a transaction packed by algorithm ${compression}`);
  if (size !== r.left) r.fail(`a payload of ${r.left} bytes instead of ${size}`);
  return {
    compressed: r.view(size, 'the payload'),
    isPacked: compression === ZSTD,
    uncompressedBytes: compression === NONE ? size : uncompressedBytes,
  };
}

/** The bytes of event after event. `maxBytes`: of all of them. */
export function* eventsIn(payload: Payload, maxBytes: number): Generator<Buffer> {
  let rest: Buffer = Buffer.alloc(0),
    total = 0;
  for (const piece of piecesOf(payload)) {
    total += piece.length;
    if (total > maxBytes) throw new BinlogError('too_large', `a transaction unpacks to more than ${maxBytes} bytes`);
    if (payload.uncompressedBytes >= 0 && total > payload.uncompressedBytes) throw sizeError(total, payload);
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(at + LENGTH_AT);
      if (length < HEADER_BYTES) throw new BinlogError('malformed', `an event of ${length} bytes in a transaction`);
      if (length > bytes.length - at) break;
      yield bytes.subarray(at, at + length);
      at += length;
    }
    rest = bytes.subarray(at);
  }
  if (rest.length > 0) throw new BinlogError('malformed', `${rest.length} bytes too many in a transaction`);
  if (payload.uncompressedBytes >= 0 && total !== payload.uncompressedBytes) throw sizeError(total, payload);
}

function sizeError(total: number, { uncompressedBytes }: Payload): BinlogError {
  return new BinlogError('malformed', `a transaction unpacks to ${total} bytes instead of ${uncompressedBytes}`);
}

function* piecesOf({ compressed, isPacked }: Payload): Generator<Buffer> {
  if (!isPacked) {
    yield compressed;
    return;
  }
  checkWindow(compressed);
  const pieces: Buffer[] = [];
  const stream = new Decompress((piece) => {
    // A view into what the decompressor writes over with its next block.
    if (piece.length > 0) pieces.push(Buffer.from(piece));
  });
  for (let at = 0; at < compressed.length; at += PIECE_BYTES) {
    const end = Math.min(at + PIECE_BYTES, compressed.length);
    try {
      stream.push(compressed.subarray(at, end), end === compressed.length);
    } catch (error) {
      throw new BinlogError('malformed', `a packed transaction that zstd does not read (${(error as Error).message})`);
    }
    // What came of it, in one: events cross the borders of blocks.
    const unpacked = pieces.splice(0);
    if (unpacked.length > 0) yield unpacked.length === 1 ? (unpacked[0] as Buffer) : Buffer.concat(unpacked);
  }
}

/** https://www.rfc-editor.org/rfc/rfc8878#name-window-descriptor */
function checkWindow(bytes: Buffer): void {
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== MAGIC) throw new BinlogError('malformed', 'a packed transaction that is no zstd frame');
  const descriptor = bytes[4] as number,
    isSingleSegment = (descriptor & 0x20) !== 0;
  if (isSingleSegment) {
    const sizeBytes = [1, 2, 4, 8][descriptor >> 6] as number,
      dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number,
      at = 5 + dictionaryBytes;
    if (bytes.length < at + sizeBytes) throw new BinlogError('malformed', 'the head of a packed transaction is cut off');
    const size = sizeBytes === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, sizeBytes);
    checkWindowSize(size);
    return;
  }
  const window = bytes[5] as number,
    base = 2 ** (10 + (window >> 3));
  checkWindowSize(base + (base / 8) * (window & 7));
}

function checkWindowSize(size: number): void {
  if (size > MOST_WINDOW_BYTES) throw new BinlogError('too_large', `a packed transaction whose window has ${size} bytes`);
}
