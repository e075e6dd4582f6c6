// Writes a disk log until it is killed. Each line that it prints is a sequence number which was confirmed as durable.

import { Batches, never, openReal } from './harness.ts';

const log = await openReal(process.argv[2] as string, { onError: () => process.exit(1) });
const batches = new Batches();
batches.next = Math.round((log.lastSeq / 11) * 10);
const reader = log.reader(log.lastSeq);
for (;;) {
  for (let i = 0; i < 40; i++) log.append(batches.make(10));
  await log.synced(never);
  reader.release(log.lastSeq);
  process.stdout.write(`${log.lastSeq}\n`);
}
