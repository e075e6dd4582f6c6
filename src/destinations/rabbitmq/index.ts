// The `rabbitmq` destination: messages for exchanges and queues, at-least-once. The driver is loaded with the first connection.

import { defineDestination } from '../../sdk/index.ts';
import { configSchema, type RabbitmqConfig, validate } from './config.ts';

export const descriptor = defineDestination({
  type: 'rabbitmq',
  title: 'RabbitMQ exchanges and queues',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    holdsPoint: false,
    idempotent: false,
    input: 'bytes',
    keyless: true,
    maxInFlight: 1,
    creates: creations(config),
  }),
  create: async (config, ctx) => {
    const { createDestination } = await import('./destination.ts');
    return createDestination(config, ctx);
  },
});

function creations({ declare, exchange, queue }: RabbitmqConfig): string[] {
  const things = [
    ...(queue === undefined ? [] : [`the queue ${queue}`]),
    ...(exchange === undefined ? [] : [`the exchange ${exchange}`]),
    ...(queue === undefined || exchange === undefined ? [] : ['the binding between them']),
  ];
  return declare && things.length > 0 ? [`${things.join(', ')}, where missing`] : [];
}
