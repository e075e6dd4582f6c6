// Where this package is and what version it has; the same from the sources and from the built files.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The package's folder. It is asked for by its own name, so it does not matter how deep this file lies. */
export function packageRoot(): string {
  return dirname(createRequire(import.meta.url).resolve('cdc-run/package.json'));
}

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return version;
}
