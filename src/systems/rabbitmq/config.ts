// The configuration keys of a connection to RabbitMQ and of what is declared there, the same for its source and its destination.

import { type ConfigProblem, Default, Duration, Keys, OneOf, Secret, type Static, Type } from '../../sdk/index.ts';
import { tlsKey, tlsProblems } from '../tls-keys.ts';
import { parseUrl, URL_EXAMPLE } from './connection-url.ts';

/** Where the server is, who logs in, how the connection is encrypted. */
export const connectionKeys = {
  url: Type.Optional(
    Secret({
      description: 'Connection URL; `amqps://` is encrypted. Excludes `host`, `port`, `username`, `password`, `vhost`.',
      examples: [URL_EXAMPLE],
    }),
  ),
  host: Type.Optional(Type.String({ minLength: 1, description: 'Host name or address. Without: localhost.', examples: ['localhost'] })),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: 'Port. Without: 5672, encrypted 5671.', examples: [5672] })),
  username: Type.Optional(Type.String({ description: 'User to log in as. Without: guest.', examples: ['cdc'] })),
  password: Type.Optional(Secret({ description: 'Password. Without: guest.', examples: ['${RABBITMQ_PASSWORD}'] })),
  vhost: Type.Optional(Type.String({ minLength: 1, description: 'Virtual host. Without: /.', examples: ['/'] })),
  tls: tlsKey,
  connection_timeout: Default(
    Duration({ unit: 's', minimum: 0.001, description: 'How long to wait for a connection.', examples: ['10s'] }),
    '10s',
  ),
  heartbeat: Default(
    Duration({
      unit: 's',
      minimum: 1,
      description: 'Time between signs of life. A peer that gives none for twice as long is gone.',
      examples: ['10s'],
    }),
    '10s',
  ),
};

const QUEUE_TYPES = ['quorum', 'classic'] as const;
const EXCHANGE_TYPES = ['topic', 'direct', 'fanout', 'headers'] as const;

export const topologyKeys = {
  exchange_type: Default(OneOf(EXCHANGE_TYPES, { description: 'Type of the exchange, where it is made.' }), 'topic'),
  queue_type: Default(
    OneOf(QUEUE_TYPES, { description: 'Type of the queue, where it is made. `quorum`: replicated, and the faster of the two.' }),
    'quorum',
  ),
  declare: Default(
    Type.Boolean({
      description: 'Make the queue, the exchange and the binding where they are missing; false = they must be there.',
      examples: [true],
    }),
    true,
  ),
};

const CONNECTION = Keys(connectionKeys);
export type ConnectionConfig = Static<typeof CONNECTION>;

export function connectionProblems(config: ConnectionConfig): ConfigProblem[] {
  const problems = tlsProblems(config.tls);
  if (config.url === undefined) return problems;
  for (const key of ['host', 'port', 'username', 'password', 'vhost'] as const)
    if (config[key] !== undefined)
      problems.push({
        path: [key],
        message: `"${key}" stands beside "url"`,
        fix: `Put it into the URL, or write "${key}" and its siblings instead of "url".`,
      });
  const url = parseUrl(config.url);
  if (typeof url === 'string') problems.push({ path: ['url'], message: url, fix: `Write ${URL_EXAMPLE}.` });
  return problems;
}
