// Reads a file of lines from its end, without reading all of it.

import type { FileHandle } from 'node:fs/promises';

const BLOCK_BYTES = 64 * 1024;

/** The whole lines at the end, in order, back to the first for which `isEnough` holds. `complete`: where the last one ends. */
export async function readTail(
  file: FileHandle,
  size: number,
  isEnough: (line: string) => boolean,
): Promise<{ lines: string[]; complete: number }> {
  let start = size,
    bytes = Buffer.alloc(0);
  while (start > 0) {
    const from = Math.max(0, start - BLOCK_BYTES);
    bytes = Buffer.concat([await readAt(file, from, start - from), bytes]);
    start = from;
    const lines = wholeLines(bytes, start === 0);
    // The earliest line of what was read is whole only when another one ends before it.
    const enough = lines.findLastIndex(isEnough);
    if (enough !== -1) return { lines: lines.slice(enough), complete: start + bytes.lastIndexOf(10) + 1 };
  }
  return { lines: wholeLines(bytes, true), complete: bytes.lastIndexOf(10) + 1 };
}

export async function firstLine(file: FileHandle): Promise<string> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const more = await readAt(file, bytes.length, BLOCK_BYTES);
    bytes = Buffer.concat([bytes, more]);
    const end = bytes.indexOf(10);
    if (end !== -1 || more.length === 0) return bytes.subarray(0, end === -1 ? undefined : end).toString();
  }
}

function wholeLines(bytes: Buffer, fromStart: boolean): string[] {
  const begin = fromStart ? 0 : bytes.indexOf(10) + 1,
    end = bytes.lastIndexOf(10);
  return end < begin ? [] : bytes.subarray(begin, end).toString().split('\n');
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
