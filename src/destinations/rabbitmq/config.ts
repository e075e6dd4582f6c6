// Configuration of the `rabbitmq` destination.

import { recordFormatKeys, recordFormatProblems } from '../../formats/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Size, Type } from '../../sdk/index.ts';
import { templateProblems } from '../../systems/name-template.ts';
import { connectionKeys, connectionProblems, topologyKeys } from '../../systems/rabbitmq/config.ts';
import type { Topology } from '../../systems/rabbitmq/topology.ts';

const key = Type.String({ maxLength: 255 });

export const configSchema = Keys(
  {
    ...connectionKeys,
    ...recordFormatKeys,
    queue: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'Queue that gets the messages: bound to the exchange, or without one reached by its name.',
        examples: ['processed_events'],
      }),
    ),
    exchange: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 127,
        description: 'Exchange to publish to. Without: the default one, which gives a message to the queue that `routing_key` names.',
        examples: ['processed_exchange'],
      }),
    ),
    routing_key: Type.Optional(
      Type.String({
        description:
          'Routing key. `{database}`, `{schema}`, `{table}`, `{source}` are filled in, and `{topic}`: that of the envelope. Without: `{topic}`, or without an exchange the name of the queue.',
        examples: ['{schema}.{table}'],
      }),
    ),
    binding_key: Type.Optional(
      Type.Union([key, Type.Array(key, { minItems: 1 })], {
        description:
          'Key of the binding between exchange and queue, or several. Without: # (all), and for a direct exchange `routing_key`.',
        examples: ['#'],
      }),
    ),
    ...topologyKeys,
    persistent: Default(Type.Boolean({ description: 'Messages survive a restart of the server.', examples: [true] }), true),
    mandatory: Default(
      Type.Boolean({
        description: 'A message that no queue is bound for is an error; false = the server drops it without a word.',
        examples: [true],
      }),
      true,
    ),
    on_unroutable: Default(
      OneOf(['dead_letter', 'wait'], {
        description: 'When no queue takes a message: put the event into the dead letter queue, or try until one does.',
      }),
      'dead_letter',
    ),
    max_message_size: Type.Optional(
      Size({ description: 'Larger messages go to the dead letter queue. Without: what the server refuses does.', examples: ['16MiB'] }),
    ),
  },
  { description: 'Publishes changes to RabbitMQ.' },
);

export type RabbitmqConfig = ConfigOf<typeof configSchema>;

export function routingKeyOf({ routing_key, exchange, queue }: RabbitmqConfig): string {
  return routing_key ?? (exchange === undefined ? (queue ?? '') : '{topic}');
}

export function topologyOf(config: RabbitmqConfig): Topology {
  const { binding_key: given, exchange_type: type } = config;
  return {
    queue: config.queue ?? null,
    queueType: config.queue_type,
    exchange: config.exchange ?? null,
    exchangeType: type,
    bindings: given === undefined ? [type === 'direct' ? routingKeyOf(config) : '#'] : typeof given === 'string' ? [given] : given,
  };
}

/** What the schema cannot say. */
export function validate(config: RabbitmqConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...recordFormatProblems(config), ...templateProblems('routing_key', config.routing_key)];
  const { queue, exchange, routing_key: routingKey } = config;
  if (queue === undefined && exchange === undefined && routingKey === undefined)
    problems.push({ path: ['queue'], message: 'nothing says where the messages go', fix: 'Set `exchange`, `queue`, or both.' });
  if (queue !== undefined && exchange === undefined && routingKey !== undefined && routingKey !== queue)
    problems.push({
      path: ['routing_key'],
      message: 'without an exchange the routing key is the name of the queue',
      fix: 'Leave `routing_key` or `queue` out, or set `exchange`.',
    });
  if (config.binding_key !== undefined && (queue === undefined || exchange === undefined))
    problems.push({ path: ['binding_key'], message: 'a binding joins an exchange and a queue', fix: 'Set both, or leave it out.' });
  if (
    queue !== undefined &&
    exchange !== undefined &&
    config.exchange_type === 'direct' &&
    config.binding_key === undefined &&
    routingKeyOf(config).includes('{')
  )
    problems.push({
      path: ['binding_key'],
      message: 'a direct exchange gives a queue what has the very key of its binding, and ours differ',
      fix: 'List the keys in `binding_key`, or set `exchange_type: topic`.',
    });
  return problems;
}
