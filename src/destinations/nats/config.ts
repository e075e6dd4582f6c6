// Configuration of the `nats` destination: keys, defaults, and what the schema cannot say.

import { recordFormatKeys, recordFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Size, Type } from '../../sdk/index.ts';
import { templateProblems } from '../../systems/name-template.ts';
import { connectionKeys, connectionProblems } from '../../systems/nats/config.ts';
import { SubjectTemplate } from './subject-template.ts';

const streamDefaultsSchema = Keys(
  {
    subjects: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Subjects that it takes. Without: those that `subject` can make.',
        examples: [['cdc.>']],
      }),
    ),
    storage: Default(OneOf(['file', 'memory'], { description: 'Where it is kept.' }), 'file'),
    replicas: Default(Type.Integer({ minimum: 1, maximum: 5, description: 'Copies in a cluster.', examples: [3] }), 1),
    max_age: Default(Duration({ unit: 's', description: 'Messages older than this are removed; 0 = never.', examples: ['7d'] }), 0),
    max_bytes: Type.Optional(Size({ description: 'The stream has at most so many bytes.', examples: ['10GiB'] })),
    max_messages: Type.Optional(
      Type.Integer({ minimum: 1, description: 'The stream has at most so many messages.', examples: [1_000_000] }),
    ),
    discard: Default(
      OneOf(['old', 'new'], {
        description: 'When it is full: remove the oldest messages, or refuse new ones, which holds the pipeline up.',
      }),
      'old',
    ),
    duplicate_window: Default(
      Duration({
        unit: 's',
        minimum: 0.1,
        description: 'For so long the server knows messages by their id again; at most `max_age`.',
        examples: ['2m'],
      }),
      '2m',
    ),
  },
  { description: 'How the stream is made if it is missing.' },
);

export const configSchema = Keys(
  {
    ...connectionKeys,
    ...recordFormatKeys,
    subject: Default(
      Type.String({
        pattern: '^[^\\s.>*]+(\\.[^\\s.>*]+)*$',
        'x-expected': 'a subject without wildcards',
        description: 'Subject. `{database}`, `{schema}`, `{table}`, `{source}` are filled in, and `{topic}`: the one of the envelope.',
        examples: ['cdc.{database}.{schema}.{table}'],
      }),
      'cdc.{database}.{schema}.{table}',
    ),
    stream: Type.Optional(
      Type.String({
        pattern: '^[^\\s.*>/\\\\]+$',
        'x-expected': 'a name without dots, wildcards and blanks',
        description: 'JetStream stream that keeps the subjects. Without: the first word of `subject` in capitals.',
        examples: ['CDC'],
      }),
    ),
    create_stream: Default(
      Type.Boolean({ description: 'Make the stream if it is missing, and give one that is there what `atomic` needs.', examples: [true] }),
      true,
    ),
    stream_defaults: Default(streamDefaultsSchema, {}),
    atomic: Default(
      Type.Boolean({
        description:
          "Store each batch with the pipeline's place in one step: effectively-once. Needs NATS 2.12. false = message by message, at-least-once.",
        examples: [true],
      }),
      true,
    ),
    max_in_flight: Default(
      Type.Integer({ minimum: 1, maximum: 100_000, description: 'Without `atomic`: messages on their way at once.', examples: [4000] }),
      4000,
    ),
  },
  { description: 'Messages in JetStream streams.' },
);

export type NatsDestinationConfig = ConfigOf<typeof configSchema>;

/** `cdc.{table}` → `CDC`. `validate` has seen that there is one. */
export function streamNameOf({ stream, subject }: NatsDestinationConfig): string {
  return stream ?? (subject.split('.')[0] ?? '').toUpperCase().replace(/[^A-Z0-9_-]/g, '_');
}

/** What the schema cannot say. */
export function validate(config: NatsDestinationConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...recordFormatProblems(config), ...templateProblems('subject', config.subject)];
  if (/^[^.]*\{/.test(config.subject) && config.stream === undefined)
    problems.push({ path: ['stream'], message: 'a subject that begins with a placeholder names no stream', fix: 'Set `stream`.' });
  if (new SubjectTemplate(config.subject).pattern === null && config.create_stream && config.stream_defaults.subjects === undefined)
    problems.push({
      path: ['stream_defaults', 'subjects'],
      message: 'which subjects the stream takes cannot be told from `subject`',
      fix: 'List them, begin `subject` with a word of its own (cdc.{table}), or set `create_stream: false`.',
    });
  return problems;
}
