// One YAML document on its way through the loader: its plain values, where each of them stands in the file, which texts
// came from outside, and the problems found so far.

import type { ErrorCode } from '../sdk/index.ts';
import { type ConfigIssue, formatPath, type Path } from './issue.ts';

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where a value stands, and where its key does if it has one. */
export interface Mark {
  readonly key: Place | null;
  readonly value: Place;
  /** Named in place of the file when the value does not come from it: `--set sync.mode`. */
  readonly origin?: string;
}

export interface Report {
  readonly code: ErrorCode;
  readonly path: Path;
  readonly message: string;
  /** Point at the key instead of the value. */
  readonly atKey?: boolean;
  /** Point here instead. */
  readonly place?: Place;
  readonly found?: string;
  readonly expected?: string;
  readonly suggestion?: string | undefined;
  readonly fix?: string | undefined;
}

export interface DocumentInit {
  readonly file: string;
  readonly baseDir: string;
  /** 0 for the first document of its file. */
  readonly index: number;
  readonly value: unknown;
  readonly marks: Map<string, Mark>;
}

export class ConfigDocument {
  readonly file: string;
  readonly baseDir: string;
  readonly index: number;
  readonly problems: ConfigIssue[] = [];
  readonly warnings: ConfigIssue[] = [];
  value: unknown;
  readonly #marks: Map<string, Mark>;
  /** Texts that hold variables: pointer → the references as written. */
  readonly #references = new Map<string, readonly string[]>();
  readonly #broken = new Set<string>();
  readonly #troubled = new Set<string>();
  /** Texts that messages must not hold → what is shown in their place. */
  readonly #hidden = new Map<string, string>();

  constructor(init: DocumentInit) {
    this.file = init.file;
    this.baseDir = init.baseDir;
    this.index = init.index;
    this.value = init.value;
    this.#marks = init.marks;
  }

  mark(path: Path, mark: Mark): void {
    this.#marks.set(pointerOf(path), mark);
  }

  /** `path` is not in the file: what it says was made of the value at `origin`. */
  standFor(path: Path, origin: Path): void {
    const mark = this.#marks.get(pointerOf(origin)),
      references = this.#references.get(pointerOf(origin));
    if (mark !== undefined) this.#marks.set(pointerOf(path), mark);
    if (references !== undefined) this.#references.set(pointerOf(path), references);
  }

  /** The references (`${PORT}`) that the text at `path` was made of; `null` when it stands in the file as it is. */
  references(path: Path): readonly string[] | null {
    return this.#references.get(pointerOf(path)) ?? null;
  }

  setReferences(path: Path, references: readonly string[]): void {
    this.#references.set(pointerOf(path), references);
  }

  /** What is wrong with this value is known: later stages say nothing more about it. */
  setBroken(path: Path): void {
    this.#broken.add(pointerOf(path));
  }

  /** Is anything known to be wrong at this place or below it? */
  hasTrouble(path: Path): boolean {
    const below = pointerOf(path);
    return [...this.#troubled, ...this.#broken].some((pointer) => pointer === below || pointer.startsWith(`${below}/`));
  }

  isBroken(path: Path): boolean {
    return this.#broken.has(pointerOf(path));
  }

  /** A text that must not appear in any message. Too short ones would blank out half of each sentence. */
  addSecret(text: string, shownAs = '***'): void {
    if (text.length >= 4) this.#hidden.set(text, shownAs);
  }

  problem(report: Report): void {
    if (this.isBroken(report.path)) return;
    this.#troubled.add(pointerOf(report.path));
    this.problems.push(this.#issue(report));
  }

  warn(report: Report): void {
    this.warnings.push(this.#issue(report));
  }

  #issue(report: Report): ConfigIssue {
    const mark = this.#nearest(report.path);
    const place = report.place ?? (report.atKey ? mark.key : null) ?? mark.value;
    const text = (value: string): string => this.#hideSecrets(value);
    return {
      code: report.code,
      message: text(report.message),
      file: mark.origin ?? this.file,
      line: place.line,
      column: place.column,
      path: formatPath(report.path),
      ...(report.found === undefined ? {} : { found: text(report.found) }),
      ...(report.expected === undefined ? {} : { expected: report.expected }),
      ...(report.suggestion === undefined ? {} : { suggestion: text(report.suggestion) }),
      ...(report.fix === undefined ? {} : { fix: text(report.fix) }),
    };
  }

  /** Where a value, or the nearest thing around it, stands. */
  place(path: Path): Mark {
    return this.#nearest(path);
  }

  /** The value at `to` is that of another document at `from`, with all below it: what is known of the one holds for the other. */
  adopt(to: Path, other: ConfigDocument, from: Path): void {
    this.mark(to, other.place(from));
    const [below, target] = [pointerOf(from), pointerOf(to)];
    const moved = (pointer: string): string | null =>
      pointer === below || pointer.startsWith(`${below}/`) ? `${target}${pointer.slice(below.length)}` : null;
    for (const [pointer, mark] of other.#marks) {
      const place = moved(pointer);
      if (place !== null && place !== target) this.#marks.set(place, mark);
    }
    for (const [pointer, references] of other.#references) {
      const place = moved(pointer);
      if (place !== null) this.#references.set(place, references);
    }
    for (const pointer of other.#broken) {
      const place = moved(pointer);
      if (place !== null) this.#broken.add(place);
    }
    for (const [text, shownAs] of other.#hidden) this.#hidden.set(text, shownAs);
  }

  /** The mark of the value, or of the nearest thing around it: defaults have no place of their own. */
  #nearest(path: Path): Mark {
    for (let length = path.length; length >= 0; length--) {
      const mark = this.#marks.get(pointerOf(path.slice(0, length)));
      // The place of a mapping is its first key, which says nothing about a key that is missing: point at its own key.
      if (mark !== undefined) return length < path.length ? { ...mark, value: mark.key ?? mark.value } : mark;
    }
    return { key: null, value: { line: 1, column: 1 } };
  }

  #hideSecrets(text: string): string {
    let result = text;
    for (const [hidden, shownAs] of this.#hidden) if (result.includes(hidden)) result = result.replaceAll(wholeWord(hidden), () => shownAs);
    return result;
  }
}

/** Not as a part of a longer word: with `postgres` as password, `postgresql` is still the name of a type. */
function wholeWord(text: string): RegExp {
  const escaped = text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`${/^\w/.test(text) ? '(?<!\\w)' : ''}${escaped}${/\w$/.test(text) ? '(?!\\w)' : ''}`, 'g');
}

/** JSON pointer of a path: unambiguous, and the form the schema validator names places in. */
export function pointerOf(path: Path): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Is this a mapping of keys? */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
