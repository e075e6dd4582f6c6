// Confluent's wire format: a zero byte, the schema's id as four bytes, for Protobuf the place of the message in its file, then the data.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format

import { CdcError } from '../../sdk/index.ts';

const MAGIC = 0;
export const HEAD_BYTES = 5;

export function writeHead(to: Uint8Array, at: number, id: number): void {
  to[at] = MAGIC;
  to[at + 1] = id >>> 24;
  to[at + 2] = id >>> 16;
  to[at + 3] = id >>> 8;
  to[at + 4] = id;
}

/** The head alone. */
export function headOf(id: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  writeHead(head, 0, id);
  return head;
}

/** The id of a message's schema. Throws `SOURCE_DATA_INVALID`. */
export function schemaIdOf(bytes: Uint8Array): number {
  if (bytes.length < HEAD_BYTES || bytes[0] !== MAGIC)
    throw new CdcError(
      'SOURCE_DATA_INVALID',
      `Expected a message with the id of its schema (a zero byte and four more), got ${bytes.length} bytes${bytes.length === 0 ? '' : ` that begin with ${bytes[0]}`}.`,
      { fix: 'Set message_format to what the producer writes.' },
    );
  return (((bytes[1] as number) << 24) | ((bytes[2] as number) << 16) | ((bytes[3] as number) << 8) | (bytes[4] as number)) >>> 0;
}

/**
 * Which message of a `.proto`: zigzag varints, their number first. The first message of a file is one zero.
 *
 * | message | bytes |
 * |---|---|
 * | the first | 00 |
 * | the third | 02 04 |
 * | the second within the first | 04 00 02 |
 */
export function messageIndexes(path: readonly number[]): Uint8Array {
  if (path.length === 1 && path[0] === 0) return Uint8Array.of(0);
  const bytes: number[] = [];
  for (const n of [path.length, ...path]) {
    let rest = n * 2;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}

/** The reverse; `end`: where the data begins. Throws `SOURCE_DATA_INVALID`. */
export function readMessageIndexes(bytes: Uint8Array, start: number): { readonly path: readonly number[]; readonly end: number } {
  let at = start;
  const next = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || factor > 2 ** 28)
        throw new CdcError('SOURCE_DATA_INVALID', 'The place of the Protobuf message is cut off.');
      value += (byte & 127) * factor;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  };
  const count = next();
  if (count === 0) return { path: [0], end: at };
  if (count < 0 || count > bytes.length - at) throw new CdcError('SOURCE_DATA_INVALID', 'The place of the Protobuf message is none.');
  const path: number[] = [];
  for (let i = 0; i < count; i++) path.push(next());
  return { path, end: at };
}
