// The contract suite of the `nats` destination against real servers, behind a proxy that can go away and lose replies: with atomic
// batches, and message by message.

import { describe } from 'vitest';
import type { NatsDestinationConfig } from '../../src/destinations/nats/config.ts';
import { descriptor } from '../../src/destinations/nats/index.ts';
import { type DestinationHarness, describeDestination, item } from '../../src/sdk/testing/index.ts';
import { type NatsName, NatsPlace, natsDestinationConfig, natsProxy, natsServers } from '../helpers/nats.ts';

const changed = (url: string, parts: Partial<Pick<URL, 'password' | 'port'>>): string => Object.assign(new URL(url), parts).href;
const MAX_PAYLOAD = 1 << 20;

async function start(server: NatsName, changes: Partial<NatsDestinationConfig>): Promise<DestinationHarness> {
  const place = await NatsPlace.open(server),
    proxy = await natsProxy(place.url),
    url = proxy.through(place.url);
  const own = { subject: `${place.name}.{topic}`, ...changes };
  const config = (u: string, more: Partial<NatsDestinationConfig> = {}): NatsDestinationConfig =>
    natsDestinationConfig(u, { ...own, ...more });
  return {
    config: config(url),
    unreachable: config(changed(url, { port: '1' })),
    forbidden: config(changed(place.url, { password: 'wrong' })),
    misconfigured: config(url, { stream: 'NOT_THERE', create_stream: false }),
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    records: async () => (await place.messages()).map(({ data }) => (data.length === 0 ? null : data)),
    oversize: (e) => e.create(item(2, 'x'.repeat(MAX_PAYLOAD + 1))),
    poison: (e) => e.create(item(3, 'x'.repeat(MAX_PAYLOAD + 1))),
    outage: async () => {
      await proxy.close();
      return () => proxy.open();
    },
    loseReply: async () => {
      proxy.cutNextCommit = 'after';
    },
    close: async () => {
      await proxy.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

for (const server of await natsServers('nats'))
  describe('with atomic batches', () => {
    describeDestination(descriptor, () => start(server, {}), 'a subject per table');
  });

for (const server of await natsServers('nats', 'nats@2.9'))
  describe(`message by message, with ${server}`, () => {
    describeDestination(descriptor, () => start(server, { atomic: false, max_in_flight: 100 }), 'a window');
  });
