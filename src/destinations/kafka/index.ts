// The `kafka` destination: records in Kafka topics, at-least-once, or with transactions effectively-once. The library is loaded with
// the first connection.

import { type DestinationContext, defineDestination } from '../../sdk/index.ts';
import type { KafkaClient } from '../../systems/kafka/client.ts';
import { configSchema, isTransactional, type KafkaDestinationConfig, validate } from './config.ts';

export const descriptor = defineDestination({
  type: 'kafka',
  title: 'Kafka topics, with transactions for consumers that read committed records',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    holdsPoint: isTransactional(config),
    idempotent: false,
    input: 'bytes',
    keyless: true,
    maxInFlight: 1,
    creates: creations(config),
  }),
  create: async (config, ctx) => {
    const { openRecordEncoder } = await import('../../formats/create.ts'),
      client = await openClient(config, ctx),
      encoder = await openRecordEncoder(config, ctx);
    if (isTransactional(config)) {
      const { TransactionalKafkaDestination } = await import('./transactional.ts');
      return new TransactionalKafkaDestination(config, client, encoder, ctx);
    }
    const { KafkaDestination } = await import('./destination.ts');
    return new KafkaDestination(config, client, encoder, ctx);
  },
});

async function openClient(config: KafkaDestinationConfig, ctx: DestinationContext): Promise<KafkaClient> {
  if (config.client === 'platformatic') {
    const { PlatformaticClient } = await import('../../systems/kafka/platformatic.ts');
    return new PlatformaticClient(config, ctx);
  }
  const { KafkajsClient } = await import('../../systems/kafka/kafkajs.ts');
  return new KafkajsClient(config, ctx);
}

function creations(config: KafkaDestinationConfig): string[] {
  return [
    ...(isTransactional(config)
      ? [
          `the compacted topic ${config.points_topic ?? 'cdc_run_points.<pipeline>.<destination>'}, which keeps the pipeline's place; to read it a consumer group is made for a moment`,
        ]
      : []),
    ...(config.create_topics ? ['topics that are missing'] : []),
  ];
}
