// Configuration of the `mqtt` source.

import { messageFormatKeys, messageFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems, qosKey } from '../../systems/mqtt/config.ts';
import { filterProblem } from './filters.ts';

export const configSchema = Keys(
  {
    ...connectionKeys,
    topics: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Topics; `+` stands for one level, `#` at the end for all below. `$share/<group>/…` shares them with others.',
        examples: [['sensors/+/temperature']],
      }),
    ),
    topic: Type.Optional(Type.String({ minLength: 1, description: 'One topic, in place of `topics`.', examples: ['sensors/#'] })),
    qos: qosKey,
    client_id: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Our name at the broker, which keeps the session by it: one per process. Without: one is made and kept in the state.',
        examples: ['cdc'],
      }),
    ),
    clean: Default(
      Type.Boolean({ description: 'Begin without a session: what came while we were away is lost.', examples: [true] }),
      false,
    ),
    session_expiry: Default(
      Duration({
        unit: 's',
        minimum: 1,
        description: 'How long the broker keeps messages for us while we are away. 3.1.1: as the broker is set.',
        examples: ['7d'],
      }),
      '7d',
    ),
    retain: Default(OneOf(['use', 'ignore'], { description: 'What to do with messages that were retained before we subscribed.' }), 'use'),
    receive_maximum: Default(
      Type.Integer({
        minimum: 1,
        maximum: 65_535,
        description: 'Most messages in flight: given to us and not acknowledged yet. All of them may be in memory.',
        examples: [1000],
      }),
      1000,
    ),
    idle_timeout: Default(
      Duration({
        unit: 's',
        minimum: 0.05,
        description: 'A run that ends (one_time) does so when no message has come for this long.',
        examples: ['2s'],
      }),
      '2s',
    ),
    ...messageFormatKeys,
  },
  { description: 'Reads topics of an MQTT broker.' },
);

export type MqttSourceConfig = ConfigOf<typeof configSchema>;

export function filtersOf({ topics, topic }: MqttSourceConfig): readonly string[] {
  return topics ?? (topic === undefined ? [] : [topic]);
}

/** What the schema cannot say. */
export function validate(config: MqttSourceConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...messageFormatProblems(config)];
  if ((config.topics === undefined) === (config.topic === undefined))
    problems.push({ path: ['topics'], message: 'the topics stand in one of "topics" and "topic"', fix: 'Set one of the two.' });
  for (const [i, filter] of filtersOf(config).entries()) {
    const message = filterProblem(filter);
    if (message !== null)
      problems.push({ path: config.topics === undefined ? ['topic'] : ['topics', i], message, fix: 'Write sensors/+/temperature.' });
  }
  return problems;
}
