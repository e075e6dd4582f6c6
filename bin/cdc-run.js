#!/usr/bin/env node
// Starts the built command line. In a fresh checkout nothing is built yet: then it is built once, here.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

// See src/cli/memory.ts, which undoes it.
setFlagsFromString('--semi-space-growth-factor=1');

const root = new URL('../', import.meta.url);
const main = new URL('dist/src/cli/main.js', root);

if (!existsSync(main)) build();
try {
  await import(main.href);
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes(fileURLToPath(root))) throw error;
  fail(`The build is not complete: ${error.message}`);
}

function build() {
  if (!existsSync(new URL('tsconfig.build.json', root))) fail('This package was published without its build.');
  process.stderr.write('cdc-run: building once, this takes a moment …\n');
  // Output of the build goes to stderr: stdout belongs to the command that was asked for.
  const { status, error } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: fileURLToPath(root),
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (error !== undefined || status !== 0 || !existsSync(main)) fail(`The build failed${error === undefined ? '' : `: ${error.message}`}.`);
}

function fail(message) {
  process.stderr.write(`cdc-run: ${message}\nRun \`npm install\` and \`npm run build\` in ${fileURLToPath(root)}\n`);
  process.exit(1);
}
