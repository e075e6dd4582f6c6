// What can be found out before anything is read: are the brokers there, the topics, and a place to begin.

import type { Finding } from '../../../sdk/index.ts';
import type { Admin, KafkaClient } from '../client.ts';
import { withAdmin } from '../with-admin.ts';
import type { ConsumingConfig } from './config.ts';
import { toKafkaError } from './errors.ts';

export interface CheckOptions {
  readonly topics: (admin: Admin) => Promise<string[]>;
  readonly group: string;
  readonly where: string;
}

export async function* findings(client: KafkaClient, config: ConsumingConfig, options: CheckOptions): AsyncIterable<Finding> {
  try {
    yield* await withAdmin(client, async (admin) => [
      { level: 'ok', check: 'reachable', message: `Kafka with ${await admin.brokers()} broker(s)` } as const,
      ...(await topicFindings(admin, config, options)),
    ]);
  } catch (error) {
    const { code, message, fix } = toKafkaError(error, options.where);
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look into the log of the brokers.' };
  }
}

async function topicFindings(admin: Admin, config: ConsumingConfig, { topics, group }: CheckOptions): Promise<Finding[]> {
  const names = await topics(admin),
    committed = await admin.committed(group, names),
    found: Finding[] = [];
  for (const topic of names) {
    const ends = await admin.ends(topic),
      known = committed.filter((c) => c.topic === topic),
      begins = known.length === ends.length ? `group "${group}" has its place` : `begins at ${config.auto_offset_reset}`;
    found.push({ level: 'ok', check: 'topic', message: `topic "${topic}" with ${ends.length} partition(s), ${begins}` });
    if (known.length < ends.length && config.auto_offset_reset === 'none')
      found.push({
        level: 'error',
        check: 'group',
        code: 'SOURCE_MISCONFIGURED',
        message: `group "${group}" has no offset for ${ends.length - known.length} partition(s) of "${topic}"`,
        fix: 'Set `auto_offset_reset` to earliest or latest.',
      });
    for (const { partition, low } of ends) {
      const at = known.find((c) => c.partition === partition)?.offset;
      if (at === undefined || at >= low) continue;
      found.push({
        level: 'warning',
        check: 'retention',
        message: `partition ${partition} of "${topic}" begins with offset ${low}, and the group stands at ${at}: messages between are gone`,
        fix: 'Raise retention.ms of the topic.',
      });
    }
  }
  return found;
}
