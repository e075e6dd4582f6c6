// The `debezium` source: changes that Debezium has put into Kafka, as the events of our own sources. The library is loaded with the
// first connection.

import { defineSource } from '../../sdk/index.ts';
import { configSchema, type DebeziumSourceConfig, readingOf, unwrapOf, validate } from './config.ts';

export const descriptor = defineSource({
  type: 'debezium',
  title: "Debezium: its topics in Kafka, or a connector's properties captured by our own sources",
  config: configSchema,
  validate,
  capabilities: (config) => ({
    ordering: 'log',
    deletes: true,
    // As the tables of Debezium's database are set: only REPLICA IDENTITY FULL, or binlog_row_image FULL, has the whole row.
    beforeImage: false,
    // Debezium reads existing rows itself: they come as op `r`.
    snapshot: false,
    schemaChanges: false,
    risks: risksOf(config),
    creates: [`the consumer group ${config.group_id ?? 'cdc-run.<pipeline>.<source>'}, with offsets`],
    keepsLog: 'the topics, for as long as their retention says',
  }),
  create: async (config, ctx) => {
    const [{ KafkaSource }, { KafkajsClient }, { openMessageDecoder }, { unwrappedMessages }] = await Promise.all([
      import('../../systems/kafka/consuming/source.ts'),
      import('../../systems/kafka/kafkajs.ts'),
      import('../../formats/create.ts'),
      import('../../formats/debezium-rows.ts'),
    ]);
    const reading = readingOf(config),
      unwrap = unwrapOf(config);
    const decoder = await openMessageDecoder(reading, ctx, { placeholder: config.unavailable_value_placeholder, types: config.types });
    const messages = unwrap === null ? decoder : unwrappedMessages(decoder, unwrap);
    return new KafkaSource(reading, new KafkajsClient(config, ctx), messages, ctx, { connector: 'debezium', keepsReads: true });
  },
});

function risksOf(config: DebeziumSourceConfig): string[] {
  return [
    'The brokers remove messages by age and size (retention.ms, retention.bytes), whether they were read or not.',
    'When partitions go to another member of the group, what was read and not yet delivered may be delivered twice.',
    ...(readingOf(config).message_format === 'json' && config.types === undefined
      ? [
          'Records without schemas have no types: decimals, dates and bytes stay as Debezium wrote them (numbers, base64), unless `types` says what they are.',
        ]
      : []),
    ...(unwrapOf(config) === null
      ? []
      : ['Rows without envelope do not tell inserts from updates, nor what was before, unless `add.fields` has them.']),
  ];
}
