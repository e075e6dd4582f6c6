// The `rabbitmq` source: a consumer of a queue, shared with others. The driver is loaded with the first connection.

import { defineSource } from '../../sdk/index.ts';
import { configSchema, type RabbitmqSourceConfig, validate } from './config.ts';

export const descriptor = defineSource({
  type: 'rabbitmq',
  title: 'RabbitMQ queues',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    ordering: 'queue',
    deletes: true,
    beforeImage: false,
    snapshot: false,
    schemaChanges: false,
    risks: [
      'Messages that the queue drops by its own limits (message TTL, length, delivery limit) before they are finished are gone, unless it has a dead letter exchange.',
    ],
    creates: creations(config),
  }),
  create: async (config, ctx) => {
    const { createSource } = await import('./source.ts');
    return createSource(config, ctx);
  },
});

function creations({ declare, queue, exchange }: RabbitmqSourceConfig): string[] {
  if (!declare) return [];
  if (exchange === undefined) return [`the queue ${queue}, if it is not there`];
  return [`the queue ${queue}, the exchange ${exchange} and the binding between them, if they are not there`];
}
