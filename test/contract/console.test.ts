// The contract suite against standard output, with a stream in its place.

import { PassThrough } from 'node:stream';
import { descriptor } from '../../src/destinations/console/index.ts';
import { ConsoleDestination } from '../../src/destinations/console/writer.ts';
import { describeDestination, encodeFake } from '../../src/sdk/testing/index.ts';

interface Wired {
  readonly format: 'json';
  readonly out: PassThrough;
}

describeDestination(
  { ...descriptor, create: async (config) => new ConsoleDestination(config, 'console', (config as unknown as Wired).out) },
  async () => {
    const out = new PassThrough(),
      chunks: Buffer[] = [];
    out.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
    });
    return {
      config: { format: 'json', out } satisfies Wired,
      ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
      encode: (events) => encodeFake(events, false),
      records: async () =>
        Buffer.concat(chunks)
          .toString()
          .split('\n')
          .slice(0, -1)
          .map((line) => Buffer.from(line)),
      close: async () => {
        out.destroy();
      },
    };
  },
);
