// A complete configuration of the Kafka source, as the loader would make it.

import type { KafkaSourceConfig } from '../../src/sources/kafka/config.ts';

export function kafkaSourceConfig(brokers: string, topic: string, changes: Partial<KafkaSourceConfig> = {}): KafkaSourceConfig {
  return {
    bootstrap_servers: brokers,
    client_id: 'cdc-run-test',
    connection_timeout: 2_000,
    request_timeout: 5_000,
    envelope: 'row',
    topics: [topic],
    group_id: `${topic}.group`,
    auto_offset_reset: 'earliest',
    isolation_level: 'read_committed',
    session_timeout: 10_000,
    rebalance_timeout: 20_000,
    metadata_max_age: 1_000,
    fetch_max_bytes: 1 << 20,
    ...changes,
  };
}
