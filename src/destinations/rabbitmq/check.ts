// What can be found out before anything is written: reachable, encryption, the exchange, the queue.

import type { CdcError, Finding } from '../../sdk/index.ts';
import type { Connection } from '../../systems/rabbitmq/connection.ts';
import { describeEndpoint, type Endpoint } from '../../systems/rabbitmq/endpoint.ts';
import { error, ok, serverFindings, warning } from '../../systems/rabbitmq/findings.ts';
import { look } from '../../systems/rabbitmq/topology.ts';
import { type RabbitmqConfig, routingKeyOf, topologyOf } from './config.ts';

type Use = <T>(work: (connection: Connection) => Promise<T>) => Promise<T>;

/** Never throws for what it can name. */
export async function* findings(config: RabbitmqConfig, endpoint: Endpoint, use: Use): AsyncIterable<Finding> {
  try {
    yield* await use((connection) => found(connection, config, endpoint));
  } catch (cause) {
    const { code, message, fix } = cause as CdcError;
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look at the server.' };
  }
}

async function found(connection: Connection, config: RabbitmqConfig, endpoint: Endpoint): Promise<Finding[]> {
  const { exchange, declare } = config,
    routingKey = routingKeyOf(config),
    // The default exchange gives a message to the queue that the routing key names.
    queue = config.queue ?? (exchange === undefined && !routingKey.includes('{') ? routingKey : undefined);
  const all = [...serverFindings(connection, endpoint, describeEndpoint(endpoint))],
    there = await look(connection, { ...topologyOf(config), queue: queue ?? null });
  const thing = (name: string, what: string, isThere: boolean, isMade: boolean): Finding =>
    isThere
      ? ok(what, `the ${what} ${name} is there`)
      : isMade
        ? ok(what, `the ${what} ${name} will be made`)
        : error(what, `there is no ${what} ${name}`, 'Make it, or set `declare: true`.', 'DESTINATION_MISCONFIGURED');
  if (exchange !== undefined) all.push(thing(exchange, 'exchange', there.exchange, declare));
  if (queue !== undefined) all.push(thing(queue, 'queue', there.queue, declare && config.queue !== undefined));
  if (!config.mandatory)
    all.push(warning('mandatory', 'the server drops messages that no queue is bound for without a word', 'Set `mandatory: true`.'));
  if (!config.persistent) all.push(warning('durability', 'messages are lost when the server restarts', 'Set `persistent: true`.'));
  return all;
}
