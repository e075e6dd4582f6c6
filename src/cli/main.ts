// Entry of the command line: hands the real world to the program, turns whatever is thrown into one readable block, and sets
// the exit code. Nothing heavy is imported here; each command brings what it needs.

import { CdcError } from '../sdk/errors.ts';
import { systemClock } from '../sdk/ports.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { Output } from './output.ts';
import { execute } from './program.ts';

const argv = process.argv.slice(2);

const LINGER_MS = 3_000;

/** One block for people, a document for machines; the stack only when it was asked for. Returns the exit code. */
function report(thrown: unknown): number {
  const error = thrown instanceof CdcError ? thrown : unexpected(thrown);
  const debug =
    argv.some((arg, i) => arg === '--log-level=debug' || (arg === 'debug' && argv[i - 1] === '--log-level')) ||
    process.env['LOG_LEVEL'] === 'debug';
  new Output(process.stdout, process.stderr, process.env, argv.includes('--json')).error(error, debug);
  return exitCodeOf(error.code);
}

function unexpected(thrown: unknown): CdcError {
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new CdcError('INTERNAL_UNEXPECTED', message, { cause: thrown });
}

function die(thrown: unknown): void {
  process.exit(report(thrown));
}

process.on('uncaughtException', die);
process.on('unhandledRejection', die);
// The reader of our output has gone (`cdc-run adapters | head -1`): nobody is left to tell. A pipeline that writes to stdout hears
// of it by its own write.
let stdoutBroken = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') die(error);
  stdoutBroken = true;
});
process.stderr.on('error', () => {});

try {
  const { stdout, stderr, stdin, env } = process;
  process.exitCode = await execute(argv, { stdout, stderr, stdin, env, clock: systemClock, stdoutBroken: () => stdoutBroken });
} catch (error) {
  process.exitCode = report(error) || EXIT.runtime;
}
// Everything is closed and told by now. An adapter that left a connection open must not keep the process from ending.
// eslint-disable-next-line no-restricted-globals -- unlike Clock.sleep this timer must not keep the process alive itself
setTimeout(() => process.exit(), LINGER_MS).unref();
