// Taking up an audit log: is it as it was left, and where does the chain go on? Everything that is not explained by a crash is
// `AUDIT_CHAIN_BROKEN`.

import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { CdcError } from 'cdc-run/sdk';
import { type ChainPlace, NO_HASH, openRecord } from './record.ts';
import type { Signer } from './signature.ts';
import { firstLine, readTail } from './tail.ts';

export const headPath = (path: string): string => `${path}.head`;
export const headText = (place: ChainPlace): string => `${place.seq} ${place.hash}`;

/** The head of a log; `null` when there is none. Throws `AUDIT_CHAIN_BROKEN` when it is not one of ours. */
export async function readHead(path: string, signer: Signer | null): Promise<ChainPlace | null> {
  const text = await readFile(headPath(path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const [, seq, hash, signature] = /^(\d+) ([0-9a-f]{64})(?: (\S+))?\n$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined) throw broken(path, 'has a damaged head file');
  const place = { seq: Number(seq), hash };
  if (signer !== null && !signer.verify(headText(place), signature))
    throw broken(path, 'has a head file that was not signed with this key');
  return place;
}

/** Where the chain goes on, and where the last whole line ends. Looks at the records since the head only. */
export async function lastPlace(
  file: FileHandle,
  size: number,
  head: ChainPlace | null,
  path: string,
  signer: Signer,
): Promise<{ place: ChainPlace; complete: number }> {
  const { lines, complete } = await readTail(file, size, (line) => seqOf(line) <= (head?.seq ?? 0));
  const records = lines.map((line) => readRecord(path, line, signer));
  for (const [i, record] of records.entries()) {
    const before = records[i - 1];
    if (before !== undefined && (record.prev !== before.hash || record.seq !== before.seq + 1))
      throw broken(path, `is broken at record ${record.seq}`);
  }
  const last = records.at(-1);
  if (last === undefined) {
    if (head !== null) throw broken(path, `is empty, but had ${head.seq} records`);
    return { place: { seq: 0, hash: NO_HASH }, complete };
  }
  // The head follows the first record at once, so a longer log without one has lost it.
  if (head === null && last.seq > 1) throw broken(path, `has ${last.seq} records but no head file`);
  if (head !== null && last.seq < head.seq) throw broken(path, `ends at record ${last.seq}, but had ${head.seq}`);
  if (head !== null && records.find((r) => r.seq === head.seq)?.hash !== head.hash)
    throw broken(path, `has another record ${head.seq} than its head file says`);
  return { place: { seq: last.seq, hash: last.hash }, complete };
}

function readRecord(path: string, line: string, signer: Signer): ReturnType<typeof openRecord> {
  try {
    const record = openRecord(line);
    if (!signer.verify(record.hash, record.sig)) throw new Error('it was not signed with this key');
    return record;
  } catch (error) {
    throw broken(path, `holds a record that was changed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A head without a log must not make a new log: it is the proof that there was one. */
export function openOrCreate(path: string, head: ChainPlace | null): Promise<FileHandle> {
  const create = head === null ? constants.O_CREAT : 0;
  return open(path, constants.O_RDWR | constants.O_APPEND | create, 0o600).catch((error: NodeJS.ErrnoException) => {
    if (head !== null && error.code === 'ENOENT') throw broken(path, `is missing, but had ${head.seq} records`);
    throw error;
  });
}

/** A changed configuration is not a changed log, and gets an error of its own. */
export async function assertSameKind(file: FileHandle, path: string, signer: Signer): Promise<void> {
  const kind = signatureOf(await firstLine(file));
  if (kind === null || kind === signer.kind) return;
  throw new CdcError(
    'CONFIG_INVALID_VALUE',
    `The audit log ${path} was begun with signature ${kind}, but is configured for ${signer.kind}.`,
    {
      where: 'params.digital_signature',
      fix: 'Give the log another path, or the signature it had.',
    },
  );
}

function signatureOf(line: string): string | null {
  try {
    const { kind, signature } = JSON.parse(line) as { kind?: unknown; signature?: unknown };
    return kind === 'open' && typeof signature === 'string' ? signature : null;
  } catch {
    return null;
  }
}

function seqOf(line: string): number {
  try {
    return (JSON.parse(line) as { seq: number }).seq;
  } catch {
    return 0;
  }
}

export function broken(path: string, what: string): CdcError {
  return new CdcError('AUDIT_CHAIN_BROKEN', `The audit log ${path} ${what}.`, {
    where: path,
    fix: 'Run `cdc-run audit verify`, find out who changed it, keep the file, and begin a new one under another path.',
  });
}
