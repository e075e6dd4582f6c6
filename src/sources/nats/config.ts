// Configuration of the `nats` source.

import { messageFormatKeys, messageFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems } from '../../systems/nats/config.ts';

const SUBJECT = '^([^\\s.>]+\\.)*([^\\s.>]+|>)$';
const subject = (description: string, example: string) =>
  Type.String({ pattern: SUBJECT, 'x-expected': 'a subject; * and > as in NATS', description, examples: [example] });

export const configSchema = Keys(
  {
    ...connectionKeys,
    subject: Type.Optional(subject('Subject; `*` stands for one word, `>` for the rest.', 'cdc.events')),
    subjects: Type.Optional(
      Type.Array(subject('Subject.', 'cdc.>'), {
        minItems: 1,
        uniqueItems: true,
        description: 'Several subjects of one stream.',
        examples: [['cdc.orders', 'cdc.users']],
      }),
    ),
    stream: Type.Optional(
      Type.String({
        pattern: '^[^\\s.*>/\\\\]+$',
        'x-expected': 'a name without dots, wildcards and blanks',
        description: 'JetStream stream. Without: the one that has the subject.',
        examples: ['CDC'],
      }),
    ),
    mode: Default(
      OneOf(['jetstream', 'core', 'auto'], {
        description:
          'jetstream: from a stream, at-least-once. core: what is published while we listen, at-most-once. auto: jetstream where the server has it, else core.',
        examples: ['jetstream'],
      }),
      'jetstream',
    ),
    durable_name: Type.Optional(
      Type.String({
        pattern: '^[^\\s.*>/\\\\]+$',
        'x-expected': 'a name without dots, wildcards and blanks',
        description: 'Durable consumer; made if it is not there. Processes with one name share the messages. Without: cdc_run_<pipeline>.',
        examples: ['cdc'],
      }),
    ),
    queue_group: Type.Optional(
      Type.String({
        pattern: '^\\S+$',
        'x-expected': 'a name without blanks',
        description: 'Mode core: processes of one group share the messages. Without: each gets all.',
        examples: ['cdc'],
      }),
    ),
    create_stream: Default(Type.Boolean({ description: 'Make a stream for the subject if no stream has it.', examples: [true] }), true),
    initial_position: Default(
      OneOf(['earliest', 'latest'], {
        description: 'Where a new consumer begins: at the first message that is there, or with those to come.',
      }),
      'earliest',
    ),
    ack_wait: Default(
      Duration({
        unit: 's',
        minimum: 0.1,
        description:
          'A new consumer: a message that is unfinished for this long is delivered again. Ours are kept alive while they are under way.',
        examples: ['10s'],
      }),
      '10s',
    ),
    max_ack_pending: Default(
      Type.Integer({ minimum: 1, description: 'A new consumer: unfinished messages at most, of all processes.', examples: [10_000] }),
      10_000,
    ),
    max_deliveries: Default(
      Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
        description: 'A message that was delivered more often than this and never finished goes to the dead letter queue; null = never.',
        examples: [10],
      }),
      null,
    ),
    ...messageFormatKeys,
  },
  { description: 'Reads a JetStream stream through a durable consumer, or subjects of core NATS.' },
);

export type NatsSourceConfig = ConfigOf<typeof configSchema>;

export const subjectsOf = ({ subject: one, subjects }: NatsSourceConfig): readonly string[] => subjects ?? (one === undefined ? [] : [one]);

/** What the schema cannot say. */
export function validate(config: NatsSourceConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...messageFormatProblems(config)];
  if (config.subject !== undefined && config.subjects !== undefined)
    problems.push({ path: ['subjects'], message: '"subjects" stands beside "subject"', fix: 'Keep one of the two.' });
  if (subjectsOf(config).length === 0 && (config.stream === undefined || config.mode === 'core'))
    problems.push({
      path: ['subject'],
      message: config.mode === 'core' ? 'core NATS has no streams: a subject is missing' : 'neither a subject nor a stream is named',
      fix: 'Set `subject`.',
    });
  if (config.mode === 'core')
    for (const key of ['stream', 'durable_name'] as const)
      if (config[key] !== undefined)
        problems.push({ path: [key], message: `"${key}" belongs to JetStream`, fix: 'Leave it out, or leave out `mode: core`.' });
  if (config.mode === 'jetstream' && config.queue_group !== undefined)
    problems.push({
      path: ['queue_group'],
      message: '"queue_group" belongs to core NATS',
      fix: 'Use `durable_name`, or set `mode: core`.',
    });
  return problems;
}

/** `cdc.events` → `CDC_EVENTS`: a stream that we make. */
export function streamNameFor(subjects: readonly string[]): string {
  return (
    (subjects[0] ?? 'cdc')
      .replace(/[.*>]+/g, '_')
      .replace(/[^A-Za-z0-9_-]/g, '_')
      .replace(/_+$/, '')
      .toUpperCase() || 'CDC'
  );
}
