// Configuration of the `redis` destination.

import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems } from '../../systems/redis/config.ts';
import { commonTag, type Part, parseTemplate } from '../../systems/redis/template.ts';

export const configSchema = Keys(
  {
    ...connectionKeys,
    key_pattern: Default(
      Type.String({
        minLength: 1,
        description:
          'Key of a row. `{user_id}` stands for the value of that column; `{key}` for the key of the row, its values joined by `:`; `{database}`, `{schema}` and `{table}` for those of the event, where the row has no such column. `{{` and `}}` are braces of the key itself.',
        examples: ['event:{user_id}'],
      }),
      '{table}:{key}',
    ),
    mode: Default(
      OneOf(['json', 'hash', 'set', 'string', 'delete', 'publish'], {
        description:
          'What a change does with the key: `json` = the row as JSON text; `hash` = its columns as fields of a hash; `set` = the record of the envelope (`string` is the same); `delete` = the key is removed, so that the next reader fills the cache anew; `publish` = the record is sent to the subscribers of `channel`.',
      }),
      'json',
    ),
    ttl: Default(
      Type.Union([Duration({ unit: 's', minimum: 0.001, description: 'Time.' }), Type.Null()], {
        description: 'Keys vanish this long after their last change; null = never.',
        examples: ['1h'],
      }),
      null,
    ),
    channel: Type.Optional(
      Type.String({ minLength: 1, description: 'Mode publish: the channel, a pattern like `key_pattern`.', examples: ['events.{table}'] }),
    ),
    keep_point: Default(
      Type.Boolean({
        description:
          "Keep the pipeline's place beside the keys and move it in the same step. Off: a batch may be written twice after a crash, and the server may evict any key. In a cluster only with one hash tag for all keys.",
      }),
      true,
    ),
    wait_replicas: Default(
      Type.Integer({
        minimum: 0,
        description: 'With `keep_point`: how many replicas must have a batch before it counts as stored.',
        examples: [1],
      }),
      0,
    ),
    wait_timeout: Default(
      Duration({ unit: 's', minimum: 0.001, description: 'How long to wait for replicas at once.', examples: ['5s'] }),
      '5s',
    ),
  },
  { description: 'Keeps a cache in Redis up to date: rows as keys, or keys removed when their rows change.' },
);

export type RedisConfig = ConfigOf<typeof configSchema>;
export type Mode = 'json' | 'hash' | 'set' | 'delete' | 'publish';

export const modeOf = ({ mode }: RedisConfig): Mode => (mode === 'string' ? 'set' : mode);

/** What makes the key, or the channel. `validate` has seen that it can be read. */
export function partsOf(config: RedisConfig): readonly Part[] {
  const parts = parseTemplate(modeOf(config) === 'publish' ? (config.channel ?? '') : config.key_pattern);
  return typeof parts === 'string' ? [] : parts;
}

/** All keys lie on one node, so that a batch can be one step. */
export function holdsPoint(config: RedisConfig): boolean {
  return config.keep_point && (config.cluster === undefined || commonTag(partsOf(config)) !== null);
}

/** What the schema cannot say. */
export function validate(config: RedisConfig): ConfigProblem[] {
  const problems = connectionProblems(config),
    isPublish = config.mode === 'publish';
  if (isPublish && config.channel === undefined)
    problems.push({ path: ['channel'], message: 'nothing says where to publish', fix: 'Set channel: events.{table}.' });
  if (!isPublish && config.channel !== undefined)
    problems.push({ path: ['channel'], message: '"channel" is for mode publish', fix: 'Set mode: publish, or leave it out.' });
  if (config.ttl !== null && ['delete', 'publish'].includes(config.mode))
    problems.push({ path: ['ttl'], message: `mode ${config.mode} leaves no keys behind`, fix: 'Leave it out.' });
  const [name, template] = isPublish ? ['channel', config.channel ?? 'x'] : ['key_pattern', config.key_pattern],
    parts = parseTemplate(template as string);
  if (typeof parts === 'string') return [...problems, { path: [name as string], message: parts, fix: 'Write event:{user_id}.' }];
  if (!parts.some((p) => 'word' in p) && !isPublish)
    problems.push({ path: ['key_pattern'], message: 'all rows would have the same key', fix: 'Write event:{user_id}.' });
  if (config.wait_replicas > 0 && !holdsPoint(config))
    problems.push({
      path: ['wait_replicas'],
      message: "without the pipeline's place in Redis nothing is waited for",
      fix: 'Set keep_point, in a cluster with a hash tag: "{{shop}}:{table}:{key}".',
    });
  return problems;
}
