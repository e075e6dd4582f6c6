// The outside world of a command in tests: streams that collect, an environment, a clock that stands still.

import { PassThrough } from 'node:stream';
import type { World } from '../../../src/cli/cli.ts';
import { execute } from '../../../src/cli/program.ts';
import { CdcError, type Clock } from '../../../src/sdk/index.ts';
import { stoppedClock } from '../observability/fake-status.ts';

export interface FakeWorld extends World {
  readonly out: string;
  readonly err: string;
}

export interface FakeOptions {
  readonly tty?: boolean;
  readonly columns?: number;
  readonly env?: Record<string, string>;
  readonly clock?: Clock;
}

export function fakeWorld({ tty = false, columns, env = { NO_COLOR: '1' }, clock = stoppedClock }: FakeOptions = {}): FakeWorld {
  let out = '';
  let err = '';
  return {
    stdout: {
      write: (text) => {
        out += text;
      },
      isTTY: tty,
      columns,
    },
    stderr: {
      write: (text) => {
        err += text;
      },
      isTTY: tty,
      columns,
    },
    stdin: new PassThrough(),
    env,
    clock,
    stdoutBroken: () => false,
    get out() {
      return out;
    },
    get err() {
      return err;
    },
  };
}

/** Runs a command line; an error it throws is part of the outcome. */
export async function cli(
  argv: readonly string[],
  world: FakeWorld = fakeWorld(),
): Promise<{ code: number | null; error: CdcError | null; out: string; err: string }> {
  try {
    return { code: await execute(argv, world), error: null, out: world.out, err: world.err };
  } catch (error) {
    if (!(error instanceof CdcError)) throw error;
    return { code: null, error, out: world.out, err: world.err };
  }
}
