// Preflight: can the file be written, and does it hold a point already? Creates nothing.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Finding } from '../../sdk/index.ts';
import { loadSqlite, openSqlite } from '../../util/sqlite.ts';
import type { SqliteConfig } from './config.ts';
import { classify, driverMissing } from './errors.ts';

export async function* checkFile(config: SqliteConfig): AsyncIterable<Finding> {
  const driver = await loadSqlite(),
    path = resolve(config.path);
  if (driver === null) {
    yield { level: 'error', check: 'driver', message: driverMissing().message, fix: driverMissing().fix ?? '', code: 'DEPENDENCY_MISSING' };
    return;
  }
  const found = firstExisting(path);
  try {
    accessSync(found, constants.W_OK);
    if (found === path) accessSync(dirname(path), constants.W_OK);
  } catch {
    yield {
      level: 'error',
      check: 'writable',
      message: `"${found}" cannot be written`,
      fix: 'Give this account the right to write the file and its folder.',
      code: 'DESTINATION_FORBIDDEN',
    };
    return;
  }
  if (found !== path) {
    yield { level: 'ok', check: 'file', message: `"${config.path}" will be created` };
    return;
  }
  if (!statSync(path).isFile()) {
    yield {
      level: 'error',
      check: 'file',
      message: `"${config.path}" is not a file`,
      fix: 'Correct `path`.',
      code: 'DESTINATION_MISCONFIGURED',
    };
    return;
  }
  try {
    const db = openSqlite(driver, path, { mustExist: true });
    try {
      const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table'").get() as { n: number };
      yield { level: 'ok', check: 'file', message: `"${config.path}" is a database with ${tables.n} tables` };
    } finally {
      db.close();
    }
  } catch (error) {
    const { code, message, fix } = classify(error, config.path);
    yield { level: 'error', check: 'file', message, ...(fix === null ? {} : { fix }), code };
  }
}

function firstExisting(path: string): string {
  let found = path;
  while (!existsSync(found) && dirname(found) !== found) found = dirname(found);
  return found;
}
