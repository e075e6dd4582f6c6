// The sidecar: a small file beside the data that says how far the lane has come and how long each file is. Writing it is the
// commit of a batch: bytes that it does not count were never written. It has two slots, written in turn (slots.ts); when a state does not
// fit, the file is replaced by one with greater slots.
//
// `.cdc-run/<pipeline>.<lane>.<epoch>.json`, one per epoch, so that a process of an older epoch cannot overwrite a newer claim. A claim
// puts a marker there (`settled: false`), then puts a seal on the older sidecars, then reads them. The older process looks at its
// own sidecar before and after each commit; when that is sealed, replaced or gone, and after it has replaced it itself, at the names too. So
// one of the two sees the other, whatever comes first.

import { join } from 'node:path';
import { formatPoint, type LaneId, parsePoint, type ResumePoint } from '../../sdk/index.ts';
import { positionLost, UncertainError } from './errors.ts';
import type { Files } from './files.ts';
import { encodeSegment } from './path-template.ts';
import { isSlotFile, readSlots, slotBytes, slotFile, slotOf, slotSizeFor } from './slots.ts';

/** One file that is being written. */
export interface FileEntry {
  /** How long it is. What is behind that was never confirmed, and is cut off. */
  readonly bytes: number;
  /** What was there before we began, in bytes: never cut. */
  readonly start: number;
  /** When it was begun: milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Columns of a CSV file; `null` for NDJSON, and before the first record. */
  readonly columns: readonly string[] | null;
  /** The last number given to a rotated file of this name. */
  readonly number: number;
  /** Rotated files, oldest first; only kept when there is a limit to them. */
  readonly rotated: readonly string[];
  /** Rotated already: no longer listed after the next commit. */
  readonly closing?: boolean;
}

export interface Rename {
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
}

/** Paths are relative to the base folder. */
export interface Sidecar {
  readonly epoch: number;
  /** One per worker slot; `null` where none was set yet. */
  readonly points: readonly (ResumePoint | null)[];
  readonly files: { readonly [path: string]: FileEntry };
  /** Renames that this sidecar decided; done again after a crash. */
  readonly renames: readonly Rename[];
}

const FOLDER = '.cdc-run';
const SEAL = Buffer.from('\n');

interface Found {
  readonly epoch: number;
  readonly path: string;
  readonly sidecar: Sidecar | null;
}

/** The sidecars of one lane. */
export class SidecarStore {
  readonly folder: string;
  readonly #files: Files;
  readonly #prefix: string;
  readonly #where: string;
  /** There is no file of this name: it was given away. */
  #free = '';
  /** The slots of our own sidecar, as last written or read. `null`: it is replaced as a whole. */
  #slots: { readonly epoch: number; readonly size: number; readonly generation: number } | null = null;
  #isUnsure = false;

  constructor(files: Files, base: string, lane: LaneId, where: string) {
    this.#files = files;
    this.folder = join(base, FOLDER);
    this.#prefix = `${encodeSegment(lane.pipeline)}.${encodeSegment(lane.lane)}.`; // neither part holds a dot
    this.#where = where;
  }

  pathOf(epoch: number): string {
    return join(this.folder, `${this.#prefix}${epoch}.json`);
  }

  /** The epochs that there are, in order. */
  async epochs(): Promise<number[]> {
    const names = await this.#files.list(this.folder);
    return names
      .filter((name) => name.startsWith(this.#prefix) && /^[0-9]+\.json$/.test(name.slice(this.#prefix.length)))
      .map((name) => Number.parseInt(name.slice(this.#prefix.length), 10))
      .sort((a, b) => a - b);
  }

  /** `sidecar`: the one of the highest epoch that is settled. `epoch`: the highest one claimed, 0 when never. */
  async newest(): Promise<{ readonly epoch: number; readonly sidecar: Sidecar | null }> {
    const epochs = await this.epochs();
    for (const epoch of [...epochs].reverse()) {
      const { sidecar } = await this.load(epoch);
      if (sidecar !== null) return { epoch: epochs.at(-1) as number, sidecar };
    }
    return { epoch: epochs.at(-1) ?? 0, sidecar: null };
  }

  /** `sidecar` is `null` when there is none, or only the marker of a claim that was not finished. */
  async load(epoch: number): Promise<Found> {
    const path = this.pathOf(epoch);
    const bytes = await this.#files.read(path);
    return { epoch, path, sidecar: bytes === null ? null : this.#parse(bytes, path, epoch) };
  }

  async mark(epoch: number): Promise<void> {
    await this.#files.createFolder(this.folder);
    await this.#replace(epoch, Buffer.from(JSON.stringify({ version: 1, epoch, settled: false })));
  }

  /** Older processes that still run find their sidecar changed. At its end, wherever that is by now; done again it does no harm. */
  async seal(epoch: number): Promise<void> {
    for (const older of await this.epochs()) {
      const path = this.pathOf(older);
      if (older >= epoch) continue;
      const bytes = await this.#files.read(path);
      if (bytes !== null && isSlotFile(bytes)) await this.#files.append(path, SEAL);
    }
  }

  /** The last `save` failed: what it left may be in memory only. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /** Others may have written our sidecar: the next one replaces it. */
  forget(): void {
    this.#slots = null;
  }

  /**
   * Stores durably. Throws `UncertainError` when it cannot tell whether it did. `isReplaced`: by a new file, which has no seal even
   * if the one before had.
   */
  async save(sidecar: Sidecar): Promise<{ readonly isReplaced: boolean }> {
    const { epoch, points, files, renames } = sidecar;
    const stored = points.map((point) => (point === null ? null : (JSON.parse(formatPoint(point)) as unknown)));
    const state = JSON.stringify({ version: 2, epoch, settled: true, points: stored, files, renames });
    const slots = this.#slots?.epoch === epoch ? this.#slots : null,
      generation = (slots?.generation ?? 0) + 1;
    const bytes = slots === null ? null : slotBytes(generation, state, slots.size);
    const isReplaced = slots === null || bytes === null,
      size = isReplaced ? slotSizeFor(state) : slots.size;
    this.#slots = null; // until it is written
    this.#isUnsure = true;
    if (isReplaced) await this.#replace(epoch, slotFile(generation, state, size));
    else await this.#writeSlot(epoch, slotOf(generation) * size, bytes);
    this.#isUnsure = false;
    this.#slots = { epoch, size, generation };
    return { isReplaced };
  }

  /** Over the older of the two: what counted until now stays as it is. */
  async #writeSlot(epoch: number, offset: number, bytes: Buffer): Promise<void> {
    try {
      await this.#files.writeDurably(this.pathOf(epoch), offset, [bytes]);
    } catch (error) {
      throw new UncertainError((error as Error).message, { cause: error });
    }
  }

  /** Removes what older epochs and crashes left. */
  async clean(epoch: number): Promise<void> {
    for (const older of await this.epochs()) if (older < epoch) await this.#files.remove(this.pathOf(older));
    for (const name of await this.#files.list(this.folder)) {
      if (
        name.startsWith(this.#prefix) &&
        /^[0-9]+\.json\.tmp$/.test(name.slice(this.#prefix.length)) &&
        Number.parseInt(name.slice(this.#prefix.length), 10) < epoch
      ) {
        await this.#files.remove(join(this.folder, name));
      }
    }
  }

  async #replace(epoch: number, bytes: Buffer): Promise<void> {
    const path = this.pathOf(epoch),
      temporary = `${path}.tmp`;
    // What a crash or a failure left.
    if (this.#free !== temporary) await this.#files.remove(temporary);
    this.#free = '';
    await this.#files.writeDurably(temporary, 0, [bytes]);
    try {
      await this.#files.rename(temporary, path);
      this.#free = temporary;
      await this.#files.syncFolder(this.folder);
    } catch (error) {
      throw new UncertainError((error as Error).message, { cause: error });
    }
  }

  /** Version 1 is a file with nothing but the state: what 0.1 wrote before it had slots, and the marker of a claim. */
  #parse(bytes: Buffer, path: string, epoch: number): Sidecar | null {
    try {
      const isSlots = isSlotFile(bytes),
        slot = isSlots ? readSlots(bytes) : null;
      if (isSlots && slot === null) throw new TypeError('none of its two slots is whole');
      const value = (slot === null ? JSON.parse(bytes.toString()) : slot.state) as Partial<Sidecar> & { version: number; settled: boolean };
      if (value.version !== (isSlots ? 2 : 1) || value.epoch !== epoch)
        throw new TypeError(`version ${value.version}, epoch ${value.epoch}`);
      if (!value.settled) return null;
      const points = (value.points as unknown[]).map((point) => (point === null ? null : parsePoint(JSON.stringify(point))));
      const files = value.files as Sidecar['files'];
      for (const entry of Object.values(files))
        if (!Number.isSafeInteger(entry.bytes) || !Number.isSafeInteger(entry.start)) throw new TypeError('a file without a length');
      return { epoch, points, files, renames: value.renames ?? [] };
    } catch (error) {
      throw positionLost(`The sidecar "${path}" cannot be read: ${(error as Error).message}`, this.#where);
    }
  }
}
