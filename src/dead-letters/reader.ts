// Reads a dead letter file: letters, and the lines that say what became of them later.

import { createReadStream } from 'node:fs';
import type { DeadLetter } from '../engine/api.ts';
import { CdcError } from '../sdk/index.ts';
import { idOfLine, mergeLetters, parseLetter, parseNote } from './letter-codec.ts';

/**
 * The letters in the order in which they were first written, each once. An incomplete last line (a writer at work, or one that
 * was killed) is left out; any other line that is not a letter is an error. Reads the file twice: what was said of a letter
 * stands behind it.
 */
export async function* readDeadLetters(path: string): AsyncIterable<DeadLetter> {
  const later = await laterLines(path),
    seen = new Set<string>();
  let number = 0;
  for await (const line of linesOf(path)) {
    number += 1;
    const letter = parsed(path, line, number, (text) => (parseNote(text) === null ? parseLetter(text) : null));
    if (letter === null || seen.has(letter.id)) continue;
    seen.add(letter.id);
    let merged = letter;
    for (const one of later.get(letter.id) ?? []) merged = parsed(path, one.line, one.number, (text) => withLater(merged, text));
    yield merged;
  }
}

/** The lines without their ends, as far as they are complete. Split at the byte 10 alone: texts may hold other line ends. */
export async function* linesOf(path: string): AsyncIterable<string> {
  let head: Buffer[] = [];
  for await (const part of createReadStream(path)) {
    const chunk = part as Buffer;
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...head, chunk.subarray(start, end)]).toString('utf8');
      head = [];
      start = end + 1;
    }
    head.push(chunk.subarray(start));
  }
}

interface Line {
  readonly line: string;
  readonly number: number;
}

/** Of each letter the lines after its first one. */
async function laterLines(path: string): Promise<ReadonlyMap<string, readonly Line[]>> {
  const seen = new Set<string>(),
    later = new Map<string, Line[]>();
  let number = 0;
  for await (const line of linesOf(path)) {
    number += 1;
    const id = idOfLine(line);
    if (id === null) continue;
    if (seen.has(id)) later.set(id, [...(later.get(id) ?? []), { line, number }]);
    seen.add(id);
  }
  return later;
}

function withLater(letter: DeadLetter, line: string): DeadLetter {
  const note = parseNote(line);
  if (note === null) return mergeLetters(letter, parseLetter(line));
  return note.kind === 'again' ? { ...mergeLetters(letter, note.letter), replay: null } : { ...letter, replay: note.mark };
}

function parsed<T>(path: string, line: string, number: number, parse: (line: string) => T): T {
  try {
    return parse(line);
  } catch (cause) {
    throw new CdcError('DLQ_UNAVAILABLE', `Line ${number} of ${path} is not a dead letter.`, {
      where: `${path}:${number}`,
      fix: 'Remove the line, or restore it from a backup.',
      cause,
    });
  }
}
