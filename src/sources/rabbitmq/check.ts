// What can be found out before anything is read: reachable, encryption, the exchange, the queue.

import type { CdcError, Finding } from '../../sdk/index.ts';
import type { Connection } from '../../systems/rabbitmq/connection.ts';
import { describeEndpoint, type Endpoint } from '../../systems/rabbitmq/endpoint.ts';
import { error, ok, serverFindings, warning } from '../../systems/rabbitmq/findings.ts';
import { look, readyIn } from '../../systems/rabbitmq/topology.ts';
import { type RabbitmqSourceConfig, topologyOf } from './config.ts';

type Use = <T>(work: (connection: Connection) => Promise<T>) => Promise<T>;

/** Never throws for what it can name. */
export async function* findings(config: RabbitmqSourceConfig, endpoint: Endpoint, use: Use): AsyncIterable<Finding> {
  try {
    yield* await use((connection) => found(connection, config, endpoint));
  } catch (cause) {
    const { code, message, fix } = cause as CdcError;
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look at the server.' };
  }
}

async function found(connection: Connection, config: RabbitmqSourceConfig, endpoint: Endpoint): Promise<Finding[]> {
  const { queue, exchange, declare } = config,
    all = [...serverFindings(connection, endpoint, describeEndpoint(endpoint))],
    there = await look(connection, topologyOf(config));
  if (there.queue) all.push(ok('queue', `the queue ${queue} is there, ${await readyIn(connection, queue)} messages wait in it`));
  else if (declare) all.push(warning('queue', `the queue ${queue} is not there yet: it will be made`, 'Make sure that its name is right.'));
  else all.push(error('queue', `there is no queue ${queue}`, 'Make it, or set `declare: true`.', 'SOURCE_MISCONFIGURED'));
  if (exchange === undefined) return all;
  if (there.exchange) all.push(ok('exchange', `the exchange ${exchange} is there`));
  else if (declare)
    all.push(warning('exchange', `the exchange ${exchange} is not there yet: it will be made`, 'Make sure that its name is right.'));
  else all.push(error('exchange', `there is no exchange ${exchange}`, 'Make it, or set `declare: true`.', 'SOURCE_MISCONFIGURED'));
  return all;
}
