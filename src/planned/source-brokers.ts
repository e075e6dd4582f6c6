// Brokers and stores that will be read. Keys: seeds 001, 002 and 004.

import { Keys, Type } from '../sdk/index.ts';
import { choice, duration, flag, plannedSource, required, secret, serverKeys, text, textOrTexts, texts, whole } from './define.ts';
import { FORMAT_KEYS, NATS_KEYS, PULSAR_KEYS, S3_KEYS } from './systems.ts';

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

export const rabbitmq = plannedSource({
  type: 'rabbitmq',
  title: 'RabbitMQ queues',
  keys: {
    ...serverKeys(5672, 'amqp'),
    ...FORMAT_KEYS,
    vhost: text('Virtual host.', '/'),
    queue: text('Queue.', 'source_events'),
    exchange: text('Exchange to bind the queue to.', 'events_exchange'),
    routing_key: text('Key of the binding.', 'user.#'),
    prefetch: whole('Messages in flight.', 1000, 1),
  },
});

export const nats = plannedSource({
  type: 'nats',
  aliases: ['nats_jetstream'],
  title: 'NATS subjects and JetStream streams',
  keys: {
    ...NATS_KEYS,
    ...FORMAT_KEYS,
    subject: text('Subject.', 'cdc.events'),
    stream: text('JetStream stream.', 'CDC'),
    durable_name: text('Durable consumer.', 'cdc'),
    queue_group: text('Queue without JetStream.', 'cdc'),
  },
});

export const mqtt = plannedSource({
  type: 'mqtt',
  title: 'MQTT topics',
  keys: {
    broker: text('Address of the broker.', 'mqtt://localhost:1883'),
    ...FORMAT_KEYS,
    topics: texts('Topics; + and # as in MQTT.', 'sensors/+/temperature'),
    topic: text('One topic.', 'sensors/#'),
    qos: Type.Optional(Type.Integer({ minimum: 0, maximum: 2, description: 'Quality of service.', examples: [1] })),
    client_id: text('Client id; keeps the session over restarts.', 'cdc'),
    clean: flag('Begin without a session.'),
    username: text('User name.', 'cdc'),
    password: secret('Password.', 'MQTT_PASSWORD'),
    retain: choice(['use', 'ignore'], 'What to do with retained messages.'),
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
