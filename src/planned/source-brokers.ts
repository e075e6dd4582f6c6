// Brokers and stores that will be read. Keys: seeds 001, 002 and 004.

import { Keys, Type } from '../sdk/index.ts';
import { choice, duration, plannedSource, required, text, textOrTexts, texts } from './define.ts';
import { FORMAT_KEYS, PULSAR_KEYS, S3_KEYS } from './systems.ts';

export const pulsar = plannedSource({
  type: 'pulsar',
  title: 'Pulsar topics',
  keys: {
    ...PULSAR_KEYS,
    ...FORMAT_KEYS,
    topic: text('Topic.', 'persistent://public/default/events'),
    topics: texts('Topics.', 'persistent://public/default/events'),
    subscription_name: text('Subscription.', 'cdc_subscription'),
    subscription_type: choice(['exclusive', 'shared', 'failover', 'key_shared'], 'How consumers share it.'),
    initial_position: choice(['earliest', 'latest'], 'Where a new subscription begins.'),
  },
});

export const s3 = plannedSource({
  type: 's3',
  title: 'Objects in S3 and its kin',
  keys: {
    ...S3_KEYS,
    prefix: text('Only objects below this.', 'exports/'),
    format: choice(['ndjson', 'csv', 'json', 'parquet'], 'What the objects hold.'),
    poll_interval: duration('Time between two looks.', '60s'),
    tables: Type.Optional(
      Type.Array(
        Keys({ table: required(text('Table name.', 'orders')), pattern: required(textOrTexts('Objects of the table.', 'orders/*')) }),
        { description: 'Which objects are which table.' },
      ),
    ),
  },
});
