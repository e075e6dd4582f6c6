// The `nats` source: a durable consumer of JetStream, shared with other processes, or subjects of core NATS. The driver is loaded
// with the first connection.

import { defineSource } from '../../sdk/index.ts';
import { configSchema, type NatsSourceConfig, streamNameFor, subjectsOf, validate } from './config.ts';

export const descriptor = defineSource({
  type: 'nats',
  aliases: ['nats_jetstream'],
  title: 'NATS JetStream through a durable consumer, and subjects of core NATS',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    ordering: 'queue',
    deletes: true,
    beforeImage: false,
    snapshot: false,
    schemaChanges: false,
    risks: risksOf(config),
    creates: createsOf(config),
  }),
  create: async (config, ctx) => {
    const { createSource } = await import('./source.ts');
    return createSource(config, ctx);
  },
});

function risksOf({ mode }: NatsSourceConfig): string[] {
  const kept = 'Messages that the stream removes before they are read (max_age, max_bytes, max_msgs) are gone.';
  if (mode === 'jetstream') return [kept];
  const core = 'Core NATS is at-most-once: what is published while nobody listens, or faster than it is delivered, is lost.';
  return mode === 'core' ? [core] : [`Without JetStream at the server: ${core}`, kept];
}

function createsOf(config: NatsSourceConfig): string[] {
  if (config.mode === 'core') return [];
  const subjects = subjectsOf(config),
    stream = config.stream ?? `that has ${subjects.join(', ')}`;
  return [
    `the consumer ${config.durable_name ?? 'cdc_run_<pipeline>'} of the stream ${stream}`,
    ...(config.create_stream && subjects.length > 0
      ? [`the stream ${config.stream ?? streamNameFor(subjects)} if no stream has the subject`]
      : []),
  ];
}
