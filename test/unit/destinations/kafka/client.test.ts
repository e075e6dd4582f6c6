// Which client goes with what.

import { expect, it } from 'vitest';
import { type KafkaDestinationConfig, validate } from '../../../../src/destinations/kafka/config.ts';
import { kafkaConfig } from '../../../helpers/kafka-destination.ts';

const problems = (changes: Partial<KafkaDestinationConfig>) =>
  validate(kafkaConfig('localhost:9092', { client: 'platformatic', ...changes })).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );

it.each<[string, Partial<KafkaDestinationConfig>]>([
  ['transactional', { transactional: true }],
  ['transactional_id', { transactional_id: 'orders' }],
])('refuses a client without transactions beside %s', (_, changes) => {
  expect(problems(changes)).toEqual(['client: "client: platformatic" has no transactions']);
  expect(problems({ ...changes, client: 'kafkajs' })).toEqual([]);
});

it.each<Partial<KafkaDestinationConfig>>([{}, { compression_type: 'zstd' }, { idempotent: false }, { transactional: false }])(
  'takes platformatic with %j',
  (changes) => {
    expect(problems(changes)).toEqual([]);
  },
);
