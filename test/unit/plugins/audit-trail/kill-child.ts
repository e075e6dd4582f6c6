// Sends batches of two lanes through an audit trail until it is killed. Prints the id of each event whose write has begun.

import { writeSync } from 'node:fs';
import { batchOf, change, STORED, trailAt } from './helpers.ts';

const [, , path = '', key = ''] = process.argv;
const trail = await trailAt(path, { digital_signature: true, key, audit_level: 'full' });
const lane = async (name: string, first: number): Promise<void> => {
  for (let n = first; ; n += 2) {
    await trail.aroundWrite(name, batchOf([change(n)]), async () => {
      writeSync(1, `${change(n).id}\n`);
      return STORED;
    });
  }
};
await Promise.all([lane('a', 0), lane('b', 1)]);
