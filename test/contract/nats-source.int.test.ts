// The contract suite of the `nats` source against real servers: messages of a stream through a durable consumer.

import { headers } from '@nats-io/transport-node';
import { describe } from 'vitest';
import { type Change, describeSource, type SourceHarness } from '../../src/sdk/testing/index.ts';
import type { NatsSourceConfig } from '../../src/sources/nats/config.ts';
import { descriptor } from '../../src/sources/nats/index.ts';
import { type NatsName, NatsPlace, natsProxy, natsServers, natsSourceConfig } from '../helpers/nats.ts';

const changed = (url: string, parts: Partial<Pick<URL, 'password' | 'port'>>): string => Object.assign(new URL(url), parts).href;

function payloadOf(change: Change): string {
  if (change.op === 'delete') return '';
  if (change.op !== 'insert') throw new Error(`no ${change.op}`);
  const { id, name, note = null } = change;
  return JSON.stringify({ id, name, note });
}

async function start(server: NatsName, changes: Partial<NatsSourceConfig>): Promise<SourceHarness> {
  const place = await NatsPlace.open(server),
    proxy = await natsProxy(place.url),
    subject = `${place.name}.items`;
  await place.jsm.streams.add({ name: place.stream, subjects: [`${place.name}.>`] });
  const config = (url: string, more: Partial<NatsSourceConfig> = {}): NatsSourceConfig =>
    natsSourceConfig(url, { subject, durable_name: `${place.name}_reader`, table: 'items', ack_wait: 2000, ...changes, ...more });
  return {
    config: config(proxy.through(place.url)),
    unreachable: config(changed(place.url, { port: '1' })),
    forbidden: config(changed(place.url, { password: 'wrong' })),
    misconfigured: config(place.url, { stream: 'NOT_THERE', create_stream: false }),
    ops: ['insert', 'delete'],
    commit: async (all) => {
      for (const change of all) {
        const own = headers();
        own.set('Cdc-Key', JSON.stringify({ id: change.op === 'truncate' ? 0 : change.id }));
        await place.nc.request(subject, payloadOf(change), { timeout: 5000, headers: own });
      }
    },
    garbage: async () => {
      await place.nc.request(subject, 'no JSON', { timeout: 5000 });
    },
    // What the server sent into the connection before it knew comes again after `ack_wait`.
    cut: async () => {
      await proxy.close();
      await proxy.open();
    },
    close: async () => {
      await proxy.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

for (const server of await natsServers('nats', 'nats@2.9'))
  describe(`with ${server}`, () => {
    describeSource(descriptor, () => start(server, {}), 'messages');
    describeSource(descriptor, () => start(server, { max_deliveries: 100, max_ack_pending: 50 }), 'few in flight');
  });
