// The dead letter queue as a file: one line of JSON per letter, appended and synced before `put` resolves; a letter that comes
// again gets a short line behind it. Queues of one process may share a file; two processes may not: give their pipelines
// different paths, and hold the pipeline's lease for `remove` and `mark`.

import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { DeadLetter, ReplayMark } from '../engine/api.ts';
import { CdcError } from '../sdk/index.ts';
import { makeFolder } from '../util/make-folder.ts';
import { syncFolder } from '../util/sync-folder.ts';
import { formatAgain, formatLetter, formatMark, idOfLine } from './letter-codec.ts';
import { linesOf, readDeadLetters } from './reader.ts';
import { RecentIds } from './recent-ids.ts';
import type { DeadLetterStore } from './store.ts';
import { assertWritable } from './writable.ts';

/** About 10 MB when full, which takes a queue of 100,000 letters. */
const REMEMBERED_IDS = 100_000;
const READ_BYTES = 256 * 1024;
/** The id stands at the beginning of a line; what is kept of longer lines while looking for it. */
const LINE_HEAD_BYTES = 16 * 1024;

/** Nothing is opened or created before the first letter. */
export function openFileDeadLetterQueue(path: string): DeadLetterStore {
  return new FileDeadLetterQueue(path);
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: number;
  size: number;
}

class FileDeadLetterQueue implements DeadLetterStore {
  readonly #path: string;
  readonly #ids = new RecentIds(REMEMBERED_IDS);
  #file: OpenFile | null = null;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  put(letters: readonly DeadLetter[]): Promise<void> {
    return this.#change((file) => this.#append(file, letters));
  }

  async check(): Promise<void> {
    await assertWritable(this.#path).catch((error: unknown) => {
      throw unavailable(this.#path, error);
    });
  }

  async *letters(): AsyncIterable<DeadLetter> {
    if (await this.#exists()) yield* readDeadLetters(this.#path);
  }

  async get(id: string): Promise<DeadLetter | null> {
    for await (const letter of this.letters()) if (letter.id === id) return letter;
    return null;
  }

  async remove(ids: ReadonlySet<string>): Promise<number> {
    if (ids.size === 0 || !(await this.#exists())) return 0;
    let removed = 0;
    await this.#change(async (file) => {
      removed = await this.#rewrite(ids);
      await file.handle.close();
      this.#file = null;
    });
    return removed;
  }

  mark(ids: readonly string[], mark: ReplayMark): Promise<void> {
    return this.#change((file) =>
      this.#write(
        file,
        ids
          .map(
            (id) => `${formatMark(id, mark)}
`,
          )
          .join(''),
      ),
    );
  }

  #exists(): Promise<boolean> {
    return stat(this.#path).then(
      () => true,
      () => false,
    );
  }

  #change(work: (file: OpenFile) => Promise<void>): Promise<void> {
    return inTurn(this.#path, async () => {
      try {
        await work(await this.#opened());
      } catch (error) {
        await this.#abandon();
        throw unavailable(this.#path, error);
      }
    });
  }

  close(): Promise<void> {
    return inTurn(this.#path, async () => {
      await this.#file?.handle.close();
      this.#file = null;
    });
  }

  async #append(file: OpenFile, letters: readonly DeadLetter[]): Promise<void> {
    const lines = new Map<string, string>();
    for (const letter of letters) lines.set(letter.id, `${this.#ids.has(letter.id) ? formatAgain(letter) : formatLetter(letter)}\n`);
    if (lines.size === 0) return;
    await this.#write(file, [...lines.values()].join(''));
    for (const id of lines.keys()) this.#ids.add(id);
  }

  async #write(file: OpenFile, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await file.handle.appendFile(bytes);
    // Invariant 3: the lane goes on after this, and nobody else has the event any more.
    await file.handle.datasync();
    file.size += bytes.length;
  }

  /** A new file takes the place of the old one in one step: a crash leaves either. */
  async #rewrite(ids: ReadonlySet<string>): Promise<number> {
    const path = `${this.#path}.new`,
      removed = new Set<string>();
    await rm(path, { force: true });
    const handle = await open(path, 'wx', 0o600);
    try {
      for await (const line of linesOf(this.#path)) {
        const id = idOfLine(line);
        if (id === null || !ids.has(id)) await handle.appendFile(`${line}\n`);
        else removed.add(id);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(path, this.#path);
    await syncFolder(dirname(this.#path));
    return removed.size;
  }

  async #opened(): Promise<OpenFile> {
    if (this.#file !== null) {
      // Somebody may have moved the file away, to look through it or to start a new one.
      const now = await stat(this.#path).catch(() => null);
      if (now?.ino === this.#file.inode && now.size === this.#file.size) return this.#file;
      await this.#file.handle.close();
      this.#file = null;
    }
    await makeFolder(dirname(this.#path));
    const handle = await open(this.#path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600);
    try {
      this.#file = await this.#repaired(handle);
    } finally {
      if (this.#file === null) await handle.close();
    }
    return this.#file;
  }

  /** Cuts a line that a crash left incomplete: its `put` never resolved, so whoever sent it still has it. */
  async #repaired(handle: FileHandle): Promise<OpenFile> {
    const { size, ino } = await handle.stat();
    this.#ids.clear();
    const complete = await readIds(handle, this.#ids);
    if (complete < size) await handle.truncate(complete);
    // What is there may be in the cache only: a process that was killed before its sync wrote it. Its ids count as stored.
    await handle.sync();
    if (size === 0) await syncFolder(dirname(this.#path));
    return { handle, inode: ino, size: complete };
  }

  /** After a failed write: takes back what was written of it, and begins anew with the next put. */
  async #abandon(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    // If even this fails, opening the file again finds and cuts the torn line.
    await file.handle.truncate(file.size).catch(() => undefined);
    await file.handle.close().catch(() => undefined);
  }
}

/**
 * Lanes put at the same time, and pipelines of one process may share a file: all work on a file is done one after the
 * other, or a half-written line of one would look like a torn one to another.
 */
function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const result = (turns.get(path) ?? Promise.resolve()).then(work);
  const settled = result
    .then(
      () => undefined,
      () => undefined,
    )
    .then(() => {
      if (turns.get(path) === settled) turns.delete(path);
    });
  turns.set(path, settled);
  return result;
}

const turns = new Map<string, Promise<void>>();

/** Adds the ids of all complete lines. Returns where the last one ends. */
async function readIds(handle: FileHandle, ids: RecentIds): Promise<number> {
  const chunk = Buffer.alloc(READ_BYTES);
  let offset = 0,
    complete = 0,
    head = Buffer.alloc(0);
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, offset);
    if (bytesRead === 0) return complete;
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1 && end < bytesRead; end = chunk.indexOf(10, start)) {
      const id = idOfLine(Buffer.concat([head, chunk.subarray(start, Math.min(end, start + LINE_HEAD_BYTES))]).toString());
      if (id !== null) ids.add(id);
      head = Buffer.alloc(0);
      start = end + 1;
      complete = offset + start;
    }
    if (head.length < LINE_HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(start, Math.min(bytesRead, start + LINE_HEAD_BYTES))]);
    offset += bytesRead;
  }
}

const RETRIABLE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE']);

function unavailable(path: string, cause: unknown): CdcError {
  if (cause instanceof CdcError) return cause;
  const code = (cause as NodeJS.ErrnoException | null)?.code ?? '';
  const text = cause instanceof Error ? cause.message : String(cause);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new CdcError('DLQ_UNAVAILABLE', `The dead letter file ${path} cannot be written: ${text}.`, {
    where: 'error_handling.dead_letter_queue.path',
    retriable: RETRIABLE.has(code),
    cause,
    fix: full ? 'Free space on the disk that holds the file.' : 'Check that the path is a file which this user may write.',
  });
}
