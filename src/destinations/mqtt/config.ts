// Configuration of the `mqtt` destination.

import { recordFormatKeys, recordFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Keys, Size, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems, qosKey } from '../../systems/mqtt/config.ts';
import { isPlain } from '../../systems/mqtt/names.ts';
import { templateProblems } from '../../systems/name-template.ts';

export const configSchema = Keys(
  {
    ...connectionKeys,
    ...recordFormatKeys,
    topic: Default(
      Type.String({
        minLength: 1,
        description:
          'Topic. `{database}`, `{schema}`, `{table}`, `{source}` are filled in, and `{topic}`: that of the envelope. What an event lacks leaves no gap.',
        examples: ['cdc/{schema}/{table}'],
      }),
      'cdc/{schema}/{table}',
    ),
    qos: qosKey,
    retain: Default(Type.Boolean({ description: 'The broker keeps the last message of each topic for those who come later.' }), false),
    client_id: Type.Optional(
      Type.String({ minLength: 1, description: 'Our name at the broker. Without: one is made for each connection.', examples: ['cdc'] }),
    ),
    max_in_flight: Default(
      Type.Integer({
        minimum: 1,
        maximum: 65_535,
        description: 'Most messages that wait for their acknowledgement; fewer where the broker says so.',
        examples: [100],
      }),
      100,
    ),
    max_message_size: Type.Optional(
      Size({ description: 'Larger messages go to the dead letter queue. Without: what the broker says.', examples: ['256KiB'] }),
    ),
  },
  { description: 'Publishes changes to an MQTT broker.' },
);

export type MqttConfig = ConfigOf<typeof configSchema>;

/** What the schema cannot say. */
export function validate(config: MqttConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...recordFormatProblems(config), ...templateProblems('topic', config.topic)];
  if (/[+#]/.test(config.topic) || !isPlain(config.topic))
    problems.push({
      path: ['topic'],
      message: 'a topic to publish to has no wildcards and no control characters',
      fix: 'Leave + and # out, and what cannot be seen.',
    });
  return problems;
}
