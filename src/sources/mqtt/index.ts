// The `mqtt` source: a persistent session at a broker. The driver is loaded with the first connection.

import { defineSource } from '../../sdk/index.ts';
import { configSchema, type MqttSourceConfig, validate } from './config.ts';

export const descriptor = defineSource({
  type: 'mqtt',
  title: 'MQTT topics, with a session that outlives a restart',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    ordering: 'queue',
    deletes: true,
    beforeImage: false,
    snapshot: false,
    schemaChanges: false,
    risks: risksOf(config),
    creates: [`a session of the client ${config.client_id ?? '<made once>'} at the broker`],
  }),
  create: async (config, ctx) => {
    const { createSource } = await import('./source.ts');
    return createSource(config, ctx);
  },
});

function risksOf({ qos, clean }: MqttSourceConfig): string[] {
  return [
    'What the broker drops by its own limits (queue of a client that is away, expiry of its session) is gone.',
    ...(qos === 0 ? ['With qos 0 a message that is under way when the process or the connection ends is lost.'] : []),
    ...(clean ? ['With `clean: true` messages are lost while the pipeline does not run.'] : []),
  ];
}
