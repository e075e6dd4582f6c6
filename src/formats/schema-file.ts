// A schema of the user's, in a file. Relative to the working directory, as all paths of data.

import { readFile } from 'node:fs/promises';
import { CdcError } from '../sdk/index.ts';
import type { FormatContext } from './context.ts';

export async function readSchemaFile(file: string, key: string, { where }: FormatContext): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new CdcError(
      'CONFIG_FILE_UNREADABLE',
      `The schema file ${file} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? 'error'}.`,
      {
        where,
        fix: `Correct ${key}.`,
        cause,
      },
    );
  }
}
