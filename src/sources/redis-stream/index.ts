// The `redis_stream` source: a member of a consumer group, shared with other processes. The driver is loaded with the first connection.

import { defineSource } from '../../sdk/index.ts';
import { configSchema, entryKindOf, validate } from './config.ts';

export const descriptor = defineSource({
  type: 'redis_stream',
  aliases: ['redis_streams', 'redis'],
  title: 'Redis streams, as a member of a consumer group',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    ordering: 'queue',
    deletes: entryKindOf(config) === 'value',
    beforeImage: false,
    snapshot: false,
    schemaChanges: false,
    risks: [
      'Entries that are trimmed from the stream before they are read are gone; those that are trimmed while unfinished go to the dead letter queue without their fields.',
    ],
    creates: [
      `the consumer group ${config.consumer_group ?? 'cdc_run_<pipeline>'} of the stream ${config.stream_name}, and the stream if it is not there`,
    ],
  }),
  create: async (config, ctx) => {
    const { createSource } = await import('./source.ts');
    return createSource(config, ctx, process.env);
  },
});
