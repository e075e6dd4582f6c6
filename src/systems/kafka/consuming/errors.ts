// What went wrong at a Kafka source, and whether trying again can help: decided here and only here.

import { CdcError, type ErrorCode } from '../../../sdk/index.ts';
import type { TopicPartition } from '../client.ts';
import { messageOf, type Trouble, troubleOf } from '../driver-errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly fix: string;
}

const LOG = 'Look into the log of the brokers.';
const MEANINGS: Readonly<Record<Trouble, Meaning>> = {
  unreachable: { code: 'SOURCE_UNREACHABLE', retriable: true, fix: 'Check `bootstrap_servers`, and that the brokers run.' },
  login: { code: 'SOURCE_FORBIDDEN', retriable: false, fix: 'Check `security_protocol`, `sasl_mechanism`, the user and the password.' },
  certificate: { code: 'SOURCE_FORBIDDEN', retriable: false, fix: 'Check `ssl_ca`, `ssl_cert` and `ssl_key`, and the name of the broker.' },
  forbidden: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    fix: 'Allow the user to READ and DESCRIBE the topics, and to READ the group.',
  },
  // Also while a topic is made: what is missing for good, the check before each reading says.
  no_topic: { code: 'SOURCE_FAILED', retriable: true, fix: 'Create the topic, or correct `topic`.' },
  too_large: { code: 'SOURCE_FAILED', retriable: true, fix: LOG },
  refused_record: { code: 'SOURCE_FAILED', retriable: true, fix: LOG },
  fenced: { code: 'SOURCE_FAILED', retriable: true, fix: LOG },
  out_of_range: { code: 'SOURCE_POSITION_GONE', retriable: false, fix: 'See `SOURCE_POSITION_GONE`.' },
  rebalance: { code: 'SOURCE_FAILED', retriable: true, fix: 'Raise `session_timeout` if members lose their partitions often.' },
  temporary: { code: 'SOURCE_FAILED', retriable: true, fix: LOG },
  other: { code: 'SOURCE_FAILED', retriable: true, fix: LOG },
};

/** Any error of a call, with the component that it comes from. */
export function toKafkaError(error: unknown, where: string): CdcError {
  if (error instanceof CdcError) return error;
  const { code, retriable, fix } = MEANINGS[troubleOf(error)];
  return new CdcError(code, `Kafka: ${messageOf(error)}`, { where, fix, retriable, cause: error });
}

export function noTopic(names: readonly string[], where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `There is no topic ${names.map((n) => `"${n}"`).join(', ')}.`, {
    where,
    fix: 'Create it, or correct `topic` and `topics`.',
  });
}

/** Retention or an operator has removed what comes next. */
export function positionGone({ topic, partition }: TopicPartition, wanted: bigint, low: bigint, where: string): CdcError {
  const what = `Partition ${partition} of "${topic}" begins with offset ${low}, and offset ${wanted} is needed.`;
  return new CdcError('SOURCE_POSITION_GONE', what, {
    where,
    fix: `Move on with \`cdc-run offsets set\` to ${low - 1n} to accept the gap, and raise retention.ms of the topic.`,
  });
}

/** The partition ends before our place: the topic was made anew, or its log was cut. */
export function diverged({ topic, partition }: TopicPartition, wanted: bigint, high: bigint, where: string): CdcError {
  const what = `Partition ${partition} of "${topic}" ends with offset ${high}, and ${wanted} comes next: this is not the topic that was read before.`;
  return new CdcError('SOURCE_HISTORY_DIVERGED', what, {
    where,
    fix: 'If the topic was made anew, begin with it: `cdc-run forget`, or another `group_id` under another name of the source.',
  });
}

export function noOffset({ topic, partition }: TopicPartition, group: string, where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `Group "${group}" has no offset for partition ${partition} of "${topic}".`, {
    where,
    fix: 'Set `auto_offset_reset` to earliest or latest.',
  });
}
