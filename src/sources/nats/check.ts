// What can be found out before anything is read: reachable, JetStream, the stream, the consumer.

import type { CdcError, Finding } from '../../sdk/index.ts';
import { describeServers } from '../../systems/nats/config.ts';
import type { Connections, Session } from '../../systems/nats/connections.ts';
import { problemOf } from '../../systems/nats/driver-errors.ts';
import { type NatsSourceConfig, streamNameFor, subjectsOf } from './config.ts';
import type { DurableConsumer } from './consumer.ts';
import { misconfigured } from './consumer.ts';
import { classify } from './errors.ts';

const AT_MOST_ONCE: Finding = {
  level: 'warning',
  check: 'guarantee',
  message: 'core NATS keeps nothing: messages that are published while we do not listen, or faster than they are delivered, are lost',
  fix: 'Use JetStream (`mode: jetstream`).',
};

/** Never throws for what it can name. */
export async function* findings(
  config: NatsSourceConfig,
  connections: Connections,
  consumer: DurableConsumer,
  where: string,
): AsyncIterable<Finding> {
  const server = describeServers(config);
  try {
    yield* await connections.use(null, async (session) => [
      { level: 'ok', check: 'reachable', message: `NATS ${session.connected.version.join('.')} at ${server}` } as const,
      ...(config.mode === 'core' ? [AT_MOST_ONCE] : await jetStreamFindings(config, session, consumer)),
    ]);
  } catch (error) {
    const { code, message, fix } = classify(error, server, where);
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look at the log of the server.' };
  }
}

async function jetStreamFindings(config: NatsSourceConfig, session: Session, consumer: DurableConsumer): Promise<Finding[]> {
  try {
    await session.connected.jsm.getAccountInfo();
  } catch (error) {
    const { kind } = problemOf(error);
    if (config.mode === 'auto' && (kind === 'no_jetstream' || kind === 'away')) return [AT_MOST_ONCE];
    throw error;
  }
  const found = await consumer.find(session);
  if (found === null) return [missingStream(config)];
  const stream: Finding = { level: 'ok', check: 'stream', message: `the stream ${found.stream} is there` };
  if (found.consumer === null) return [stream, { level: 'ok', check: 'consumer', message: `the consumer ${consumer.name} will be made` }];
  const { num_pending, num_ack_pending, config: own } = found.consumer,
    problems = found.problems.map(refusal);
  const there: Finding = {
    level: 'ok',
    check: 'consumer',
    message: `the consumer ${consumer.name} is there: ${num_ack_pending} messages unfinished, ${num_pending} not delivered yet`,
  };
  const limited: Finding[] =
    (own.max_deliver ?? -1) > 0
      ? [
          {
            level: 'warning',
            check: 'consumer',
            message: `the server delivers a message ${own.max_deliver} times: one that was not finished by then stays in the stream, and nobody gets it`,
            fix: 'Set max_deliver to -1, and `max_deliveries` here.',
          },
        ]
      : [];
  return [stream, ...(problems.length > 0 ? problems : [there]), ...limited];
}

function missingStream(config: NatsSourceConfig): Finding {
  const subjects = subjectsOf(config),
    name = config.stream ?? streamNameFor(subjects);
  if (config.create_stream && subjects.length > 0)
    return {
      level: 'warning',
      check: 'stream',
      message: `the stream ${name} is not there yet: it will be made`,
      fix: 'Make sure that the subject is right.',
    };
  return refusal(misconfigured(`no stream has ${subjects.join(', ') || `the name ${name}`}`, 'Create it, or set `create_stream: true`.'));
}

function refusal({ code, message, fix }: CdcError): Finding {
  return { level: 'error', check: 'consumer', message, code, fix: fix ?? 'Look at the consumer.' };
}
