// State of a chain's stateful transformers as one blob: each part with its length before it (32 bit, big endian).

import { CdcError, type StatefulTransformer } from '../sdk/index.ts';

export function saveChain(transformers: readonly StatefulTransformer[]): Uint8Array {
  const parts = transformers.flatMap((t) => {
    const state = t.save(),
      length = Buffer.alloc(4);
    length.writeUInt32BE(state.length);
    return [length, state];
  });
  return Buffer.concat(parts);
}

/** Throws `STATE_CORRUPT` when the blob does not fit the chain: a transformer was added or removed since. */
export function restoreChain(transformers: readonly StatefulTransformer[], blob: Uint8Array): void {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.length),
    parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = at + 4 <= bytes.length ? bytes.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    if (at + 4 + length > bytes.length) throw mismatch('it is cut off');
    parts.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  if (parts.length !== transformers.length) throw mismatch(`it holds ${parts.length} part(s) for ${transformers.length} transformer(s)`);
  for (const [i, t] of transformers.entries()) t.restore(parts[i] as Uint8Array);
}

function mismatch(what: string): CdcError {
  return new CdcError('STATE_CORRUPT', `the saved state of the stateful transformers does not fit the pipeline: ${what}`, {
    where: 'plugins.transformers',
    fix: 'Put the transformers back as they were, let the pipeline run to its end once, then change them.',
  });
}
