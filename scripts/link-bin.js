// After an install in a checkout: puts the command where `npx cdc-run` looks first. npm links the commands of dependencies
// only, and without this link npx would pack and install the checkout a second time.

import { lstatSync, mkdirSync, symlinkSync } from 'node:fs';

if (process.platform !== 'win32') {
  const link = new URL('../node_modules/.bin/cdc-run', import.meta.url);
  mkdirSync(new URL('.', link), { recursive: true });
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync('../../bin/cdc-run.js', link);
}
