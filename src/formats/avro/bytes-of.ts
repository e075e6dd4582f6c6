// What a writer writes, as bytes of their own.

import { JsonWriter } from '../../envelope/json-writer.ts';
import type { Sink } from './binary.ts';

export function bytesOf(write: (out: Sink) => void): Uint8Array {
  const out = new JsonWriter(0);
  out.begin();
  write(out);
  return Uint8Array.from(out.end());
}
