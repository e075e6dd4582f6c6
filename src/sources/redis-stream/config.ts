// Configuration of the `redis_stream` source.

import { messageFormatKeys, messageFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems } from '../../systems/redis/config.ts';

export const configSchema = Keys(
  {
    ...connectionKeys,
    stream_name: Type.String({ minLength: 1, description: 'Stream.', examples: ['events'] }),
    consumer_group: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Consumer group; made if it is not there. Processes of one group share the entries. Without: cdc_run_<pipeline>.',
        examples: ['cdc_group'],
      }),
    ),
    consumer_name: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Our name in the group: one per process, and the same after a restart. Without: one is made and kept in the state.',
        examples: ['cdc_worker_1'],
      }),
    ),
    initial_position: Default(
      OneOf(['earliest', 'latest'], { description: 'Where a new group begins: at the first entry that is there, or with those to come.' }),
      'earliest',
    ),
    claim_after: Default(
      Duration({
        unit: 's',
        minimum: 0.001,
        description: 'Take over what another consumer of the group has left unfinished for this long: it counts as dead.',
        examples: ['60s'],
      }),
      '60s',
    ),
    max_deliveries: Default(
      Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
        description: 'An entry that was delivered more often than this and never finished goes to the dead letter queue; null = never.',
        examples: [10],
      }),
      null,
    ),
    entry: Type.Optional(
      OneOf(['fields', 'value'], {
        description:
          'What an entry holds: `fields` = the columns of a row, as text; `value` = a message in the field `value`, its key in `key`, headers in `header.<name>`, as the destination `redis_stream` writes them. Without: `value` where a format or an envelope is named, else `fields`.',
      }),
    ),
    ...messageFormatKeys,
  },
  { description: 'Reads a Redis stream as a member of a consumer group.' },
);

export type RedisStreamSourceConfig = ConfigOf<typeof configSchema>;

export function entryKindOf({ entry, message_format, format, envelope }: RedisStreamSourceConfig): 'fields' | 'value' {
  return entry ?? (message_format !== undefined || format !== undefined || envelope !== 'row' ? 'value' : 'fields');
}

/** What the schema cannot say. */
export function validate(config: RedisStreamSourceConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...messageFormatProblems(config)];
  if (config.entry !== 'fields') return problems;
  for (const key of ['message_format', 'format', 'key_format', 'value_schema', 'csv'] as const)
    if (config[key] !== undefined)
      problems.push({ path: [key], message: 'an entry of fields has no format', fix: 'Set entry: value, or leave it out.' });
  if (config.envelope !== 'row')
    problems.push({ path: ['envelope'], message: 'an entry of fields has no envelope', fix: 'Set entry: value, or leave it out.' });
  return problems;
}
