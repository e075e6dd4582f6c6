// What can be found out before anything is written: are the brokers there, is the topic, what does it take.

import type { Finding } from '../../sdk/index.ts';
import type { Admin, KafkaClient } from '../../systems/kafka/client.ts';
import { withAdmin } from '../../systems/kafka/with-admin.ts';
import { isTransactional, type KafkaDestinationConfig } from './config.ts';
import { toKafkaError } from './errors.ts';

export interface CheckOptions {
  /** `null`: depends on the event. */
  readonly constantTopic: string | null;
  readonly pointsTopic: string | null;
  readonly where: string;
}

export async function* findings(client: KafkaClient, config: KafkaDestinationConfig, options: CheckOptions): AsyncIterable<Finding> {
  try {
    yield* await withAdmin(client, async (admin) => [
      { level: 'ok', check: 'reachable', message: `Kafka with ${await admin.brokers()} broker(s)` } as const,
      ...(await topicFindings(admin, config, options)),
      ...(await pointsFindings(admin, config, options)),
    ]);
  } catch (error) {
    const { code, message, fix } = toKafkaError(error, options.where);
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look into the log of the brokers.' };
  }
}

async function topicFindings(admin: Admin, config: KafkaDestinationConfig, { constantTopic: topic }: CheckOptions): Promise<Finding[]> {
  if (topic === null)
    return [{ level: 'ok', check: 'topic', message: config.create_topics ? 'topics that are missing are made' : 'topics must be there' }];
  const [info] = await admin.topics([topic]);
  if (info === undefined) {
    if (config.create_topics) return [{ level: 'ok', check: 'topic', message: `topic "${topic}" will be made` }];
    return [
      {
        level: 'error',
        check: 'topic',
        code: 'DESTINATION_MISCONFIGURED',
        message: `there is no topic "${topic}"`,
        fix: 'Create it, or set `create_topics: true`.',
      },
    ];
  }
  return [
    { level: 'ok', check: 'topic', message: `topic "${topic}" with ${info.partitions} partition(s)` },
    ...(await settingFindings(admin, config, topic)),
  ];
}

async function settingFindings(admin: Admin, config: KafkaDestinationConfig, topic: string): Promise<Finding[]> {
  const found: Finding[] = [],
    settings = await admin.settings(topic, ['max.message.bytes', 'min.insync.replicas', 'cleanup.policy']),
    limit = Number(settings['max.message.bytes'] ?? Number.NaN);
  if (limit < config.max_batch_bytes)
    found.push({
      level: 'warning',
      check: 'max.message.bytes',
      message: `topic "${topic}" takes batches of ${limit} bytes, and they may have ${config.max_batch_bytes} before compression`,
      fix: `Set \`max_batch_bytes: ${limit}\`, or raise max.message.bytes of the topic.`,
    });
  if ((settings['cleanup.policy'] ?? '').includes('compact') && config.partition_strategy === 'round_robin')
    found.push({
      level: 'warning',
      check: 'cleanup.policy',
      message: `topic "${topic}" is compacted, and \`round_robin\` puts changes of a row into several partitions`,
      fix: 'Use `partition_strategy: hash`.',
    });
  return found;
}

async function pointsFindings(admin: Admin, config: KafkaDestinationConfig, { pointsTopic: topic }: CheckOptions): Promise<Finding[]> {
  if (topic === null || !isTransactional(config)) return [];
  const [info] = await admin.topics([topic]);
  if (info === undefined) return [{ level: 'ok', check: 'points', message: `topic "${topic}" will be made for the pipeline's place` }];
  const { 'cleanup.policy': policy = 'compact' } = await admin.settings(topic, ['cleanup.policy']);
  if (info.partitions === 1 && policy === 'compact')
    return [{ level: 'ok', check: 'points', message: `topic "${topic}" keeps the pipeline's place` }];
  return [
    {
      level: 'error',
      check: 'points',
      code: 'DESTINATION_MISCONFIGURED',
      message: `topic "${topic}" has ${info.partitions} partition(s) and cleanup.policy=${policy}`,
      fix: 'Let it have one partition and cleanup.policy=compact, or name another in `points_topic`.',
    },
  ];
}
