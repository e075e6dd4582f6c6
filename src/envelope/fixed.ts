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
    { length } = bytes,
    words = new Int32Array((length + 3) >> 2);
  for (let i = 0; i < length; i++) words[i >> 2] = (words[i >> 2] as number) | ((bytes[i] as number) << ((i & 3) * 8));
  return { bytes, length, words };
}
