// Messages of the wire protocol in a stream of bytes, while a COPY runs: where each begins and ends, nothing copied, nothing
// decoded. Pure. https://www.postgresql.org/docs/current/protocol-message-formats.html
//
// One byte of type, four of length (itself included), the body. CopyData ('d') is the hot path: only offsets are kept. The same for
// the rows of a query ('D').

/** Payloads of CopyData, or of rows, in one arena, in order. The bytes are never written again. */
export interface Frames {
  readonly bytes: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly count: number;
}

/** Type and length. */
export const HEAD_BYTES = 5;
/** Of the server: a message never reaches 1 GB (MaxAllocSize). */
const MAX_MESSAGE_BYTES = 0x3fff_ffff;
const COPY_DATA = 0x64;
export const DATA_ROW = 0x44;

/** Bytes that are no message. `offset` is that of the message's first byte in the buffer. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(`${message} at byte ${offset}`);
    this.offset = offset;
  }
}

/** One allocation for many small reads: typed arrays of their own for each would keep the garbage collector busy. */
const SLAB_FRAMES = 4096;

/** Grows, and hands over what it has as views: like the bytes, what was handed over is never written again. */
export class FrameList {
  starts = new Int32Array(SLAB_FRAMES);
  ends = new Int32Array(SLAB_FRAMES);
  /** Those not handed over stand from `base` to before `end`. */
  base = 0;
  end = 0;

  get count(): number {
    return this.end - this.base;
  }

  add(start: number, end: number): void {
    if (this.end === this.starts.length) this.#renew();
    this.starts[this.end] = start;
    this.ends[this.end++] = end;
  }

  cut(): Omit<Frames, 'bytes'> {
    const { base, end, count } = this;
    this.base = end;
    return { starts: this.starts.subarray(base, end), ends: this.ends.subarray(base, end), count };
  }

  #renew(): void {
    const { base, end, count } = this,
      size = Math.max(SLAB_FRAMES, count * 2);
    const starts = new Int32Array(size),
      ends = new Int32Array(size);
    starts.set(this.starts.subarray(base, end));
    ends.set(this.ends.subarray(base, end));
    this.starts = starts;
    this.ends = ends;
    this.base = 0;
    this.end = count;
  }
}

/** What to do with a message that is no CopyData: its type as a letter, and its body. */
export type OnControl = (type: string, bytes: Buffer, start: number, end: number) => void;

/**
 * Adds the messages of the wanted type that are whole in `bytes[from, to)` and reports the others. Returns where the first message that
 * is not whole begins. Throws `FrameError`.
 */
export function scanFrames(
  bytes: Buffer,
  from: number,
  to: number,
  frames: FrameList,
  onControl: OnControl,
  wanted: typeof COPY_DATA | typeof DATA_ROW = COPY_DATA,
): number {
  let at = from;
  while (to - at >= HEAD_BYTES) {
    const end = at + 1 + lengthAt(bytes, at);
    if (end > to) break;
    const type = bytes[at] as number;
    if (type === wanted) frames.add(at + HEAD_BYTES, end);
    else onControl(String.fromCharCode(type), bytes, at + HEAD_BYTES, end);
    at = end;
  }
  return at;
}

/** How many bytes the message at `at` takes in all, as far as they tell: 0 while its head is not whole. */
export function frameBytes(bytes: Buffer, at: number, to: number): number {
  return to - at < HEAD_BYTES ? 0 : 1 + lengthAt(bytes, at);
}

function lengthAt(bytes: Buffer, at: number): number {
  const type = bytes[at] as number;
  // A letter of ASCII: anything else is another protocol, or we have lost our place.
  if (type < 0x31 || type > 0x7a) throw new FrameError(at, `no message begins with byte ${type}`);
  const length = bytes.readInt32BE(at + 1);
  if (length < 4 || length > MAX_MESSAGE_BYTES) throw new FrameError(at, `a message cannot have ${length} bytes`);
  return length;
}

/** Fields of ErrorResponse and NoticeResponse: a letter and a text each. https://www.postgresql.org/docs/current/protocol-error-fields.html */
export function errorFields(bytes: Buffer, start: number, end: number): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = start; at < end && bytes[at] !== 0; ) {
    const stop = bytes.indexOf(0, at);
    const until = stop === -1 || stop >= end ? end : stop;
    fields.set(String.fromCharCode(bytes[at] as number), bytes.toString('utf8', at + 1, until));
    at = until + 1;
  }
  return fields;
}

/** An ErrorResponse in the shape of the driver's errors, so that one classification serves both. */
export class ReplicationServerError extends Error {
  override readonly name = 'ReplicationServerError';
  readonly code: string;
  readonly severity: string;
  readonly routine: string;

  constructor(fields: ReadonlyMap<string, string>) {
    super(fields.get('M') ?? 'an error without a message');
    this.code = fields.get('C') ?? 'XX000';
    this.severity = fields.get('V') ?? fields.get('S') ?? 'ERROR';
    this.routine = fields.get('R') ?? '';
  }
}
