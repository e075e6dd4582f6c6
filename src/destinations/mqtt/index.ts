// The `mqtt` destination: messages for topics of a broker, at-least-once. The driver is loaded with the first connection.

import { defineDestination } from '../../sdk/index.ts';
import { configSchema, validate } from './config.ts';

export const descriptor = defineDestination({
  type: 'mqtt',
  title: 'MQTT topics',
  config: configSchema,
  validate,
  capabilities: () => ({
    holdsPoint: false,
    idempotent: false,
    input: 'bytes',
    keyless: true,
    maxInFlight: 1,
    creates: [],
  }),
  create: async (config, ctx) => {
    const { createDestination } = await import('./destination.ts');
    return createDestination(config, ctx);
  },
});
