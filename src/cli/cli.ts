// What every command gets: the outside world (streams, environment, clock), the global options, and where to print.

import type { LogLevel } from '../sdk/logger.ts';
import type { Clock } from '../sdk/ports.ts';
import { type Env, Output, type Stream } from './output.ts';

/** The world outside. `main.ts` hands in the real one, tests their own. */
export interface World {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly env: Env;
  readonly clock: Clock;
  /** Has the reader of stdout gone away? */
  stdoutBroken(): boolean;
}

/** Options that all commands know. */
export interface GlobalOptions {
  /** `a.b=c`, in the order given. */
  readonly set: readonly string[];
  readonly envFile: readonly string[];
  readonly json: boolean;
  readonly logFormat: 'auto' | 'json' | 'pretty';
  /** `null`: `LOG_LEVEL`, else `info`. */
  readonly logLevel: LogLevel | null;
}

export interface Cli {
  readonly world: World;
  readonly options: GlobalOptions;
  readonly output: Output;
}

export function createCli(world: World, options: GlobalOptions): Cli {
  return { world, options, output: new Output(world.stdout, world.stderr, world.env, options.json) };
}
