// Asks on the terminal, for commands that can be used without flags.

import type { Interface } from 'node:readline/promises';
import { createInterface } from 'node:readline/promises';
import { PassThrough } from 'node:stream';
import { usageError } from './arguments.ts';
import type { Cli } from './cli.ts';

/** Resolves with the answer, or with `proposed` when it is empty. */
export type Ask = (question: string, proposed: string) => Promise<string>;

/** `null` when nobody is there to answer: stdin or stderr is no terminal. Questions go to stderr, so that stdout stays the result. */
export function openQuestions({ world, output }: Cli): { readonly ask: Ask; close(): void } | null {
  if (world.stdin.isTTY !== true || world.stderr.isTTY !== true) return null;
  const c = output.errColors;
  const echo = new PassThrough();
  echo.on('data', (chunk: Buffer) => {
    world.stderr.write(chunk.toString('utf8'));
  });
  const terminal: Interface = createInterface({ input: world.stdin as NodeJS.ReadableStream, output: echo, terminal: true });
  const ended = new Promise<never>((_, reject) => {
    terminal.once('close', () => {
      reject(usageError('The questions were ended', 'Give the answers as flags: see `cdc-run init --help`.'));
    });
    terminal.once('SIGINT', () => {
      terminal.close();
    });
  });
  // Nobody may be waiting for an answer when it is closed.
  ended.catch(() => {});
  return {
    ask: async (question, proposed) => {
      const answer = await Promise.race([terminal.question(`${question} ${c.dim(`[${proposed}]`)} `), ended]);
      return answer.trim() === '' ? proposed : answer.trim();
    },
    close: () => {
      terminal.close();
    },
  };
}
