// Which bytes go to which file in one batch, and which files are rotated for it. Decided as a whole before anything is written:
// the decision is stored first (the intent), so that a crash in the midst can be undone or finished.

import { join } from 'node:path';
import { CdcError } from '../../sdk/index.ts';
import type { FileDestinationConfig } from './config.ts';
import type { Segment } from './encode.ts';
import { positionLost } from './errors.ts';
import type { Files } from './files.ts';
import { rotatedPath } from './path-template.ts';
import type { FileEntry, Rename, Sidecar } from './sidecar.ts';

export interface Append {
  readonly path: string;
  readonly offset: number;
  readonly parts: readonly Uint8Array[];
}

export interface Plan {
  /** The sidecar before anything is written: lengths as they are, new files with none; `null` when nothing new begins. */
  readonly intent: Sidecar | null;
  readonly renames: readonly Rename[];
  readonly appends: readonly Append[];
  /** Lengths once all is written. */
  readonly files: Sidecar['files'];
}

export interface PlanContext {
  readonly files: Files;
  readonly base: string;
  readonly rotate: FileDestinationConfig['rotate'];
  readonly nowMs: number;
  readonly where: string;
  /** The first bytes of a new file with these columns. */
  header(columns: readonly string[] | null): Buffer;
}

/** Files that are kept in the sidecar; one that was not written for longest is left as it is, and found again by its name. */
const MAX_FILES = 256;

export async function planWrite(ctx: PlanContext, sidecar: Sidecar, segments: readonly Segment[]): Promise<Plan> {
  const plan = new Planner(ctx, sidecar);
  for (const path of new Set(segments.map((s) => s.path)))
    await plan.file(
      path,
      segments.filter((s) => s.path === path),
    );
  return plan.result();
}

class Planner {
  readonly #ctx: PlanContext;
  readonly #sidecar: Sidecar;
  /** Files as they are before the batch, and as they will be. */
  readonly #before: Map<string, FileEntry>;
  readonly #after: Map<string, FileEntry>;
  readonly #renames: Rename[] = [];
  readonly #appends: Append[] = [];
  #isNew = false;

  constructor(ctx: PlanContext, sidecar: Sidecar) {
    this.#ctx = ctx;
    this.#sidecar = sidecar;
    this.#before = new Map(Object.entries(sidecar.files));
    this.#after = new Map([...this.#before].filter(([, entry]) => entry.closing !== true));
  }

  /** The last part of the batch goes to the file of that name; parts with other columns before it go to files that are rotated at once. */
  async file(path: string, segments: readonly Segment[]): Promise<void> {
    const first = segments[0] as Segment;
    let entry = this.#after.get(path) ?? (await this.#adopt(path, first));
    if (this.#mustRotate(entry, first)) entry = await this.#rotate(path, entry);
    for (const segment of segments.slice(0, -1)) {
      const next = await this.#rotate(path, entry);
      const rotated = rotatedPath(path, next.number);
      this.#put(rotated, { ...entry, closing: true });
      await this.#append(rotated, { ...entry, closing: true }, segment);
      entry = next;
    }
    await this.#append(path, entry, segments.at(-1) as Segment);
  }

  result(): Plan {
    const { epoch, points } = this.#sidecar;
    const intent = this.#isNew ? { epoch, points, files: Object.fromEntries(this.#before), renames: this.#renames } : null;
    const kept = [...this.#after].filter(([, entry]) => entry.closing !== true).slice(-MAX_FILES);
    return { intent, renames: this.#renames, appends: this.#appends, files: Object.fromEntries(kept) };
  }

  /** A file that is not in the sidecar: new, or there already. What is there stays. */
  async #adopt(path: string, segment: Segment): Promise<FileEntry> {
    const full = join(this.#ctx.base, path);
    const size = (await this.#ctx.files.size(full)) ?? 0;
    const entry = this.#begin(null, size, []);
    if (size > 0 && segment.columns !== null) {
      const header = this.#ctx.header(segment.columns);
      if (!(await this.#ctx.files.readAt(full, 0, header.length)).equals(header)) {
        throw new CdcError('DESTINATION_MISCONFIGURED', `"${path}" exists and does not begin with the header of this table.`, {
          where: this.#ctx.where,
          fix: 'Move the file away, or choose another path.',
        });
      }
    }
    const adopted = size === 0 ? entry : { ...entry, columns: segment.columns };
    this.#put(path, adopted);
    return adopted;
  }

  #mustRotate(entry: FileEntry, segment: Segment): boolean {
    if (entry.bytes === 0) return false;
    const { size, interval } = this.#ctx.rotate;
    if (size > 0 && entry.bytes >= size) return true;
    if (interval > 0 && this.#ctx.nowMs - entry.sinceMs >= interval) return true;
    return !sameColumns(entry.columns, segment.columns);
  }

  /** Gives the present file a number, if there is one, and begins a new one. */
  async #rotate(path: string, entry: FileEntry): Promise<FileEntry> {
    const number = await this.#freeNumber(path, entry.number);
    const to = rotatedPath(path, number);
    if (entry.bytes > 0) this.#renames.push({ from: path, to, bytes: entry.bytes });
    const next = { ...this.#begin(null, 0, this.#withRotated(entry, to)), number };
    this.#put(path, next);
    return next;
  }

  /** Never the name of a file that exists. */
  async #freeNumber(path: string, last: number): Promise<number> {
    for (let number = last + 1; ; number++) {
      if (this.#before.has(rotatedPath(path, number))) continue;
      if ((await this.#ctx.files.size(join(this.#ctx.base, rotatedPath(path, number)))) === null) return number;
    }
  }

  #withRotated(entry: FileEntry, path: string): readonly string[] {
    return this.#ctx.rotate.max_files > 0 ? [...entry.rotated, path] : [];
  }

  #begin(columns: FileEntry['columns'], size: number, rotated: readonly string[]): FileEntry {
    return { bytes: size, start: size, sinceMs: this.#ctx.nowMs, columns, number: 0, rotated };
  }

  /** A file that the sidecar does not know like this yet: the intent is stored before it is touched. */
  #put(path: string, entry: FileEntry): void {
    this.#isNew = true;
    this.#before.set(path, entry);
    this.#after.set(path, entry);
  }

  async #append(path: string, entry: FileEntry, segment: Segment): Promise<void> {
    const parts = [...segment.parts];
    if (entry.bytes === 0) parts.unshift(this.#ctx.header(segment.columns));
    // What was there before us may lack the end of its last line.
    else if (entry.bytes === entry.start && (await this.#ctx.files.readAt(join(this.#ctx.base, path), entry.bytes - 1, 1))[0] !== LF)
      parts.unshift(NEWLINE);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    this.#appends.push({ path, offset: entry.bytes, parts });
    this.#after.delete(path); // written last: behind all others, for MAX_FILES
    this.#after.set(path, { ...entry, columns: segment.columns, bytes: entry.bytes + length });
  }
}

const LF = 10;
const NEWLINE = Buffer.from('\n');

/** Other programs must leave the files alone while we write them. Throws when one did not. */
export async function assertUntouched(ctx: PlanContext, appends: readonly Append[]): Promise<void> {
  for (const { path, offset } of appends) {
    const size = (await ctx.files.size(join(ctx.base, path))) ?? 0;
    if (size === offset) continue;
    if (size < offset)
      throw positionLost(
        `"${path}" has ${size} bytes, but ${offset} were written and confirmed: it was truncated, moved or replaced.`,
        ctx.where,
      );
    throw new CdcError(
      'DESTINATION_MISCONFIGURED',
      `"${path}" has ${size} bytes, of which we wrote ${offset}: another program writes to it.`,
      {
        where: ctx.where,
        fix: 'Give this destination files of its own.',
      },
    );
  }
}

function sameColumns(a: readonly string[] | null, b: readonly string[] | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
