// Loads an optional package, and says how to get it when it is not there.

import { CdcError } from '../../sdk/index.ts';

export async function load<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new CdcError('DEPENDENCY_MISSING', `The package "${name}" is not installed.`, { fix: `Run \`npm install ${name}\`.`, cause });
  }
}
