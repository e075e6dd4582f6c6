// Generations of a pipeline's document in a folder: each save is a new file, and a number can be taken once only, which
// is what keeps two processes apart without a lock.
//
// | file | is |
// |---|---|
// | `orders-1a2b3c4d.42` | generation 42; there are always this one and its predecessor |
// | `orders-1a2b3c4d.43.ids-7` | ids of delivered messages, written for generation 43 |
// | `orders-1a2b3c4d.43.tmp-9f8e7d6c` | generation 43 on its way |
// | `orders-1a2b3c4d.43.damaged` | put aside by an operator: it is right to go on from generation 42 |
// | `orders-1a2b3c4d.name` | name of the pipeline; there once generation 2 is |
//
// A save is: write `tmp`, fsync, link it to its number, fsync the folder, remove what lies before the predecessor. The
// link fails when the number is taken. Numbers are removed in ascending order, so a process that slept through several saves
// and takes a number that was removed since finds its own predecessor gone.

import { randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { CdcError } from '../sdk/index.ts';
import { syncFolderSync } from '../util/sync-folder.ts';
import { TakenError } from './document-store.ts';
import { type DocumentText, formatDocument, type IdsFile, parseDocument, sha256 } from './document-text.ts';
import { corrupt, newerVersion, unavailable } from './errors.ts';

export interface Generation {
  readonly number: number;
  /** Inode and time of its file: a late process may have put another one under the number. */
  readonly file: string;
  readonly content: DocumentText;
}

/** A save needs few tries; more means that something else is wrong. */
const MAX_TRIES = 50;

/** `Orders/EU` → `orders-eu-5f1c…`: readable, and apart also where file systems do not tell cases apart. */
export function slugOf(pipeline: string): string {
  const readable = pipeline
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  return `${readable}-${sha256(pipeline).slice(0, 12)}`;
}

interface Listing {
  /** Ascending. */
  readonly numbers: readonly number[];
  /** Files on their way, and ids. */
  readonly others: readonly { readonly name: string; readonly number: number }[];
  readonly isNamed: boolean;
}

export class Generations {
  readonly #folder: string;
  readonly #pipeline: string;
  readonly #slug: string;

  constructor(folder: string, pipeline: string) {
    this.#folder = folder;
    this.#pipeline = pipeline;
    this.#slug = slugOf(pipeline);
  }

  /** The newest; `known` when that is still it; `null` when there never was one. Throws `STATE_CORRUPT`. */
  newest(known: Generation | null): Generation | null {
    for (let tries = 0; ; tries++) {
      const listing = this.#list();
      const found = this.#newestOf(listing, known);
      if (found !== 'look again') return found;
      // Between listing and reading others may save; damage does not go away.
      if (tries >= MAX_TRIES) throw this.#missing(listing);
    }
  }

  #newestOf({ numbers, isNamed }: Listing, known: Generation | null): Generation | null | 'look again' {
    const number = numbers.at(-1);
    if (number === undefined) return isNamed ? 'look again' : null;
    const hasPredecessor = numbers.at(-2) === number - 1 || existsSync(this.#path(`${number + 1}.damaged`));
    // Alone is only the first of a pipeline that is just being made.
    if (!hasPredecessor && (number > 1 || isNamed)) return 'look again';
    const file = this.#identity(number);
    if (known?.number === number && known.file === file) return known;
    const text = this.#read(number);
    return text === null || file === null ? 'look again' : { number, file, content: this.#parse(number, text) };
  }

  #identity(number: number): string | null {
    const found = statSync(this.#path(String(number)), { throwIfNoEntry: false, bigint: true });
    return found === undefined ? null : identityOf(found);
  }

  #read(number: number): string | null {
    try {
      return readFileSync(this.#path(String(number)), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  #parse(number: number, text: string): DocumentText {
    const path = this.#path(String(number));
    const parsed = parseDocument(number, text);
    if (parsed.kind === 'newer') throw newerVersion(path, parsed.version, 'set state.path to another folder');
    const why =
      parsed.kind === 'damaged'
        ? parsed.why
        : parsed.content.pipeline === this.#pipeline
          ? null
          : `it is of pipeline "${parsed.content.pipeline}"`;
    if (parsed.kind === 'whole' && why === null) return parsed.content;
    // Never the generation before without being asked: what was acknowledged since would be forgotten.
    throw corrupt(path, `${why}.`, {
      fix: `Restore the folder from a backup; or rename the file to ${path}.damaged to go on from what was saved before it.`,
    });
  }

  #missing({ numbers }: Listing): CdcError {
    const newest = numbers.at(-1);
    const what =
      newest === undefined ? 'all generations are missing.' : `generation ${newest} is there without the one before it, so it may be old.`;
    return corrupt(this.#path('*'), what, {
      fix:
        newest === undefined
          ? `Restore the folder from a backup; or remove ${this.#path('name')} to begin without state.`
          : `Restore the folder from a backup; or make an empty file ${this.#path(`${newest + 1}.damaged`)} to go on from it.`,
    });
  }

  /** Makes `content` the generation after `before`, durably. Throws `TakenError` when somebody else was faster. */
  commit(before: Generation | null, content: DocumentText): Generation {
    const number = (before?.number ?? 0) + 1;
    const tmp = this.#path(`${number}.tmp-${randomBytes(4).toString('hex')}`);
    let file: string;
    try {
      file = writeDurably(tmp, formatDocument(number, content));
      link(tmp, this.#path(String(number)));
    } finally {
      rmSync(tmp, { force: true });
    }
    // See the head of this file: gone means that the number had been used up and removed.
    if (before !== null && this.#identity(before.number) !== before.file) throw new TakenError();
    syncFolderSync(this.#folder);
    this.#tidy(number, [...content.ids, ...(before?.content.ids ?? [])]);
    return { number, file, content };
  }

  /** Writes the ids of a bucket for the generation after `before`. */
  writeIds(before: Generation | null, bucket: number, ids: Uint8Array): { file: string; sha256: string } {
    const file = `${this.#slug}.${(before?.number ?? 0) + 1}.ids-${bucket}-${randomBytes(4).toString('hex')}`;
    writeDurably(join(this.#folder, file), ids);
    return { file, sha256: sha256(ids) };
  }

  readIds(file: string, checksum: string): Uint8Array {
    const path = join(this.#folder, file);
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(readFileSync(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw corrupt(path, 'it is missing.', { cause: error });
    }
    if (sha256(bytes) !== checksum) throw corrupt(path, 'it does not match its checksum.');
    return bytes;
  }

  /** Removes what nobody reads any more. A crash in here leaves files that the next save removes. */
  #tidy(number: number, ids: readonly IdsFile[]): void {
    const { numbers, others, isNamed } = this.#list();
    for (const old of numbers) if (old < number - 1) rmSync(this.#path(String(old)), { force: true });
    const used = new Set(ids.map(({ file }) => file));
    // Those with a higher number may be under way in another process.
    for (const { name, number: of } of others) if (of <= number && !used.has(name)) rmSync(join(this.#folder, name), { force: true });
    if (isNamed || number < 2) return;
    const tmp = this.#path(`name.tmp-${randomBytes(4).toString('hex')}`);
    writeDurably(tmp, this.#pipeline);
    renameSync(tmp, this.#path('name'));
    syncFolderSync(this.#folder);
  }

  #list(): Listing {
    const numbers: number[] = [],
      others: { name: string; number: number }[] = [];
    let isNamed = false;
    for (const name of readdirSync(this.#folder)) {
      if (!name.startsWith(`${this.#slug}.`)) continue;
      const rest = name.slice(this.#slug.length + 1);
      const [, number, kind] = /^(\d+)(?:\.(tmp|ids)-.*)?$/.exec(rest) ?? [];
      if (rest === 'name') isNamed = true;
      else if (number !== undefined && kind === undefined) numbers.push(Number(number));
      else if (number !== undefined) others.push({ name, number: Number(number) });
    }
    return { numbers: numbers.sort((a, b) => a - b), others, isNamed };
  }

  #path(rest: string): string {
    return join(this.#folder, `${this.#slug}.${rest}`);
  }
}

/** Names of the pipelines that have files in the folder. */
export function namesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.name'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST' || code === 'ENOENT') throw new TakenError();
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    throw unavailable(to, 'lies on a disk without hard links, which keep two processes apart.', {
      fix: 'Set state.path to a folder on a local disk, or state.type to sqlite.',
      cause: error,
    });
  }
}

function identityOf({ ino, mtimeNs }: BigIntStats): string {
  return `${ino}-${mtimeNs}`;
}

/** Returns what tells the file from another one of its name. */
function writeDurably(path: string, data: string | Uint8Array): string {
  const handle = openSync(path, 'w', 0o600);
  try {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done);
    fsyncSync(handle);
    return identityOf(fstatSync(handle, { bigint: true }));
  } finally {
    closeSync(handle);
  }
}
