// Reads a dead letter file, for commands and tests.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { DeadLetter } from '../engine/api.ts';
import { CdcError } from '../sdk/index.ts';
import { parseLetter } from './letter-codec.ts';

/**
 * The letters in the order in which they were written. An incomplete last line (a writer at work, or one that was killed)
 * is left out; any other line that is not a letter is an error.
 */
export async function* readDeadLetters(path: string): AsyncIterable<DeadLetter> {
  let number = 0,
    held: string | null = null;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (held !== null) yield parse(path, held, number);
    number += 1;
    held = line;
  }
  if (held !== null && (await endsWithNewline(path))) yield parse(path, held, number);
}

function parse(path: string, line: string, number: number): DeadLetter {
  try {
    return parseLetter(line);
  } catch (cause) {
    throw new CdcError('DLQ_UNAVAILABLE', `Line ${number} of ${path} is not a dead letter.`, {
      where: `${path}:${number}`,
      fix: 'Remove the line, or restore it from a backup.',
      cause,
    });
  }
}

async function endsWithNewline(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] === 10;
  } finally {
    await handle.close();
  }
}
