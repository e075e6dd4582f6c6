// One partition: the files that bear one name, one after the other. Follows rotation, truncation and removal, so that every byte
// is read once and in order. A generation is one such file.

import { basename, dirname, extname } from 'node:path';
import { type ChangeBatch, ChangeEvent, type Clock, type Logger, type ReadContext, type TableSchema } from '../../sdk/index.ts';
import { type Layout, layoutOf } from './begin.ts';
import type { FileSourceConfig } from './config.ts';
import { positionGone } from './errors.ts';
import { fileAt, findByInode, findContinuation, rotatedSince } from './locate.ts';
import { type FileState, OpenFile } from './open-file.ts';
import { type FilePlace, firstPlace, formatPlace } from './position.ts';
import { Reader, type Taken } from './reader.ts';

/** A rotated file may still be written to until its program has noticed: it is left only after it was quiet for this long. */
const ROTATION_GRACE_MS = 2_000;

/** The files that a one_time run reads: sizes by file id, inodes by partition. */
export interface Ends {
  readonly sizes: ReadonlyMap<string, number>;
  readonly inodes: ReadonlyMap<string, string>;
}

/** What all partitions of a source share. */
export interface PartitionContext {
  readonly config: FileSourceConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Name of the source. */
  readonly source: string;
  readonly where: string;
  /** What was there when a one_time run began; `null` in a continuous run. */
  readonly ends: Ends | null;
  /** The partition that a path is read as; `null` when the pattern does not match it. */
  partitionOf(path: string): string | null;
  table(name: string, columns: readonly string[] | null): TableSchema;
}

/**
 * - `batch`: records, or progress without records.
 * - `idle`: nothing now.
 * - `done`: a one_time run has reached its end here.
 * - `gone`: the file was read to its end and removed, and no other has taken its name.
 * - `renamed`: what was read goes on under a name that is a partition too, which begins at `place`.
 */
export type Step =
  | { readonly kind: 'batch'; readonly batch: ChangeBatch }
  | { readonly kind: 'idle' | 'done' | 'gone' }
  | { readonly kind: 'renamed'; readonly partition: string; readonly path: string; readonly place: FilePlace };

const IDLE: Step = { kind: 'idle' };
const DONE: Step = { kind: 'done' };

export class FilePartition {
  readonly name: string;
  readonly path: string;
  readonly #ctx: PartitionContext;
  #place: FilePlace | null;
  /** Opened, but too short to tell how it is to be read. */
  #file: OpenFile | null = null;
  #reader: Reader | null = null;
  /** Since when the file, no longer under its path, has not grown. */
  #quiet: { readonly size: number; readonly sinceMs: number } | null = null;
  #readToEnd = false;
  #leftName = false;
  /** The file of `#place` is finished: the next one to appear is the next generation … */
  #waiting: boolean;
  /** … unless this one comes first. */
  #nextPath: string | null = null;
  /** The file is cut and goes on, instead of being replaced. */
  #cutInPlace = false;

  /** `finished`: the file of `place` is known to be read to its end. */
  constructor(ctx: PartitionContext, name: string, path: string, place: FilePlace | null, finished = false) {
    this.#ctx = ctx;
    this.name = name;
    this.path = path;
    this.#place = place;
    this.#waiting = finished;
  }

  /** Of the file that is being read. */
  get fileId(): string | null {
    return this.#reader?.file.id ?? this.#file?.id ?? null;
  }
  get place(): FilePlace | null {
    return this.#place;
  }
  /** Bytes that were there, unread, when the file was last looked at. */
  get unreadBytes(): number {
    return this.#reader === null ? 0 : Math.max(0, this.#reader.size - this.#reader.place.offset);
  }

  /** Opens the file to go on with, if there is one. A new generation is progress, and stored at once. */
  async open(): Promise<Step | null> {
    if (this.fileId !== null) return null;
    if (this.#waiting) return this.#openNext();
    if (this.#place === null) {
      await this.#openFirst();
      return null;
    }
    const found = await findContinuation(this.path, this.#place);
    if (found !== null) {
      await this.#openContinuation(found, this.#place);
      return null;
    }
    if (this.#ctx.config.when_replaced === 'fail') {
      throw positionGone(this.path, (await fileAt(this.path)) === null ? 'was removed' : 'was replaced or truncated', this.#ctx.where);
    }
    this.#ctx.logger.warn('the file that was being read is gone; unread records may be lost with it', { path: this.path });
    this.#waiting = true;
    return this.#openNext();
  }

  /** One step forward: at most one batch. */
  async next(read: ReadContext): Promise<Step> {
    const opened = await this.open();
    if (opened !== null) return opened;
    if (this.fileId === null) return this.#ctx.ends === null ? IDLE : DONE;
    if (this.#file !== null && !(await this.#begin())) return this.#atEnd(read);
    const reader = this.#reader as Reader;
    const limit = this.#limitOf(reader.file.id, !this.#leftName);
    const before = reader.place;
    let taken = reader.take(read.maxBatchEvents, read.maxBatchBytes, limit);
    if (taken === null && reader.place.offset < limit) {
      const filled = await reader.fill(this.#ctx.ends !== null || this.#readToEnd);
      if (filled === 'replaced') return this.#truncated(reader, read);
      if (filled === 'records') taken = reader.take(read.maxBatchEvents, read.maxBatchBytes, limit);
    }
    if (taken === null && reader.place.offset <= before.offset) return this.#atEnd(read);
    return { kind: 'batch', batch: await this.#batch(reader, taken ?? { rows: [], faults: [], bytes: 0 }, read) };
  }

  async close(): Promise<void> {
    const file = this.#reader?.file ?? this.#file;
    this.#reader = null;
    this.#file = null;
    await file?.close();
  }

  async #batch(reader: Reader, taken: Taken, read: ReadContext): Promise<ChangeBatch> {
    const unit = reader.layout.format === 'json' ? 'element' : 'line';
    // Invariant 3: what cannot be decoded is durable in the dead letter queue before a position covers it.
    for (const { input, line, error } of taken.faults) {
      await read.reject(input, `${unit} ${line} of ${this.name}`, new SyntaxError(`${unit} ${line} of ${this.name}: ${error.message}`));
    }
    const { source } = this.#ctx;
    const table = this.#ctx.table(this.#tableName(), reader.layout.columns);
    const sourceTsMs = Math.floor(reader.modifiedMs);
    const events = taken.rows.map(
      ({ position, row }) => new ChangeEvent({ op: 'c', table, source, partition: this.name, position, sourceTsMs, after: row }),
    );
    this.#place = reader.place;
    return { events, source, partition: this.name, resume: formatPlace(reader.place), bytes: taken.bytes };
  }

  #tableName(): string {
    const file = basename(this.path);
    const values: Readonly<Record<string, string>> = {
      '{name}': file.slice(0, file.length - extname(file).length),
      '{folder}': basename(dirname(this.path)),
    };
    return this.#ctx.config.table.replace(/\{name\}|\{folder\}/g, (word) => values[word] as string);
  }

  /** Where a one_time run stops in a file: files that the path has left are read to their end, files that came later not at all. */
  #limitOf(id: string, atPath: boolean): number {
    if (this.#ctx.ends === null) return Number.POSITIVE_INFINITY;
    return this.#ctx.ends.sizes.get(id) ?? (atPath ? 0 : Number.POSITIVE_INFINITY);
  }

  async #openContinuation(path: string, place: FilePlace): Promise<void> {
    if (!(await this.#openFile(path, place)) || path === this.path) return;
    this.#cutInPlace = place.inode !== this.#place?.inode;
    const what = this.#cutInPlace
      ? 'the file was copied and truncated; the rest of the copy is read first'
      : 'the file was renamed; the rest of it is read first';
    this.#ctx.logger.info(what, { path: this.path, now: path });
  }

  async #openFirst(): Promise<void> {
    // In a one_time run the file may have been rotated since the run began.
    const expected = this.#ctx.ends?.inodes.get(this.name);
    const path = expected === undefined ? this.path : ((await findByInode(this.path, expected)) ?? this.path);
    const state = await fileAt(path);
    if (state !== null && this.#limitOf(state.id, path === this.path) > 0) await this.#openFile(path, firstPlace(1, state.inode));
  }

  /** Opens a file and makes `place` the present one; `false` when it vanished or changed in that moment. */
  async #openFile(path: string, place: FilePlace): Promise<boolean> {
    const file = await openIfThere(path);
    if (file === null) return false;
    if (!(await file.continues(place))) {
      await file.close();
      return false;
    }
    this.#file = file;
    this.#place = { ...place, inode: file.inode };
    this.#quiet = null;
    this.#readToEnd = false;
    this.#leftName = path !== this.path;
    return true;
  }

  async #openNext(): Promise<Step | null> {
    const path = this.#nextPath ?? this.path;
    const state = await fileAt(path);
    if (state === null || (path === this.path && this.#limitOf(state.id, true) === 0)) return null;
    if (!(await this.#openFile(path, firstPlace((this.#place?.generation ?? 0) + 1, state.inode)))) return null;
    this.#waiting = false;
    this.#nextPath = null;
    // Nothing tells the beginning of a file that is cut in place from its beginning after the next cut: the place stays in
    // the copy until something of the new content is read. A new file is known by its inode: from here on the finished one
    // may be removed without leaving a doubt.
    if (this.#cutInPlace) {
      this.#cutInPlace = false;
      return null;
    }
    return {
      kind: 'batch',
      batch: { events: [], source: this.#ctx.source, partition: this.name, resume: formatPlace(this.#place as FilePlace), bytes: 0 },
    };
  }

  /** The present file is done with. */
  async #leave(nextPath: string | null, read: ReadContext): Promise<Step> {
    this.#place = this.#reader?.place ?? this.#place;
    await this.close();
    this.#waiting = true;
    this.#nextPath = nextPath;
    return (await this.#openNext()) ?? (this.fileId === null ? IDLE : this.next(read));
  }

  /** Finds out how the open file is to be read; `false` while it is too short to tell. */
  async #begin(): Promise<boolean> {
    const file = this.#file as OpenFile;
    const place = this.#place as FilePlace;
    const layout: Layout | null = await layoutOf(file, this.path, this.#ctx.config, this.#ctx.where);
    if (layout === null) return false;
    const start = place.offset >= layout.offset ? place : await file.placeAt(place.generation, layout.offset, layout.line);
    this.#reader = new Reader(file, layout, start, this.#ctx.config, this.#ctx.where);
    this.#file = null;
    return true;
  }

  /** Everything that is there is read: is more to be expected, or has the file been rotated or removed? */
  async #atEnd(read: ReadContext): Promise<Step> {
    const file = (this.#reader?.file ?? this.#file) as OpenFile;
    const current = await fileAt(this.path);
    if (current?.id === file.id) {
      this.#quiet = null;
      return this.#ctx.ends === null ? IDLE : DONE;
    }
    this.#leftName = true;
    const state = await file.state();
    if (this.#ctx.ends === null) {
      const now = this.#ctx.clock.now();
      // Also when the clock was set back: the wait begins anew.
      if (this.#quiet?.size !== state.size || now < this.#quiet.sinceMs) this.#quiet = { size: state.size, sinceMs: now };
      if (now - this.#quiet.sinceMs < ROTATION_GRACE_MS) return IDLE;
    } else if (state.size > this.#limitOf(file.id, false) || current === null || this.#limitOf(current.id, true) === 0) {
      return DONE; // it was rotated during the run: what follows is not part of it
    }
    if (!this.#readToEnd) {
      this.#readToEnd = true; // one more round, which takes a last record without line end, too
      return this.next(read);
    }
    return this.#afterLast(file, state, current, read);
  }

  async #afterLast(file: OpenFile, state: FileState, current: FileState | null, read: ReadContext): Promise<Step> {
    const { config, where, logger } = this.#ctx;
    const renamedTo = await findByInode(this.path, file.inode);
    const partition = renamedTo === null ? null : this.#ctx.partitionOf(renamedTo);
    const rotated = (await rotatedSince(this.path, state)).filter((f) => this.#ctx.partitionOf(f.path) === null);
    const compressed = rotated.find((f) => f.compressed);
    if (compressed !== undefined) {
      if (config.when_replaced === 'fail') throw positionGone(compressed.path, 'was rotated and compressed before it was read', where);
      logger.warn('a file was rotated and compressed before it was read', { path: compressed.path });
    }
    const next = rotated.find((f) => !f.compressed)?.path ?? null;
    const place = this.#reader?.place ?? this.#place;
    if (renamedTo !== null && partition !== null && partition !== this.name && place !== null) {
      await this.close();
      this.#place = place;
      this.#waiting = true;
      this.#nextPath = next;
      return { kind: 'renamed', partition, path: renamedTo, place: { ...place, generation: 1 } };
    }
    if (next !== null || current !== null) return this.#leave(next, read);
    await this.#leave(null, read);
    return { kind: 'gone' };
  }

  /** The file is shorter than what was read of it, or holds something else there. */
  async #truncated(reader: Reader, read: ReadContext): Promise<Step> {
    const { place, size } = reader;
    const copy = await findContinuation(this.path, place);
    if (copy !== null && copy !== this.path) {
      await this.close();
      await this.#openContinuation(copy, place);
      return this.next(read);
    }
    const unread = size - place.offset;
    if (unread > 0 && this.#ctx.config.when_replaced === 'fail')
      throw positionGone(this.path, `was truncated or rewritten while ${unread} bytes of it were unread`, this.#ctx.where);
    this.#ctx.logger.warn('the file was truncated or rewritten; it is read again from its beginning', {
      path: this.path,
      readBytes: place.offset,
      unreadBytes: unread,
    });
    this.#cutInPlace = true;
    return this.#leave(null, read);
  }
}

async function openIfThere(path: string): Promise<OpenFile | null> {
  try {
    return await OpenFile.open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
