// The contract suite of the `mqtt` source against a real broker, behind a proxy that cuts connections.

import { describe } from 'vitest';
import { type Change, describeSource, type SourceHarness } from '../../src/sdk/testing/index.ts';
import type { MqttSourceConfig } from '../../src/sources/mqtt/config.ts';
import { descriptor } from '../../src/sources/mqtt/index.ts';
import { MqttPlace, mqttSourceConfig, skipReason } from '../helpers/mqtt.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';

interface Variant {
  readonly version: '5' | '3.1.1';
  readonly qos: 1 | 2;
}

async function start({ version, qos }: Variant): Promise<SourceHarness> {
  const place = await MqttPlace.open(),
    proxy = await PostgresProxy.start(place.url),
    filter = `${place.prefix}/#`,
    is5 = version === '5',
    // What is published before the source is there waits in its session.
    clientId = await place.session(filter, is5 ? 5 : 4, qos);
  const config = (url: string, more: Partial<MqttSourceConfig> = {}): MqttSourceConfig =>
    mqttSourceConfig(place.at(url), filter, { protocol_version: version, client_id: clientId, qos, key_fields: ['id'], ...more });
  const publish = (change: Change): Promise<void> => {
    if (change.op === 'delete')
      return place.publish('items', '', { cdc_key: JSON.stringify({ id: change.id }), cdc_id: `d${change.id}` }, qos);
    if (change.op !== 'insert') throw new Error(`no ${change.op}`);
    const { id, name, note = null } = change;
    return place.publish('items', JSON.stringify({ id, name, note }), { cdc_id: `i${id}` }, qos);
  };
  return {
    config: config(proxy.through(place.url)),
    unreachable: { ...config(place.url), broker: 'mqtt://127.0.0.1:1' },
    forbidden: { ...config(place.url), password: 'wrong' },
    misconfigured: config(place.url, { tls: { ca: '/nowhere/ca.pem', verify: true } }),
    ops: is5 ? ['insert', 'delete'] : ['insert'],
    commit: async (all) => {
      for (const change of all) await publish(change);
    },
    garbage: () => place.publish('items', 'no JSON', {}, qos),
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

describe.skipIf((await skipReason()) !== null)('with a broker', () => {
  describeSource(descriptor, () => start({ version: '5', qos: 1 }), '5, QoS 1');
  describeSource(descriptor, () => start({ version: '5', qos: 2 }), '5, QoS 2');
  describeSource(descriptor, () => start({ version: '3.1.1', qos: 1 }), '3.1.1, QoS 1');
  describeSource(descriptor, () => start({ version: '3.1.1', qos: 2 }), '3.1.1, QoS 2');
});
