// What is said of a log that fills up.

import { expect, it } from 'vitest';
import { LogWatch } from '../../../src/engine/log-watch.ts';
import { silentLogger } from '../../../src/sdk/index.ts';

it('says once per level how full the log is, and again only after it was clearly below', () => {
  const said: string[] = [];
  const watch = new LogWatch({ ...silentLogger, warn: (message) => said.push(message) });
  const held = { bytes: 100, events: 1, maxEvents: Number.POSITIVE_INFINITY, neededEvents: 1, oldestMs: null };
  for (const neededBytes of [10, 79, 80, 81, 79, 96, 94, 96, 85, 10, 99]) watch.check({ ...held, neededBytes, maxBytes: 100 }, 'slow');
  expect(said).toEqual(['the change log is 80 % full', 'the change log is 96 % full', 'the change log is 99 % full']);
});
