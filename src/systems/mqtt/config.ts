// The configuration keys of a connection to an MQTT broker, the same for its source and its destination.

import { type ConfigProblem, Default, Duration, Keys, OneOf, Secret, type Static, Type } from '../../sdk/index.ts';
import { tlsKey, tlsProblems } from '../tls-keys.ts';
import { parseBroker, URL_EXAMPLE } from './endpoint.ts';

export const connectionKeys = {
  broker: Type.String({
    minLength: 1,
    description: 'Address of the broker; `mqtts://` is encrypted. The login stands in `username` and `password`.',
    examples: [URL_EXAMPLE],
  }),
  username: Type.Optional(Type.String({ description: 'User to log in as.', examples: ['cdc'] })),
  password: Type.Optional(Secret({ description: 'Password of the user.', examples: ['${MQTT_PASSWORD}'] })),
  tls: tlsKey,
  protocol_version: Default(
    OneOf(['5', '3.1.1'], { description: 'Version of MQTT. 3.1.1 carries no headers, key or id, and hides some refusals.' }),
    '5',
  ),
  connection_timeout: Default(
    Duration({ unit: 's', minimum: 0.001, description: 'How long to wait for a connection.', examples: ['10s'] }),
    '10s',
  ),
  keepalive: Default(
    Duration({ unit: 's', minimum: 1, description: 'Time between signs of life. A broker that gives none is gone.', examples: ['30s'] }),
    '30s',
  ),
};

export const qosKey = Default(
  Type.Union([Type.Literal(0), Type.Literal(1), Type.Literal(2)], {
    description: 'Quality of service. 0: messages may be lost. 1 and 2: none is.',
    examples: [1],
  }),
  1,
);

const CONNECTION = Keys(connectionKeys);
export type ConnectionConfig = Static<typeof CONNECTION>;

export function connectionProblems(config: ConnectionConfig): ConfigProblem[] {
  const problems = tlsProblems(config.tls),
    broker = parseBroker(config.broker);
  if (typeof broker === 'string') problems.push({ path: ['broker'], message: broker, fix: `Write ${URL_EXAMPLE}.` });
  if (config.password !== undefined && config.username === undefined)
    problems.push({ path: ['password'], message: 'a password needs a user', fix: 'Set `username`.' });
  return problems;
}
