// Preloaded into a child process (`--import`): writes the URL or path of every module that the process loads into the file that
// CDC_RECORD_MODULES names. Registers itself as module hooks, which run in a thread of their own.

import { appendFileSync } from 'node:fs';
import { createRequire, type LoadHook, register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const file = process.env['CDC_RECORD_MODULES'] ?? '';

if (isMainThread) {
  register(import.meta.url);
  // What is required by CommonJS modules passes no hook.
  process.on('exit', () => {
    appendFileSync(file, `${Object.keys(createRequire(import.meta.url).cache).join('\n')}\n`);
  });
}

export const load: LoadHook = (url, context, nextLoad) => {
  appendFileSync(file, `${url}\n`);
  return nextLoad(url, context);
};
