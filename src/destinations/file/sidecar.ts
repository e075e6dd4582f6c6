// The sidecar: a small file beside the data that says how far the lane has come and how long each file is. Replacing it is the
// commit of a batch: bytes that it does not count were never written.
//
// `.cdc-run/<pipeline>.<lane>.<epoch>.json`, one per epoch, so that a process of an older epoch cannot overwrite a newer claim. A claim
// puts a marker there (`settled: false`) before it reads what the older epoch left; the older process looks for it after
// each commit. So one of the two sees the other, whatever comes first.

import { join } from 'node:path';
import { formatPoint, type LaneId, parsePoint, type ResumePoint } from '../../sdk/index.ts';
import { positionLost, UncertainError } from './errors.ts';
import type { Files } from './files.ts';
import { encodeSegment } from './path-template.ts';

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
    return { epoch, path, sidecar: bytes === null ? null : this.#parse(bytes.toString(), path, epoch) };
  }

  async mark(epoch: number): Promise<void> {
    await this.#files.createFolder(this.folder);
    await this.#replace(epoch, JSON.stringify({ version: 1, epoch, settled: false }));
  }

  /** Stores durably. Throws `UncertainError` when it cannot tell whether it did. */
  async save(sidecar: Sidecar): Promise<void> {
    const { epoch, points, files, renames } = sidecar;
    const stored = points.map((point) => (point === null ? null : (JSON.parse(formatPoint(point)) as unknown)));
    await this.#replace(epoch, `${JSON.stringify({ version: 1, epoch, settled: true, points: stored, files, renames }, null, 1)}\n`);
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

  async #replace(epoch: number, text: string): Promise<void> {
    const path = this.pathOf(epoch),
      temporary = `${path}.tmp`;
    // What a crash or a failure left.
    if (this.#free !== temporary) await this.#files.remove(temporary);
    this.#free = '';
    await this.#files.writeDurably(temporary, 0, [Buffer.from(text)]);
    try {
      await this.#files.rename(temporary, path);
      this.#free = temporary;
      await this.#files.syncFolder(this.folder);
    } catch (error) {
      throw new UncertainError((error as Error).message, { cause: error });
    }
  }

  #parse(text: string, path: string, epoch: number): Sidecar | null {
    try {
      const value = JSON.parse(text) as Partial<Sidecar> & { version: number; settled: boolean };
      if (value.version !== 1 || value.epoch !== epoch) throw new TypeError(`version ${value.version}, epoch ${value.epoch}`);
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
