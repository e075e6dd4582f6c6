// Records of the audit log: each holds the hash of the one before, so that none can be changed, removed, moved or put in
// between without breaking all that follow. Pure.

import { createHash } from 'node:crypto';
import type { Value } from 'cdc-run/sdk';
import { canonical } from './canonical.ts';
import type { Signer } from './signature.ts';

/** `prev` of the first record. */
export const NO_HASH = '0'.repeat(64);

/** What one event of a write leaves in the log. Digests are hex; `null` where the event has no such side. */
export type AuditedEvent = {
  readonly id: string;
  readonly op: string;
  readonly table: string;
  readonly key: string | null;
  readonly before?: string | null;
  readonly after?: string | null;
};

/**
 * - `open`: the log was begun, or taken up by a new process. `cut_bytes`: the incomplete line that a crash had left.
 * - `write`: these events are about to be written. Stands in the log before anything is sent.
 * - `confirmed`, `partial`, `refused`, `failed`: what became of the write with that sequence number. Without one of these a
 *   crash came between, and the write may have happened or not.
 */
export type AuditBody =
  | {
      readonly kind: 'open';
      readonly pipeline: string;
      readonly level: string;
      readonly signature: Signer['kind'];
      readonly cut_bytes: number;
    }
  | {
      readonly kind: 'write';
      readonly pipeline: string;
      readonly lane: string;
      readonly count: number;
      readonly events: readonly AuditedEvent[];
    }
  | { readonly kind: 'confirmed'; readonly write: number; readonly count: number }
  | {
      readonly kind: 'partial';
      readonly write: number;
      readonly count: number;
      readonly written: readonly string[];
      readonly failed: readonly string[];
    }
  | { readonly kind: 'refused'; readonly write: number; readonly failed: readonly string[] }
  | { readonly kind: 'failed'; readonly write: number; readonly code: string };

export type AuditRecord = AuditBody & {
  readonly seq: number;
  readonly time_ms: number;
  readonly prev: string;
  readonly hash: string;
  readonly sig?: string;
};

/** Where a chain stands: its last record. */
export interface ChainPlace {
  readonly seq: number;
  readonly hash: string;
}

/** The next record as a line, without its end, and the place it leads to. */
export function sealRecord(
  body: AuditBody,
  after: ChainPlace,
  timeMs: number,
  signer: Signer,
): { readonly line: string; readonly place: ChainPlace } {
  const content = { ...body, seq: after.seq + 1, time_ms: timeMs, prev: after.hash };
  const hash = hashOf(content);
  const sig = signer.sign(hash);
  return { line: canonical({ ...content, hash, ...(sig === null ? {} : { sig }) } as Value), place: { seq: content.seq, hash } };
}

/**
 * Reads a line and recomputes its hash. Throws an `Error` that says what is wrong. The line must be what we would write:
 * otherwise a key that stands twice would show one value to people and another one to us.
 */
export function openRecord(line: string): AuditRecord {
  let record: AuditRecord;
  try {
    record = JSON.parse(line) as AuditRecord;
  } catch {
    throw new Error('it is not JSON');
  }
  if (typeof record !== 'object' || record === null || typeof record.hash !== 'string' || !Number.isSafeInteger(record.seq))
    throw new Error('it is not a record');
  if (canonical(record as unknown as Value) !== line) throw new Error('it is not written the way records are');
  const { hash, sig: _signature, ...content } = record;
  if (hashOf(content) !== hash) throw new Error('its content does not match its hash');
  return record;
}

function hashOf(content: object): string {
  return createHash('sha256')
    .update(canonical(content as Value))
    .digest('hex');
}
