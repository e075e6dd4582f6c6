// From the records of a batch to the messages of a broker. Pure.

import { CdcError, type ChangeEvent, type EncodedBatch, type LaneBatch, type WriteFailure } from '../sdk/index.ts';

const NOTHING = Buffer.alloc(0);

/**
 * What `make` gives for each record but those to skip, in order, and the events for which it gave an error. `nth`: which one of its
 * event it is, from 1 on. Each needs an id of its own, or a reader would take one for a repeat.
 */
export function messagesOf<M extends object>(
  { events, skip }: LaneBatch,
  { event }: EncodedBatch,
  make: (change: ChangeEvent, i: number, nth: number) => M | CdcError,
): { messages: M[]; failed: WriteFailure[] } {
  const messages: M[] = [],
    failed = new Map<number, WriteFailure>();
  for (let i = 0, nth = 0; i < event.length; i++) {
    const index = event[i] as number;
    nth = event[i - 1] === index ? nth + 1 : 1;
    if (skip.has(index) || failed.has(index)) continue;
    const made = make(events[index] as ChangeEvent, i, nth);
    if (made instanceof CdcError) failed.set(index, { index, error: made });
    else messages.push(made);
  }
  return { messages, failed: [...failed.values()] };
}

/** The bytes as they lie, seen as drivers want them. A record without value is empty. */
export function bufferOf(bytes: Uint8Array | null | undefined): Buffer {
  if (!bytes) return NOTHING;
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
