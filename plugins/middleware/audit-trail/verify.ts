// Checks an audit log from its first record to its last. Needs no running pipeline.

import { createPublicKey } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { CdcError } from 'cdc-run/sdk';
import { type AuditRecord, type ChainPlace, NO_HASH, openRecord } from './record.ts';
import { headPath, readHead } from './resume.ts';
import { ed25519Verifier, hmacSigner, type Signer } from './signature.ts';

export interface VerifyOptions {
  /** PEM text of the Ed25519 public key. */
  readonly publicKey?: string;
  /** The shared secret of HMAC signatures. */
  readonly hmacKey?: string;
}

export interface AuditVerification {
  /** Whole records that were found to be right. */
  readonly records: number;
  readonly ok: boolean;
  /** `line`: where it goes wrong, 1-based; one after the last for what is missing at the end. */
  readonly brokenAt?: { readonly line: number; readonly reason: string };
  /** `unchecked`: the log is signed, but no key was given to check that. */
  readonly signatures: 'none' | 'checked' | 'unchecked';
  /** Writes without result: a crash came between, or a pipeline is at work. */
  readonly unconfirmedWrites: number;
  /** The file ends in the middle of a line: a crash, or a pipeline at work. The line counts for nothing. */
  readonly incompleteLine: boolean;
}

class Broken extends Error {}

/** Throws `CONFIG_FILE_UNREADABLE` when the log or a key cannot be read; all that is wrong with the log is in the result. */
export async function verifyAuditLog(path: string, options: VerifyOptions = {}): Promise<AuditVerification> {
  const chain = new Chain(verifierOf(options));
  try {
    // The head first: it may only be behind the log, never ahead of it, also while a pipeline writes both.
    const head = await headOf(path, chain.verifier);
    for await (const { line, whole } of linesOf(path)) {
      if (!whole) {
        chain.incompleteLine = true;
        break;
      }
      chain.add(line, head);
    }
    chain.end(head, path);
    return chain.result();
  } catch (error) {
    if (error instanceof Broken) return { ...chain.result(), ok: false, brokenAt: { line: chain.place.seq + 1, reason: error.message } };
    throw unreadable(path, error);
  }
}

class Chain {
  readonly verifier: Signer | null;
  place: ChainPlace = { seq: 0, hash: NO_HASH };
  incompleteLine = false;
  #signature: Signer['kind'] = 'none';
  /** Numbers of writes whose result has not come yet. Bounded by the writes under way at each crash. */
  readonly #open = new Set<number>();

  constructor(verifier: Signer | null) {
    this.verifier = verifier;
  }

  add(line: string, head: ChainPlace | null): void {
    const record = this.#read(line);
    if (record.seq !== this.place.seq + 1)
      throw new Broken(`record ${record.seq} stands where ${this.place.seq + 1} belongs: records were removed, moved or put in`);
    if (record.prev !== this.place.hash) throw new Broken('it does not follow from the record before it');
    this.#checkSignature(record);
    if (record.seq === head?.seq && record.hash !== head.hash) throw new Broken('it is another record than the head file names');
    this.place = { seq: record.seq, hash: record.hash };
    if (record.kind === 'write') this.#open.add(record.seq);
    else if (record.kind !== 'open') this.#open.delete(record.write);
  }

  end(head: ChainPlace | null, path: string): void {
    if (this.place.seq === 0 && head === null && !this.incompleteLine) throw new Broken('the log is empty');
    if (head !== null && this.place.seq < head.seq) throw new Broken(`the last ${head.seq - this.place.seq} records are missing`);
    if (head === null && this.place.seq > 1) throw new Broken(`the head file ${headPath(path)} is missing, so the end cannot be checked`);
  }

  result(): AuditVerification {
    const signatures = this.#signature === 'none' ? 'none' : this.verifier === null ? 'unchecked' : 'checked';
    return { records: this.place.seq, ok: true, signatures, unconfirmedWrites: this.#open.size, incompleteLine: this.incompleteLine };
  }

  #read(line: string): AuditRecord {
    try {
      return openRecord(line);
    } catch (error) {
      throw new Broken(error instanceof Error ? error.message : String(error));
    }
  }

  #checkSignature(record: AuditRecord): void {
    if (this.place.seq === 0) {
      if (record.kind !== 'open') throw new Broken('the log does not begin with its first record');
      this.#signature = record.signature;
      if (this.verifier !== null && this.verifier.kind !== this.#signature)
        throw new Broken(`the log is signed by ${this.#signature}, the key is for ${this.verifier.kind}`);
    }
    if ((this.#signature === 'none') !== (record.sig === undefined))
      throw new Broken(record.sig === undefined ? 'its signature is missing' : 'it has a signature, the log has none');
    if (this.verifier !== null && !this.verifier.verify(record.hash, record.sig)) throw new Broken('its signature is wrong');
  }
}

function verifierOf(options: VerifyOptions): Signer | null {
  if (options.hmacKey !== undefined) return hmacSigner(options.hmacKey);
  if (options.publicKey === undefined) return null;
  try {
    return ed25519Verifier(createPublicKey(options.publicKey));
  } catch (cause) {
    throw new CdcError('CONFIG_FILE_UNREADABLE', 'The public key is not a PEM key.', {
      fix: 'Give the PEM file of the Ed25519 public key.',
      cause,
    });
  }
}

async function headOf(path: string, verifier: Signer | null): Promise<ChainPlace | null> {
  try {
    return await readHead(path, verifier);
  } catch (error) {
    if (error instanceof CdcError) throw new Broken(error.message);
    throw error;
  }
}

/** Lines without their ends. `whole`: the line end was there. */
async function* linesOf(path: string): AsyncIterable<{ line: string; whole: boolean }> {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      yield { line: Buffer.concat([rest, chunk.subarray(start, end)]).toString(), whole: true };
      rest = Buffer.alloc(0);
      start = end + 1;
    }
    rest = Buffer.concat([rest, chunk.subarray(start)]);
  }
  if (rest.length > 0) yield { line: rest.toString(), whole: false };
}

function unreadable(path: string, cause: unknown): CdcError {
  if (cause instanceof CdcError) return cause;
  return new CdcError(
    'CONFIG_FILE_UNREADABLE',
    `The audit log ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
    {
      where: path,
      fix: 'Give the path of the log, by default .cdc/audit/<pipeline>.ndjson.',
      cause,
    },
  );
}
