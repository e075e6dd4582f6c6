// The fake disk behaves as a real one where tests depend on it.

import { expect, it } from 'vitest';
import { MemoryFiles } from '../../../../src/log/disk/memory-files.ts';

it('a lock that is released twice is not taken from who has it since', async () => {
  const files = new MemoryFiles(),
    first = await files.lock('lock.db');
  first?.release();
  const second = await files.lock('lock.db');
  first?.release();
  expect(await files.lock('lock.db')).toBeNull();
  second?.release();
  expect(await files.lock('lock.db')).not.toBeNull();
});
