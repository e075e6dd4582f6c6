// Configuration of the `kafka` source: keys, defaults, and what the schema cannot say.

import { messageFormatKeys, messageFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Keys } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems } from '../../systems/kafka/config.ts';
import { consumingKeys, consumingProblems, missingTopic, topicsOf } from '../../systems/kafka/consuming/config.ts';

export const configSchema = Keys(
  { ...connectionKeys, ...messageFormatKeys, ...consumingKeys },
  { description: 'Messages of Kafka topics, as a member of a consumer group.' },
);

export type KafkaSourceConfig = ConfigOf<typeof configSchema>;

/** What the schema cannot say. */
export const validate = (config: KafkaSourceConfig): ConfigProblem[] => [
  ...connectionProblems(config),
  ...messageFormatProblems(config),
  ...(topicsOf(config).length === 0 ? [missingTopic] : []),
  ...consumingProblems(config),
];
