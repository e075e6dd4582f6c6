// Builds a pipeline's mapping out of another one, and remembers for each value where it stood there: messages point at the file.

import { isMapping } from '../document.ts';
import type { Path } from '../issue.ts';

export interface Translated {
  readonly value: Record<string, unknown>;
  /** Place in the pipeline, and the place in the file that it came from. */
  readonly moves: readonly (readonly [to: Path, from: Path])[];
  /** Keys of the file that change nothing here, why, and the variable that would. */
  readonly ignored: readonly (readonly [from: Path, reason: string, unless: string | null])[];
  /** What this version cannot do, and what to write in its place. */
  readonly refused: readonly (readonly [from: Path, message: string, fix: string])[];
}

export class Builder implements Translated {
  readonly value: Record<string, unknown> = {};
  readonly moves: [Path, Path][] = [];
  readonly ignored: [Path, string, string | null][] = [];
  readonly refused: [Path, string, string][] = [];
  readonly #from: unknown;

  constructor(from: unknown) {
    this.#from = from;
  }

  at(path: Path): unknown {
    return at(this.#from, path);
  }

  /** Copies a value, unless it is missing or an empty text, as variables that are not set mostly are. */
  move(from: Path, to: Path): boolean {
    const value = this.at(from);
    if (value === undefined || value === null || value === '') return false;
    this.set(to, structuredClone(value), from);
    return true;
  }

  /** `from`: what in the file is the reason for it. */
  set(to: Path, value: unknown, from: Path): void {
    let target: Record<string | number, unknown> = this.value;
    for (const [i, part] of to.slice(0, -1).entries()) {
      target[part] ??= typeof to[i + 1] === 'number' ? [] : {};
      target = target[part] as Record<string | number, unknown>;
    }
    target[to.at(-1) as string | number] = value;
    this.moves.push([to, from]);
  }

  /** Columns that nobody behind the pipeline may see. */
  redact(from: Path): void {
    const fields = this.at(from);
    if (fields === undefined || fields === null || (Array.isArray(fields) && fields.length === 0)) return;
    const masking = { type: 'data_masking', params: { mask_fields: structuredClone(fields), strategy: 'redact' } };
    this.set(['plugins', 'transformers', 'transformers'], [masking], from);
  }

  /** `unless`: a variable that is read elsewhere, too: a value out of it has its effect. */
  ignore(from: Path, reason: string, unless: string | null = null): void {
    if (this.at(from) !== undefined) this.ignored.push([from, reason, unless]);
  }

  /** It is known what is meant: said where the file says it, and not of a key of ours that it does not have. */
  refuse(from: Path, message: string, fix: string): void {
    this.refused.push([from, message, fix]);
  }
}

function at(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (Array.isArray(value) && typeof part === 'number') value = value[part];
    else if (isMapping(value) && typeof part === 'string') value = value[part];
    else return undefined;
  }
  return value;
}
