// Configuration of the `rabbitmq` source.

import { messageFormatKeys, messageFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems, topologyKeys } from '../../systems/rabbitmq/config.ts';
import type { Topology } from '../../systems/rabbitmq/topology.ts';

export const configSchema = Keys(
  {
    ...connectionKeys,
    queue: Type.String({ minLength: 1, maxLength: 255, description: 'Queue.', examples: ['source_events'] }),
    exchange: Type.Optional(
      Type.String({ minLength: 1, maxLength: 127, description: 'Exchange to bind the queue to.', examples: ['events_exchange'] }),
    ),
    routing_key: Type.Optional(
      Type.Union([Type.String({ maxLength: 255 }), Type.Array(Type.String({ maxLength: 255 }), { minItems: 1 })], {
        description: 'Key of the binding, or several. Without: # (all).',
        examples: ['user.#'],
      }),
    ),
    ...topologyKeys,
    prefetch: Default(
      Type.Integer({
        minimum: 1,
        maximum: 65_535,
        description: 'Most messages in flight: given to us and not acknowledged yet. All of them may be in memory.',
        examples: [1000],
      }),
      1000,
    ),
    max_deliveries: Default(
      Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
        description:
          'A message that was delivered more often than this and never finished goes to the dead letter queue; null = never. Quorum queues count; of a classic queue only 1 is known.',
        examples: [20],
      }),
      null,
    ),
    table_from: Default(
      OneOf(['queue', 'routing_key'], { description: 'What {topic} in `table` stands for, and the table is named by without it.' }),
      'queue',
    ),
    ...messageFormatKeys,
  },
  { description: 'Reads a RabbitMQ queue, shared with other consumers.' },
);

export type RabbitmqSourceConfig = ConfigOf<typeof configSchema>;

export function bindingsOf({ routing_key: key }: RabbitmqSourceConfig): readonly string[] {
  return key === undefined ? ['#'] : typeof key === 'string' ? [key] : key;
}

export function topologyOf(config: RabbitmqSourceConfig): Topology {
  return {
    queue: config.queue,
    queueType: config.queue_type,
    exchange: config.exchange ?? null,
    exchangeType: config.exchange_type,
    bindings: bindingsOf(config),
  };
}

/** What the schema cannot say. */
export function validate(config: RabbitmqSourceConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...messageFormatProblems(config)];
  if (config.routing_key !== undefined && config.exchange === undefined)
    problems.push({
      path: ['routing_key'],
      message: 'a binding needs an exchange; the default exchange binds every queue by its name',
      fix: 'Set `exchange`, or leave `routing_key` out.',
    });
  if (config.exchange !== undefined && config.exchange_type === 'direct' && config.routing_key === undefined)
    problems.push({
      path: ['routing_key'],
      message: 'a direct exchange gives a queue what has the very key of its binding',
      fix: 'Set `routing_key`.',
    });
  return problems;
}
