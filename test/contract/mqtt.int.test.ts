// The contract suite of the `mqtt` destination against a real broker, behind a proxy that can go away.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from 'vitest';
import type { MqttConfig } from '../../src/destinations/mqtt/config.ts';
import { descriptor } from '../../src/destinations/mqtt/index.ts';
import { type DestinationHarness, describeDestination, item } from '../../src/sdk/testing/index.ts';
import { MqttPlace, mqttConfig, skipReason } from '../helpers/mqtt.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';

const LIMIT = 1 << 20;

async function start(changes: Partial<MqttConfig>): Promise<DestinationHarness> {
  const place = await MqttPlace.open(),
    proxy = await PostgresProxy.start(place.url),
    heard = await place.listen(`${place.prefix}/#`);
  const config = (url: string): MqttConfig =>
    mqttConfig(place.at(url), { topic: `${place.prefix}/{table}`, max_message_size: LIMIT, ...changes });
  /** It comes a little behind the acknowledgement. */
  const settled = async (): Promise<void> => {
    for (let before = -1, quiet = 0; quiet < 4; await sleep(25)) {
      quiet = before === heard.length ? quiet + 1 : 0;
      before = heard.length;
    }
  };
  return {
    config: config(proxy.through(place.url)),
    unreachable: { ...config(place.url), broker: 'mqtt://127.0.0.1:1' },
    forbidden: { ...config(place.url), password: 'wrong' },
    misconfigured: { ...config(place.url), tls: { ca: '/nowhere/ca.pem', verify: true } },
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    records: async () => {
      await settled();
      return heard.map(({ payload }) => (payload.length === 0 ? null : Buffer.from(payload)));
    },
    oversize: (e) => e.create(item(2, 'x'.repeat(LIMIT + 1))),
    poison: (e) => e.create(item(3, 'x'.repeat(LIMIT + 1))),
    outage: async () => {
      await proxy.close();
      return () => proxy.open();
    },
    close: async () => {
      await proxy.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf((await skipReason()) !== null)('with a broker', () => {
  describeDestination(descriptor, () => start({}), '5, QoS 1');
  describeDestination(descriptor, () => start({ qos: 2 }), '5, QoS 2');
  describeDestination(descriptor, () => start({ protocol_version: '3.1.1' }), '3.1.1');
});
