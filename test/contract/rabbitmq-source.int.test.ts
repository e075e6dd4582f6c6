// The contract suite of the `rabbitmq` source against a real server, behind a proxy that cuts connections.

import { describe } from 'vitest';
import { type Change, describeSource, type SourceHarness } from '../../src/sdk/testing/index.ts';
import type { RabbitmqSourceConfig } from '../../src/sources/rabbitmq/config.ts';
import { descriptor } from '../../src/sources/rabbitmq/index.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';
import { RabbitPlace, rabbitmqSourceConfig, skipReason } from '../helpers/rabbitmq.ts';

const changed = (url: string, parts: Partial<Pick<URL, 'password' | 'port'>>): string => Object.assign(new URL(url), parts).href;

function publish({ channel, exchange }: RabbitPlace, change: Change): void {
  if (change.op !== 'insert' && change.op !== 'delete') throw new Error(`no ${change.op}`);
  const { id } = change,
    body = change.op === 'delete' ? '' : JSON.stringify({ id, name: change.name, note: change.note ?? null });
  const options = { headers: { cdc_key: JSON.stringify({ id }) }, messageId: `${change.op}-${id}`, persistent: true };
  channel.publish(exchange, `items.${change.op}`, Buffer.from(body), options);
}

async function start(type: 'quorum' | 'classic'): Promise<SourceHarness> {
  const place = await RabbitPlace.open(),
    proxy = await PostgresProxy.start(place.url),
    { queue, exchange, channel } = place;
  await channel.assertExchange(exchange, 'topic');
  await place.makeQueue(type);
  await channel.bindQueue(queue, exchange, 'items.#');
  const config = (url: string, more: Partial<RabbitmqSourceConfig> = {}): RabbitmqSourceConfig =>
    rabbitmqSourceConfig(url, queue, { exchange, routing_key: 'items.#', max_deliveries: 100, ...more });
  return {
    config: config(proxy.through(place.url)),
    unreachable: config(changed(place.url, { port: '1' })),
    forbidden: config(changed(place.url, { password: 'wrong' })),
    misconfigured: config(place.url, { queue: 'nowhere', declare: false }),
    ops: ['insert', 'delete'],
    commit: async (all) => {
      for (const change of all) publish(place, change);
      // Answered behind what was published.
      await place.count();
    },
    garbage: async () => {
      channel.publish(exchange, 'items.garbage', Buffer.from('no JSON'));
    },
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

describe.skipIf((await skipReason()) !== null)('with a server', () => {
  describeSource(descriptor, () => start('quorum'), 'quorum queue');
  describeSource(descriptor, () => start('classic'), 'classic queue');
});
