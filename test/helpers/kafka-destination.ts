// A complete configuration of the Kafka destination, as the loader would make it.

import type { KafkaDestinationConfig } from '../../src/destinations/kafka/config.ts';

export function kafkaConfig(brokers: string, changes: Partial<KafkaDestinationConfig> = {}): KafkaDestinationConfig {
  return {
    bootstrap_servers: brokers,
    client: 'kafkajs',
    client_id: 'cdc-run-test',
    connection_timeout: 2_000,
    request_timeout: 5_000,
    on_schema_error: 'wait',
    partition_strategy: 'hash',
    compression_type: 'none',
    headers: {},
    idempotent: true,
    transaction_timeout: 60_000,
    create_topics: true,
    topic_defaults: { partitions: 1, replication_factor: 1, config: {} },
    max_batch_bytes: 900 * 1024,
    ...changes,
  };
}
