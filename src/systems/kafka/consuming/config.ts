// The configuration keys of those who read topics as a member of a consumer group, and what a schema cannot say about them.

import { messageFormatKeys } from '../../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Size, Type } from '../../../sdk/index.ts';
import { connectionKeys } from '../config.ts';

const watermarkSchema = Keys(
  {
    column: Type.String({ minLength: 1, description: 'Field of the message that tells when it happened.', examples: ['event_timestamp'] }),
    type: Default(
      OneOf(['timestamp', 'integer'], {
        description: 'timestamp: ISO 8601 text, or a number as `unit` says. integer: a number as `unit` says.',
        examples: ['timestamp'],
      }),
      'timestamp',
    ),
    unit: Default(OneOf(['s', 'ms', 'us', 'ns'], { description: 'What a number counts since 1970.', examples: ['ms'] }), 'ms'),
  },
  {
    description:
      'Where messages tell when they happened: for lag, order between sources and windows. Reading goes by offsets all the same. Without, and where the field is missing: the time of the record.',
  },
);

export const consumingKeys = {
  topic: Type.Optional(Type.String({ minLength: 1, description: 'Topic to read.', examples: ['user_events'] })),
  topics: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      uniqueItems: true,
      description: 'Topics to read; `*` stands for any letters, in those that exist at the start.',
      examples: [['user_events', 'orders.*']],
    }),
  ),
  group_id: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Consumer group. Several processes with the same one share the partitions. Without: `cdc-run.<pipeline>.<source>`.',
      examples: ['cdc_consumer'],
    }),
  ),
  auto_offset_reset: Default(
    OneOf(['earliest', 'latest', 'none'], {
      description: 'Where a partition begins that neither the pipeline nor the group knows; none: it is an error.',
      examples: ['earliest'],
    }),
    'earliest',
  ),
  isolation_level: Default(
    OneOf(['read_committed', 'read_uncommitted'], { description: 'Whether records of open and aborted transactions are left out.' }),
    'read_committed',
  ),
  watermark: Type.Optional(watermarkSchema),
  session_timeout: Default(
    Duration({
      unit: 's',
      minimum: 1,
      description: 'A member of the group that is silent for this long loses its partitions.',
      examples: ['30s'],
    }),
    '30s',
  ),
  rebalance_timeout: Default(
    Duration({
      unit: 's',
      minimum: 1,
      description: 'How long what was read may take to be delivered before partitions go to another member.',
      examples: ['60s'],
    }),
    '60s',
  ),
  metadata_max_age: Default(
    Duration({ unit: 's', minimum: 1, description: 'How often partitions are looked for that were added.', examples: ['60s'] }),
    '60s',
  ),
  fetch_max_bytes: Default(
    Size({ description: 'Most bytes of one partition in one answer; a larger record comes all the same.', examples: ['1MiB'] }),
    '1MiB',
  ),
};

const CONSUMING = Keys({ ...connectionKeys, ...messageFormatKeys, ...consumingKeys });
export type ConsumingConfig = ConfigOf<typeof CONSUMING>;

type Topics = Pick<ConsumingConfig, 'topic' | 'topics'>;

/** As they are written, patterns included. */
export const topicsOf = ({ topic, topics }: Topics): string[] => [...(topic === undefined ? [] : [topic]), ...(topics ?? [])];

export const missingTopic: ConfigProblem = { path: ['topic'], message: 'no topic is named', fix: 'Set `topic` or `topics`.' };

export function consumingProblems(config: Topics & Pick<ConsumingConfig, 'session_timeout' | 'rebalance_timeout'>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (config.topic !== undefined && config.topics !== undefined)
    problems.push({ path: ['topic'], message: '"topic" stands beside "topics"', fix: 'Keep one of the two.' });
  if (config.session_timeout > config.rebalance_timeout)
    problems.push({
      path: ['session_timeout'],
      message: 'is longer than "rebalance_timeout"',
      fix: 'Let a division of partitions take at least as long as the silence of a member.',
    });
  return problems;
}
