// Writes what was appended, and syncs it: one sync for all that came meanwhile. Nothing is readable before its sync (invariant
// 1). After an error the file is opened anew, cut back to what was synced, and written again from memory: a failed fsync may
// have thrown away what it did not write, and a second one would report success.

import { join } from 'node:path';
import { CdcError, type Clock, type Logger, type Random } from '../../sdk/index.ts';
import { Notifier } from '../../util/signal.ts';
import { writeFailed } from './errors.ts';
import type { LogFile, LogFiles } from './files.ts';
import type { Segment } from './segment.ts';
import { encodeHeader, encodeSlot, segmentName, slotOffset, TEMPORARY } from './segment-header.ts';
import { writeSidecar } from './sidecar.ts';

/** Syncs are this far apart: half of what a person notices, and few enough for a spinning disk. */
const SYNC_EVERY_MS = 20;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;
/** Small records go into one write up to this size. */
const WRITE_BYTES = 4 * 1024 * 1024;

export interface FlusherOptions {
  readonly folder: string;
  readonly files: LogFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly durability: 'fsync' | 'os';
  /** Everything up to `endSeq` is readable now. */
  onDone(endSeq: number): void;
  onError(error: CdcError): void;
}

interface Queued {
  readonly segment: Segment;
  /** Empty: only makes the segment. */
  readonly bytes: Buffer;
  readonly endSeq: number;
  readonly weight: number;
}

export class Flusher {
  readonly #o: FlusherOptions;
  readonly #wake = new Notifier();
  readonly #stop = new AbortController();
  #queue: Queued[] = [];
  #weight = 0;
  #current: { readonly segment: Segment; file: LogFile; isBroken: boolean } | null;
  #turn = 0;
  #running: Promise<void> = Promise.resolve();

  /** `current`: the segment that is there already, and its file. */
  constructor(options: FlusherOptions, current: { segment: Segment; file: LogFile } | null) {
    this.#o = options;
    this.#current = current && { ...current, isBroken: false };
  }

  /** Memory that waits for the disk, as counted by `push`. */
  get waitingBytes(): number {
    return this.#weight;
  }

  push(segment: Segment, bytes: Buffer, endSeq: number, weight: number): void {
    this.#queue.push({ segment, bytes, endSeq, weight });
    this.#weight += weight;
    this.#wake.notify();
  }

  start(): void {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const { clock, onError, folder, logger, random } = this.#o,
      { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; ) {
      if (this.#queue.length === 0) {
        await this.#wake.wait(signal);
        continue;
      }
      const began = clock.now();
      try {
        await this.flush();
        if (failures > 0) logger.info('the change log is written again', { folder });
        failures = 0;
        const left = Math.min(SYNC_EVERY_MS - (clock.now() - began), SYNC_EVERY_MS);
        if (left > 0) await clock.sleep(left, signal);
      } catch (cause) {
        const error = cause instanceof CdcError ? cause : writeFailed(folder, cause);
        if (failures % 10 === 0)
          logger.warn('the change log cannot be written, trying again', { code: error.code, error: error.message, fix: error.fix });
        onError(error);
        const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures++, 10), MAX_PAUSE_MS);
        await clock.sleep(pause * (1 - random() / 2), signal);
      }
    }
  }

  /** Writes and syncs what is queued now. */
  async flush(): Promise<void> {
    const last = this.#queue.at(-1);
    while (last !== undefined && this.#queue[0] !== undefined && this.#queue[0].endSeq <= last.endSeq) {
      await this.#flushSegment(this.#queue[0].segment);
    }
  }

  async #flushSegment(segment: Segment): Promise<void> {
    const end = this.#queue.findIndex((q) => q.segment !== segment),
      group = end < 0 ? this.#queue.slice() : this.#queue.slice(0, end);
    const current = await this.#fileOf(segment);
    try {
      const written = await writeAll(current.file, group, segment.doneBytes);
      if (this.#o.durability === 'fsync') await current.file.sync();
      segment.doneBytes += written;
      if (this.#o.durability === 'fsync') segment.syncedBytes = segment.doneBytes;
    } catch (error) {
      current.isBroken = true;
      throw error;
    }
    segment.reader.limit = segment.doneBytes;
    this.#queue.splice(0, group.length);
    for (const { weight } of group) this.#weight -= weight;
    this.#o.onDone((group.at(-1) as Queued).endSeq);
    await this.#writeSlot();
  }

  /** For other processes that read, and for the next start: what lies before was there. Not worth an error of its own. */
  async #writeSlot(): Promise<void> {
    const current = this.#current;
    if (current === null || current.isBroken) return;
    const { doneBytes, syncedBytes, seed } = current.segment;
    try {
      await current.file.write(encodeSlot({ readable: doneBytes, synced: syncedBytes }, seed), slotOffset(this.#turn++));
    } catch {
      current.isBroken = true;
    }
  }

  async #fileOf(segment: Segment): Promise<{ readonly segment: Segment; file: LogFile; isBroken: boolean }> {
    const { files } = this.#o;
    if (this.#current !== null && this.#current.segment !== segment) await this.#finish(this.#current.segment);
    if (this.#current === null) this.#current = { segment, file: await this.#create(segment), isBroken: false };
    const current = this.#current;
    if (current.isBroken) {
      await current.file.close().catch(() => undefined);
      current.file = await files.open(segment.reader.path, 'write');
      await current.file.truncate(segment.doneBytes);
      current.isBroken = false;
    }
    return current;
  }

  /** The segment is full: everything of it was synced when its last group was. */
  async #finish(segment: Segment): Promise<void> {
    const { durability, files, folder, logger } = this.#o;
    if (durability === 'os') await this.#syncLate();
    await this.#current?.file.close().catch(() => undefined);
    this.#current = null;
    const index = segment.reader.index;
    if (index === null) return;
    await writeSidecar(files, folder, segment.header, index).catch((error: unknown) => {
      logger.debug('the index of a log segment was not written', { path: segment.reader.path, error: String(error) });
    });
    await segment.reader.unload();
  }

  /** Beside its name and renamed when it is whole, so that a segment never lacks its header. Begins anew after an error. */
  async #create(segment: Segment): Promise<LogFile> {
    const { files, folder } = this.#o,
      path = join(folder, segmentName(segment.header.base));
    const file = await files.open(path + TEMPORARY, 'create');
    try {
      await file.write(encodeHeader(segment.header), 0);
      await file.sync();
      await files.rename(path + TEMPORARY, path);
      await files.syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    segment.created = true;
    return file;
  }

  async #syncLate(): Promise<void> {
    const current = this.#current;
    if (current === null) return;
    await current.file.sync().then(
      () => {
        current.segment.syncedBytes = current.segment.doneBytes;
      },
      (error: unknown) => this.#o.logger.warn('a log segment was not synced', { folder: this.#o.folder, error: String(error) }),
    );
    await this.#writeSlot();
  }

  /** Writes what is left. Throws when that fails: it was confirmed to nobody. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    try {
      await this.flush();
    } catch (cause) {
      throw cause instanceof CdcError ? cause : writeFailed(this.#o.folder, cause);
    } finally {
      if (this.#o.durability === 'os') await this.#syncLate();
      await this.#current?.file.close().catch(() => undefined);
      this.#current = null;
    }
  }
}

/** Returns how many bytes. */
async function writeAll(file: LogFile, group: readonly Queued[], from: number): Promise<number> {
  let at = from,
    parts: Buffer[] = [],
    size = 0;
  const write = async (): Promise<void> => {
    if (size > 0) await file.write(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, size), at);
    at += size;
    parts = [];
    size = 0;
  };
  for (const { bytes } of group) {
    if (size > 0 && size + bytes.length > WRITE_BYTES) await write();
    parts.push(bytes);
    size += bytes.length;
  }
  await write();
  return at - from;
}
