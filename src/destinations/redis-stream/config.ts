// Configuration of the `redis_stream` destination.

import { recordFormatKeys, recordFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems } from '../../systems/redis/config.ts';
import { commonTag, type Part, parseTemplate, wordsOf } from '../../systems/redis/template.ts';

const WORDS: readonly string[] = ['topic', 'database', 'schema', 'table'];

export const configSchema = Keys(
  {
    ...connectionKeys,
    ...recordFormatKeys,
    stream_name: Default(
      Type.String({
        minLength: 1,
        description:
          'Stream. `{topic}`, `{database}`, `{schema}` and `{table}` stand for those of the event; `{topic}` is `schema.table` unless the envelope says otherwise. `{{` and `}}` are braces of the name: in a cluster all streams need one hash tag, as in `{{cdc}}:{table}`.',
        examples: ['processed_events'],
      }),
      '{topic}',
    ),
    max_length: Default(
      Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
        description: 'Streams are trimmed to about this many entries, read or not; null = never.',
        examples: [10_000],
      }),
      null,
    ),
    wait_replicas: Default(
      Type.Integer({
        minimum: 0,
        description: 'How many replicas must have a batch before it counts as stored. With 0 a failover may lose what was confirmed.',
        examples: [1],
      }),
      0,
    ),
    wait_timeout: Default(
      Duration({ unit: 's', minimum: 0.001, description: 'How long to wait for replicas at once.', examples: ['5s'] }),
      '5s',
    ),
  },
  { description: "Appends changes to Redis streams, with the pipeline's place in the same step." },
);

export type RedisStreamConfig = ConfigOf<typeof configSchema>;

/** The template's parts. `validate` has seen that there are. */
export function streamParts(config: RedisStreamConfig): readonly Part[] {
  const parts = parseTemplate(config.stream_name);
  return typeof parts === 'string' ? [] : parts;
}

/** What the schema cannot say. */
export function validate(config: RedisStreamConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...recordFormatProblems(config)];
  const parts = parseTemplate(config.stream_name),
    path = ['stream_name'];
  if (typeof parts === 'string') return [...problems, { path, message: parts, fix: 'Write cdc.{schema}.{table}.' }];
  for (const word of wordsOf(parts).filter((w) => !WORDS.includes(w)))
    problems.push({ path, message: `"{${word}}" is not known`, fix: `Use ${WORDS.map((w) => `{${w}}`).join(', ')}.` });
  if (config.cluster !== undefined && commonTag(parts) === null)
    problems.push({
      path,
      message: 'in a cluster all streams must lie on one node, since a batch is stored in one step',
      fix: 'Begin the name with a hash tag: "{{cdc}}:{table}".',
    });
  return problems;
}
