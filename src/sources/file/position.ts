// A place in a file as a position.
//
// | part | example | why |
// |---|---|---|
// | generation | `00000002` | the file was rotated or truncated once: positions keep growing |
// | offset | `0000000000001234` | bytes read of this file |
// | line | `0000000017` | lines read of it (elements, for a JSON array): for messages |
// | identity | `1a2b3c-9f8e7d6c-01234567` | inode, checksum of the first 256 bytes read, of the last 64 bytes read |
// | tentative | `~1200.16` | the last record had no line end yet; it began at this offset, after this many lines |

import { crc32 } from 'node:zlib';
import type { Position, PositionCodec } from '../../sdk/index.ts';

/** Bytes at the beginning of a file that tell it from others. */
export const HEAD_BYTES = 256;
/** Bytes before a place that tell whether the file still is what was read: files of one kind often begin alike. */
export const TAIL_BYTES = 64;
/** Generation and offset: what orders positions. */
const ORDER_CHARS = 25;

export interface FilePlace {
  /** From 1. */
  readonly generation: number;
  readonly offset: number;
  readonly line: number;
  /** Inode number in base 36. */
  readonly inode: string;
  /** Checksum of the first bytes, at most `HEAD_BYTES` and at most `offset`. */
  readonly head: string;
  /** Checksum of the last bytes before `offset`, at most `TAIL_BYTES`. */
  readonly tail: string;
  /** Where the last record begins, if it was read without a line end. */
  readonly tentative: { readonly offset: number; readonly line: number } | null;
}

/** `01234567`: eight hexadecimal digits. */
export function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

export function formatPlace(place: FilePlace): Position {
  const { generation, offset, line, inode, head, tail, tentative } = place;
  const text = `${digits(generation, 8)}:${digits(offset, 16)}:${digits(line, 10)}:${inode}-${head}-${tail}`;
  return (tentative === null ? text : `${text}:~${tentative.offset}.${tentative.line}`) as Position;
}

const PLACE = /^([0-9]{8}):([0-9]{16}):([0-9]{10}):([0-9a-z]+)-([0-9a-f]{8})-([0-9a-f]{8})(?::~([0-9]+)\.([0-9]+))?$/;

/** Throws `TypeError` for text that is no place in a file. */
export function parsePlace(position: Position): FilePlace {
  const match = PLACE.exec(position);
  if (match === null) throw new TypeError(`not a place in a file: ${position.slice(0, 100)}`);
  const [, generation, offset, line, inode, head, tail, start, startLine] = match as unknown as string[];
  return {
    generation: Number(generation),
    offset: Number(offset),
    line: Number(line),
    inode: inode as string,
    head: head as string,
    tail: tail as string,
    tentative: start === undefined ? null : { offset: Number(start), line: Number(startLine) },
  };
}

/** The beginning of a generation. */
export function firstPlace(generation: number, inode: string): FilePlace {
  return { generation, offset: 0, line: 0, inode, head: '00000000', tail: '00000000', tentative: null };
}

export const filePositions: PositionCodec = {
  sortable: true,
  compare: (a, b) => {
    const x = a.slice(0, ORDER_CHARS),
      y = b.slice(0, ORDER_CHARS);
    return x < y ? -1 : x > y ? 1 : 0;
  },
  covers: (point, position) => position.slice(0, ORDER_CHARS) <= point.slice(0, ORDER_CHARS),
  describe: (position) => {
    const { generation, offset, line } = parsePlace(position);
    return `line ${line}, byte ${offset}${generation === 1 ? '' : `, file ${generation} of this name`}`;
  },
  fields: (position) => {
    const { generation, offset, line } = parsePlace(position);
    return { generation, offset, line };
  },
  // A line number alone lacks what tells this file from another one in its place.
  parse: (text) => (PLACE.test(text) ? (text as Position) : null),
};

function digits(n: number, width: number): string {
  return String(n).padStart(width, '0');
}
