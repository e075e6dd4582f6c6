// Short pieces of JSON that stand in every record, prepared for copying four bytes at a time: a third of the time of a loop
// over bytes, and of a native copy.

export interface Fixed {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Filled up with zeros, which the next piece overwrites. */
  readonly words: Int32Array;
}

export function fixedOf(text: string | Uint8Array): Fixed {
  const bytes = Buffer.from(text),
    padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  return { bytes, length: bytes.length, words: Int32Array.from({ length: padded.length / 4 }, (_, i) => padded.readInt32LE(i * 4)) };
}
