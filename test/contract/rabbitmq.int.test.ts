// The contract suite of the `rabbitmq` destination against a real server, behind a proxy that can go away.

import { describe } from 'vitest';
import type { RabbitmqConfig } from '../../src/destinations/rabbitmq/config.ts';
import { descriptor } from '../../src/destinations/rabbitmq/index.ts';
import { type DestinationHarness, describeDestination, Events, item } from '../../src/sdk/testing/index.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';
import { RabbitPlace, rabbitmqConfig, skipReason } from '../helpers/rabbitmq.ts';

const changed = (url: string, parts: Partial<Pick<URL, 'password' | 'port'>>): string => Object.assign(new URL(url), parts).href;
const LIMIT = 1 << 20;

async function start(changes: (place: RabbitPlace) => Partial<RabbitmqConfig>): Promise<DestinationHarness> {
  const place = await RabbitPlace.open(),
    proxy = await PostgresProxy.start(place.url),
    url = proxy.through(place.url),
    { queue } = place;
  const config = (u: string, more: Partial<RabbitmqConfig> = {}): RabbitmqConfig =>
    rabbitmqConfig(u, { queue, max_message_size: LIMIT, ...changes(place), ...more });
  // Before anything is written there is no queue.
  await place.makeQueue();
  return {
    config: config(url),
    unreachable: config(changed(url, { port: '1' })),
    forbidden: config(changed(place.url, { password: 'wrong' })),
    misconfigured: config(url, { queue: 'nowhere', declare: false }),
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    records: async () => (await place.drain()).map(({ content }) => (content.length === 0 ? null : content)),
    oversize: (e) => e.create(item(2, 'x'.repeat(LIMIT + 1))),
    ...(config(url).exchange === undefined ? {} : { poison: (e: Events) => stranger(e).create(item(3, 'nobody takes it')) }),
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

/** Events of a table whose routing key no queue is bound for. */
const stranger = (e: Events): Events => new Events({ ...e.table, id: { ...e.table.id, table: 'strangers' } });

describe.skipIf((await skipReason()) !== null)('with a server', () => {
  describeDestination(descriptor, () => start(() => ({})), 'a queue');
  const exchange = ({ exchange }: RabbitPlace): Partial<RabbitmqConfig> => ({
    exchange,
    routing_key: '{table}',
    binding_key: ['items', 'lines'],
  });
  describeDestination(descriptor, () => start(exchange), 'an exchange');
});
