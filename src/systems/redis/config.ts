// The configuration keys of a connection to Redis, the same for its source and its destinations, and what a schema cannot say
// about them.

import { type ConfigProblem, Default, Duration, Keys, Secret, type Static, Type } from '../../sdk/index.ts';
import { parseNode, parseUrl, URL_EXAMPLE } from './connection-url.ts';

const port = { minimum: 1, maximum: 65_535 };

const tlsSchema = Keys(
  {
    ca: Type.Optional(
      Type.String({
        description: "File with the certificates (PEM) of the authorities to trust, instead of the system's.",
        examples: ['certs/ca.pem'],
      }),
    ),
    cert: Type.Optional(
      Type.String({ description: 'File with our certificate (PEM), where the server asks clients for one.', examples: ['client.pem'] }),
    ),
    key: Type.Optional(Type.String({ description: 'File with the private key (PEM) of `cert`.', examples: ['client.key'] })),
    verify: Default(Type.Boolean({ description: 'Check the name and the chain of the certificate of the server.' }), true),
  },
  { description: 'An encrypted connection.' },
);

const nodes = (what: string, example: string) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: what, examples: [[example]] });

const sentinelSchema = Keys(
  {
    master: Type.String({ minLength: 1, description: 'Name of the master in the sentinels.', examples: ['mymaster'] }),
    nodes: nodes('The sentinels, as host:port.', 'sentinel-1:26379'),
    username: Type.Optional(Type.String({ description: 'User of the sentinels.', examples: ['cdc'] })),
    password: Type.Optional(Secret({ description: 'Password of the sentinels.', examples: ['${SENTINEL_PASSWORD}'] })),
    tls: Default(Type.Boolean({ description: 'The sentinels are encrypted as the server is.' }), false),
  },
  { description: 'Ask sentinels where the master is, in place of `host` and `port`.' },
);

const clusterSchema = Keys(
  { nodes: nodes('Some nodes of the cluster, as host:port; they tell the others.', 'redis-1:6379') },
  { description: 'A Redis Cluster, in place of `host` and `port`.' },
);

/** Where the server is, who logs in, how the connection is encrypted. */
export const connectionKeys = {
  url: Type.Optional(
    Secret({
      description: 'Connection URL; `rediss://` is encrypted. Excludes `host`, `port`, `db`, `username`, `password`.',
      examples: [URL_EXAMPLE],
    }),
  ),
  host: Type.Optional(
    Type.String({ description: 'Host name, address, or path of a Unix socket. Without: localhost.', examples: ['localhost'] }),
  ),
  port: Type.Optional(Type.Integer({ ...port, description: 'Port. Without: 6379.', examples: [6379] })),
  db: Type.Optional(Type.Integer({ minimum: 0, description: 'Number of the database. Without: 0. A cluster has 0 only.', examples: [0] })),
  username: Type.Optional(Type.String({ description: 'User (ACL) to log in as. Without: the default user.', examples: ['cdc'] })),
  password: Type.Optional(Secret({ description: 'Password. Without: `REDISCLI_AUTH`, else none.', examples: ['${REDIS_PASSWORD}'] })),
  tls: Type.Optional(Type.Union([Type.Boolean(), tlsSchema], { description: 'Encrypt the connection.', examples: [true] })),
  sentinel: Type.Optional(sentinelSchema),
  cluster: Type.Optional(clusterSchema),
  connection_timeout: Default(
    Duration({ unit: 's', minimum: 0.001, description: 'How long to wait for a connection.', examples: ['10s'] }),
    '10s',
  ),
  command_timeout: Default(
    Duration({
      unit: 's',
      minimum: 0.001,
      description: 'A connection that sends nothing for this long while an answer is due counts as broken.',
      examples: ['30s'],
    }),
    '30s',
  ),
};

const CONNECTION = Keys(connectionKeys);
export type ConnectionConfig = Static<typeof CONNECTION>;

export function connectionProblems(config: ConnectionConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const url = config.url === undefined ? {} : parseUrl(config.url);
  if (config.url !== undefined) {
    for (const key of ['host', 'port', 'db', 'username', 'password'] as const)
      if (config[key] !== undefined)
        problems.push({
          path: [key],
          message: `"${key}" stands beside "url"`,
          fix: `Put it into the URL, or write "${key}" and its siblings instead of "url".`,
        });
    if (typeof url === 'string') problems.push({ path: ['url'], message: url, fix: `Write ${URL_EXAMPLE}.` });
  }
  problems.push(...placeProblems(config), ...nodeProblems(config));
  const db = config.db ?? (typeof url === 'object' ? url.db : undefined);
  if (config.cluster !== undefined && db !== undefined && db !== 0)
    problems.push({ path: ['cluster'], message: 'a cluster has database 0 only', fix: 'Leave the database out.' });
  if (typeof config.tls === 'object' && (config.tls.cert === undefined) !== (config.tls.key === undefined))
    problems.push({ path: ['tls'], message: '"cert" and "key" belong together', fix: 'Give both files, or neither.' });
  return problems;
}

/** One way to say where the server is. */
function placeProblems(config: ConnectionConfig): ConfigProblem[] {
  const places = (['url', 'host', 'sentinel', 'cluster'] as const).filter((key) => config[key] !== undefined);
  const [, second] = places;
  if (second === undefined || (places.includes('url') && places.includes('host'))) return [];
  return [{ path: [second], message: `"${places.join('" and "')}" both say where the server is`, fix: 'Keep one of them.' }];
}

function nodeProblems(config: ConnectionConfig): ConfigProblem[] {
  return (['sentinel', 'cluster'] as const).flatMap((key) =>
    (config[key]?.nodes ?? []).flatMap((node, i) =>
      parseNode(node, 0) === null ? [{ path: [key, 'nodes', i], message: `"${node}" is not host:port`, fix: 'Write redis-1:6379.' }] : [],
    ),
  );
}
