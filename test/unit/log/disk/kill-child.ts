// Writes a disk log until it is killed. Each line that it prints is a sequence number which was confirmed as durable.

import { openDiskLog } from '../../../../src/log/disk/disk-log.ts';
import { nodeLogFiles } from '../../../../src/log/disk/files.ts';
import { silentLogger, systemClock, systemRandom } from '../../../../src/sdk/index.ts';
import { Batches, never, START } from './harness.ts';

const log = await openDiskLog({
  folder: process.argv[2] as string,
  pipeline: 'orders',
  start: START,
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
  files: nodeLogFiles,
  maxEvents: 4000,
  maxBytes: Number.POSITIVE_INFINITY,
  maxAgeMs: null,
  durability: 'fsync',
  compression: 'none',
  cacheBytes: 1_000_000,
  onSynced: () => undefined,
  onError: () => process.exit(1),
});
const batches = new Batches();
batches.next = Math.round((log.lastSeq / 11) * 10);
const reader = log.reader(log.lastSeq);
for (;;) {
  for (let i = 0; i < 40; i++) log.append(batches.make(10));
  await log.synced(never);
  reader.release(log.lastSeq);
  process.stdout.write(`${log.lastSeq}\n`);
}
