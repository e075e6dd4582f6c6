// The environment that `${VAR}` in pipeline files is read from: the process's own, and beneath it the files of `--env-file`.

import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { CdcError } from '../sdk/errors.ts';
import type { Env } from './output.ts';

/** The process's own variables win, as with `node --env-file`; of several files the last one wins. */
export function environment(own: Env, files: readonly string[]): Env {
  const merged: Record<string, string | undefined> = {};
  for (const file of files) Object.assign(merged, parseEnv(read(file)));
  return { ...merged, ...own };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CdcError(
      'CONFIG_FILE_UNREADABLE',
      `The environment file ${JSON.stringify(file)} cannot be read: ${(cause as Error).message}`,
      {
        where: '--env-file',
        fix: 'Correct the path of `--env-file`.',
        cause,
      },
    );
  }
}
