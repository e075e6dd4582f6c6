// Bytes of the socket → packets of the protocol: where each event lies in the chunk that it came in. Only a packet that lies
// across two chunks is copied. https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html

const HEAD_BYTES = 4;
/** A packet of this length goes on in the next one: events beyond 16 MiB. */
const FULL_PACKET_BYTES = 0xff_ffff;
const OK = 0x00,
  EOF = 0xfe,
  ERR = 0xff;
const ERR_TEXT_AT = 3,
  SQLSTATE_MARK = 0x23,
  SQLSTATE_BYTES = 6;

/** What the server says instead of events. */
export class ServerRefusal extends Error {
  override readonly name = 'ServerRefusal';
  readonly errno: number;

  constructor(errno: number, message: string) {
    super(message);
    this.errno = errno;
  }
}

/** Whole events that have come: the `i`-th is `bytes[i]` from `starts[i]` to `ends[i]`, without the byte that says that all is well. */
export class Packets {
  readonly bytes: Buffer[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  size = 0;

  get count(): number {
    return this.starts.length;
  }

  push(bytes: Buffer, start: number, end: number): void {
    this.bytes.push(bytes);
    this.starts.push(start);
    this.ends.push(end);
    this.size += end - start;
  }
}

export interface PacketHandler {
  /** An event; of an answer without one, nothing. */
  onEvent(bytes: Buffer, start: number, end: number): void;
  onRefusal(error: ServerRefusal): void;
  onEnd(): void;
}

export class PacketReader {
  readonly #handler: PacketHandler;
  /** A packet that is not there as a whole. */
  #parts: Buffer[] = [];
  #have = 0;
  #need = 0;
  /** Full packets whose rest is to come. */
  #long: Buffer[] = [];

  constructor(handler: PacketHandler) {
    this.#handler = handler;
  }

  push(chunk: Buffer): void {
    let bytes = chunk,
      at = 0;
    if (this.#have > 0) {
      if (this.#need === 0 && this.#have + chunk.length < HEAD_BYTES) {
        this.#keep(chunk, 0);
        return;
      }
      if (this.#need === 0) {
        // The head itself is cut: it is rare, so all is copied.
        bytes = Buffer.concat([...this.#parts, chunk]);
        this.#parts = [];
        this.#have = 0;
      } else {
        const missing = this.#need - this.#have;
        if (chunk.length < missing) {
          this.#keep(chunk, 0);
          return;
        }
        this.#parts.push(chunk.subarray(0, missing));
        const packet = Buffer.concat(this.#parts, this.#need);
        this.#parts = [];
        this.#have = this.#need = 0;
        this.#packet(packet, HEAD_BYTES, packet.length);
        at = missing;
      }
    }
    this.#scan(bytes, at);
  }

  #scan(bytes: Buffer, from: number): void {
    let at = from;
    while (bytes.length - at >= HEAD_BYTES) {
      const length = bytes.readUIntLE(at, 3),
        end = at + HEAD_BYTES + length;
      if (end > bytes.length) {
        this.#need = HEAD_BYTES + length;
        break;
      }
      this.#packet(bytes, at + HEAD_BYTES, end);
      at = end;
    }
    if (at < bytes.length) this.#keep(bytes, at);
  }

  #keep(bytes: Buffer, at: number): void {
    this.#parts.push(at === 0 ? bytes : bytes.subarray(at));
    this.#have += bytes.length - at;
  }

  #packet(bytes: Buffer, start: number, end: number): void {
    if (end - start === FULL_PACKET_BYTES) {
      this.#long.push(bytes.subarray(start, end));
      return;
    }
    if (this.#long.length > 0) {
      const whole = Buffer.concat([...this.#long, bytes.subarray(start, end)]);
      this.#long = [];
      this.#answer(whole, 0, whole.length);
      return;
    }
    this.#answer(bytes, start, end);
  }

  #answer(bytes: Buffer, start: number, end: number): void {
    switch (bytes[start]) {
      case OK:
        this.#handler.onEvent(bytes, start + 1, end);
        return;
      case ERR:
        this.#handler.onRefusal(refusal(bytes, start, end));
        return;
      case EOF:
        this.#handler.onEnd();
        return;
      default:
        this.#handler.onRefusal(new ServerRefusal(0, `a packet that begins with ${bytes[start] ?? 'nothing'}`));
    }
  }
}

function refusal(bytes: Buffer, start: number, end: number): ServerRefusal {
  if (end - start < ERR_TEXT_AT) return new ServerRefusal(0, 'an error without a number');
  const text = start + ERR_TEXT_AT,
    from = bytes[text] === SQLSTATE_MARK ? text + SQLSTATE_BYTES : text;
  return new ServerRefusal(bytes.readUInt16LE(start + 1), bytes.toString('utf8', from, end));
}
