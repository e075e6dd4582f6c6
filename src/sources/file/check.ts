// Preflight of the file source: is there something to read, may it be read, is it understood?

import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Finding } from '../../sdk/index.ts';
import { findFiles } from '../../util/find-files.ts';
import { isGlob } from '../../util/glob.ts';
import { type FileSourceConfig, formatOf } from './config.ts';
import { notAFile, toFileError } from './errors.ts';

/** So many files are looked at; a pattern may match thousands. */
const MAX_FILES = 100;

export async function* checkFiles(config: FileSourceConfig): AsyncIterable<Finding> {
  let paths: readonly string[];
  let base: string;
  try {
    ({ base, paths } = await findFiles(config.path));
  } catch (error) {
    yield failed(error, config.path);
    return;
  }
  if (paths.length === 0) {
    yield {
      level: 'warning',
      check: 'files',
      message: `no file matches "${config.path}" yet`,
      fix: 'Correct path if there should be some; it is relative to the working directory.',
    };
    return;
  }
  let readable = 0;
  for (const name of paths.slice(0, MAX_FILES)) {
    const finding = await checkFile(resolve(base, name), config);
    if (finding === null) readable++;
    else yield finding;
  }
  if (readable > 0)
    yield { level: 'ok', check: 'files', message: readable === 1 ? `"${paths[0]}" can be read` : `${readable} files can be read` };
}

async function checkFile(path: string, config: FileSourceConfig): Promise<Finding | null> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) return isGlob(config.path) ? null : failed(notAFile(path, stats.isDirectory(), ''), path);
    await access(path, constants.R_OK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return {
        level: 'warning',
        check: 'files',
        message: `"${path}" does not exist yet`,
        fix: 'Correct path if it should; a continuous pipeline waits for it.',
      };
    }
    return failed(error, path);
  }
  if (formatOf(config, path) !== null) return null;
  return {
    level: 'error',
    check: 'format',
    code: 'SOURCE_MISCONFIGURED',
    message: `the extension of "${path}" does not tell its format`,
    fix: 'Set format to ndjson, csv or json.',
  };
}

function failed(error: unknown, path: string): Finding {
  const { code, message, fix } = toFileError(error, path, '');
  return { level: 'error', check: 'files', code, message, ...(fix === null ? {} : { fix }) };
}
