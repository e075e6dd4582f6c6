// The `kafka` source: messages of Kafka topics, as a member of a consumer group. The library is loaded with the first connection.

import { messageEnvelopeOf } from '../../formats/config.ts';
import { defineSource } from '../../sdk/index.ts';
import { configSchema, type KafkaSourceConfig, validate } from './config.ts';

export const descriptor = defineSource({
  type: 'kafka',
  title: 'Kafka topics, as a member of a consumer group',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    ordering: 'log',
    deletes: true,
    beforeImage: ['debezium', 'plain', 'cdc_event', 'elide'].includes(messageEnvelopeOf(config)),
    snapshot: false,
    schemaChanges: false,
    risks: risksOf(config),
    creates: [`the consumer group ${config.group_id ?? 'cdc-run.<pipeline>.<source>'}, with offsets`],
    keepsLog: 'the topics, for as long as their retention says',
  }),
  create: async (config, ctx) => {
    const [{ KafkaSource }, { KafkajsClient }, { openMessageDecoder }] = await Promise.all([
      import('../../systems/kafka/consuming/source.ts'),
      import('../../systems/kafka/kafkajs.ts'),
      import('../../formats/create.ts'),
    ]);
    return new KafkaSource(config, new KafkajsClient(config, ctx), await openMessageDecoder(config, ctx), ctx, KIND);
  },
});

const KIND = { connector: 'kafka', keepsReads: false } as const;

function risksOf({ auto_offset_reset: reset, isolation_level: isolation }: KafkaSourceConfig): string[] {
  return [
    'The brokers remove messages by age and size (retention.ms, retention.bytes), whether they were read or not.',
    'When partitions go to another member of the group, what was read and not yet delivered may be delivered twice.',
    ...(reset === 'latest'
      ? ['Messages that were there before the first start are not read; of a partition that is added later, those before it is found.']
      : []),
    ...(isolation === 'read_uncommitted' ? ['Records of transactions that are aborted later are read like others.'] : []),
  ];
}
