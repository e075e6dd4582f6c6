// The audit log on disk: an append-only file, and beside it the head: which record was the last. The log is synced before the
// head moves, so after a crash the log may be longer than the head says, never shorter.

import { type FileHandle, mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type AuditBody, type ChainPlace, sealRecord } from './record.ts';
import { assertSameKind, broken, headPath, headText, lastPlace, openOrCreate, readHead } from './resume.ts';
import type { Signer } from './signature.ts';

export interface LogOptions {
  readonly path: string;
  readonly signer: Signer;
  readonly now: () => number;
  /** First record of each process, once `cutBytes` of a torn line are gone. */
  readonly begin: (cutBytes: number) => AuditBody;
}

interface Waiting {
  readonly body: AuditBody;
  readonly durable: boolean;
  resolve(seq: number): void;
  reject(error: unknown): void;
}

export class AuditLog {
  readonly #options: LogOptions;
  readonly #file: FileHandle;
  readonly #inode: number;
  #place: ChainPlace;
  #size: number;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | null = null;

  private constructor(options: LogOptions, file: FileHandle, inode: number, place: ChainPlace, size: number) {
    this.#options = options;
    this.#file = file;
    this.#inode = inode;
    this.#place = place;
    this.#size = size;
  }

  /** Takes up the log, or begins it. Throws `AUDIT_CHAIN_BROKEN` when it is not as it was left. */
  static async open(options: LogOptions): Promise<AuditLog> {
    const { path, signer } = options;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await openOrCreate(path, await readHead(path, null));
    try {
      const { size, ino } = await file.stat();
      await assertSameKind(file, path, signer);
      const head = await readHead(path, signer);
      const { place, complete } = await lastPlace(file, size, head, path, signer);
      if (complete < size) await file.truncate(complete);
      if (complete === 0) await syncFolder(dirname(path));
      const log = new AuditLog(options, file, ino, place, complete);
      await log.append(options.begin(size - complete), true);
      return log;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Appends a record; resolves with its number. `durable`: after it is synced and the head points to it. Otherwise as soon as
   * it is written; the next durable one takes it along. Records of several lanes that come together share one sync.
   */
  append(body: AuditBody, durable: boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, durable, resolve, reject });
      this.#flushing ??= this.#flushAll();
    });
  }

  async close(): Promise<void> {
    await this.#flushing;
    try {
      await this.#file.sync();
      await this.#moveHead(this.#place);
    } finally {
      await this.#file.close();
    }
  }

  async #flushAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        for (const [i, seq] of (await this.#flush(batch)).entries()) batch[i]?.resolve(seq);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    // In the same step as the last look at the list: a record that comes later starts a flush of its own.
    this.#flushing = null;
  }

  async #flush(batch: readonly Waiting[]): Promise<number[]> {
    await this.#assertUntouched();
    let place = this.#place,
      text = '';
    const seqs: number[] = [];
    for (const { body } of batch) {
      const sealed = sealRecord(body, place, this.#options.now(), this.#options.signer);
      text += `${sealed.line}\n`;
      place = sealed.place;
      seqs.push(place.seq);
    }
    const bytes = Buffer.from(text);
    try {
      await this.#file.appendFile(bytes);
      if (batch.some((w) => w.durable)) await this.#file.datasync();
    } catch (error) {
      // Back to the last whole record; if that fails too, `#assertUntouched` refuses all that follows.
      await this.#file.truncate(this.#size).catch(() => undefined);
      throw error;
    }
    this.#size += bytes.length;
    this.#place = place;
    if (batch.some((w) => w.durable)) await this.#moveHead(place);
    return seqs;
  }

  /** A second writer, or somebody who cuts the file while we run, must not get a chain continued over it. */
  async #assertUntouched(): Promise<void> {
    const now = await stat(this.#options.path).catch(() => null);
    if (now?.ino === this.#inode && now.size === this.#size) return;
    throw broken(
      this.#options.path,
      now === null ? 'was removed while the pipeline runs' : 'was changed by somebody else while the pipeline runs',
    );
  }

  async #moveHead(place: ChainPlace): Promise<void> {
    const { path, signer } = this.#options,
      next = `${headPath(path)}.new`;
    const file = await open(next, 'w', 0o600);
    try {
      await file.writeFile(`${[headText(place), signer.sign(headText(place))].filter((part) => part !== null).join(' ')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, headPath(path));
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders, and needs no sync of them.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
