// Which letters a command is about: chosen by id, code or age, and all of them without a choice. Pure.

import type { DeadLetter } from '../engine/api.ts';
import { shortIdOf } from './causes.ts';

/** Several ids or codes choose each of them; different options narrow each other down. */
export interface LetterSelection {
  readonly ids: readonly string[];
  readonly codes: readonly string[];
  /** Last tried before; milliseconds since the epoch. */
  readonly before: number | null;
}

export function selectorOf({ ids, codes, before }: LetterSelection): (letter: DeadLetter) => boolean {
  return (letter) =>
    (ids.length === 0 || ids.some((id) => isCalled(letter, id))) &&
    (codes.length === 0 || codes.includes(letter.error.code)) &&
    (before === null || letter.lastMs < before);
}

/** By its id, or by the beginning of its short one. */
export function isCalled({ id }: DeadLetter, name: string): boolean {
  return id === name || (name.length >= 4 && shortIdOf(id).startsWith(name));
}
