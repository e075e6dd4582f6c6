// The `nats` destination: messages in JetStream streams, with atomic batches effectively-once. The driver is loaded with the first
// connection.

import { defineDestination } from '../../sdk/index.ts';
import { configSchema, streamNameOf, validate } from './config.ts';

export const descriptor = defineDestination({
  type: 'nats',
  aliases: ['nats_jetstream'],
  title: "NATS JetStream, with the pipeline's place in the same step",
  config: configSchema,
  validate,
  capabilities: (config) => ({
    holdsPoint: config.atomic,
    idempotent: false,
    input: 'bytes',
    keyless: true,
    maxInFlight: 1,
    creates: [
      ...(config.create_stream ? [`the stream ${streamNameOf(config)} if it is missing`] : []),
      ...(config.atomic ? [`the subject cdc_run.point.<pipeline>.<destination> of the stream, which keeps the pipeline's place`] : []),
    ],
  }),
  create: async (config, ctx) => {
    const { openRecordEncoder } = await import('../../formats/create.ts'),
      encoder = await openRecordEncoder(config, ctx);
    if (config.atomic) {
      const { AtomicNatsDestination } = await import('./atomic.ts');
      return new AtomicNatsDestination(config, encoder, ctx);
    }
    const { NatsDestination } = await import('./windowed.ts');
    return new NatsDestination(config, encoder, ctx);
  },
});
