// The configuration keys of a connection to NATS, the same for its source and its destination, and what a schema cannot say about
// them.

import { type ConfigProblem, Default, Duration, Keys, Secret, type Static, Type } from '../../sdk/index.ts';

export const URL_EXAMPLE = 'nats://localhost:4222';

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
    handshake_first: Default(
      Type.Boolean({ description: 'Encrypt before the server says anything, where it is set up so (handshake_first).' }),
      false,
    ),
  },
  { description: 'An encrypted connection.' },
);

const optionalText = (description: string, example: string) =>
  Type.Optional(Type.String({ minLength: 1, description, examples: [example] }));

/** Where the servers are, who logs in, how the connection is encrypted. */
export const connectionKeys = {
  servers: Type.Optional(
    Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
      description: 'Addresses of the servers, tried in any order; more of their cluster become known from them. `tls://` is encrypted.',
      examples: [URL_EXAMPLE, ['nats://nats-1:4222', 'nats://nats-2:4222']],
    }),
  ),
  url: Type.Optional(
    Secret({ description: 'Address of one server, which may hold the login; in place of `servers`.', examples: [URL_EXAMPLE] }),
  ),
  username: Type.Optional(Type.String({ description: 'User name. Empty: nobody logs in.', examples: ['cdc'] })),
  password: Type.Optional(Secret({ description: 'Password of the user.', examples: ['${NATS_PASSWORD}'] })),
  token: Type.Optional(Secret({ description: 'Token to log in with.', examples: ['${NATS_TOKEN}'] })),
  nkey: Type.Optional(Secret({ description: 'Seed of an NKey (`SU…`) to log in with.', examples: ['${NATS_NKEY_SEED}'] })),
  jwt: Type.Optional(Secret({ description: 'User JWT; `nkey` is its seed.', examples: ['${NATS_JWT}'] })),
  creds: optionalText('Credentials file: a user JWT and its seed. Read at each connection.', 'cdc.creds'),
  tls: Type.Optional(
    Type.Union([Type.Boolean(), tlsSchema], {
      description: 'Encrypt the connection. Without: as the address says, and where the server offers it.',
      examples: [true],
    }),
  ),
  cluster_id: Type.Optional(
    Type.String({
      description: 'Name of the cluster; servers that are of another one are refused. Empty: any.',
      examples: ['prod-cluster'],
    }),
  ),
  connection_timeout: Default(
    Duration({ unit: 's', minimum: 0.001, description: 'How long to wait for a connection.', examples: ['10s'] }),
    '10s',
  ),
  request_timeout: Default(
    Duration({
      unit: 's',
      minimum: 0.001,
      description: 'How long to wait for an answer. A server that says nothing for twice as long counts as gone.',
      examples: ['10s'],
    }),
    '10s',
  ),
};

const CONNECTION = Keys(connectionKeys);
export type ConnectionConfig = Static<typeof CONNECTION>;

export interface Server {
  /** `host:4222` */
  readonly host: string;
  readonly name: string;
  /** `null`: there is none. A token has no password. */
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly tls: boolean;
}

/** `nats://user:password@host:4222`, `nats://token@host`, `tls://host`, `host:4222`. `null`: it is no such address. */
export function parseServer(text: string): Server | null {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `nats://${text}`;
  if (!URL.canParse(withScheme)) return null;
  const { protocol, host, hostname: name, username, password } = new URL(withScheme);
  if ((protocol !== 'nats:' && protocol !== 'tls:') || name === '') return null;
  try {
    const login = username === '' ? null : { user: decodeURIComponent(username), password: decodeURIComponent(password) };
    return { host, name, login, tls: protocol === 'tls:' };
  } catch {
    // A % without its two digits.
    return null;
  }
}

/** As they are configured; a server of this machine where nothing is. */
export function serversOf({ servers, url }: Pick<ConnectionConfig, 'servers' | 'url'>): readonly string[] {
  if (url !== undefined) return [url];
  if (servers === undefined) return [URL_EXAMPLE];
  return typeof servers === 'string' ? servers.split(',').map((s) => s.trim()) : servers;
}

export function connectionProblems(config: ConnectionConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [],
    at = config.url === undefined ? ['servers'] : ['url'];
  if (config.url !== undefined && config.servers !== undefined)
    problems.push({ path: ['url'], message: '"url" stands beside "servers"', fix: 'Keep one of the two.' });
  const servers = serversOf(config).map((s) => parseServer(s));
  if (servers.includes(null))
    problems.push({
      path: at,
      message: 'is not the address of a NATS server',
      fix: `Write ${URL_EXAMPLE}, or tls://host:4222; a % in a password is %25.`,
    });
  const [first, ...others] = servers.map((s) => JSON.stringify(s?.login ?? null));
  if (others.some((login) => login !== 'null' && login !== first))
    problems.push({ path: at, message: 'the addresses have different logins', fix: 'Write one login, in `username` and `password`.' });
  problems.push(...loginProblems(config));
  if (typeof config.tls === 'object' && (config.tls.cert === undefined) !== (config.tls.key === undefined))
    problems.push({ path: ['tls'], message: '"cert" and "key" belong together', fix: 'Give both files, or neither.' });
  return problems;
}

function loginProblems(config: ConnectionConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [],
    ways = (['username', 'token', 'nkey', 'creds'] as const).filter((key) => (config[key] ?? '') !== ''),
    [first, second] = ways;
  if (second !== undefined)
    problems.push({ path: [second], message: `"${second}" stands beside "${first}": both say who logs in`, fix: 'Keep one of them.' });
  if (config.password !== undefined && config.username === undefined)
    problems.push({ path: ['password'], message: 'a password has no user', fix: 'Set `username`, or use `token`.' });
  if (config.jwt !== undefined && config.nkey === undefined)
    problems.push({ path: ['jwt'], message: 'a JWT needs its seed', fix: 'Set `nkey`, or name a file in `creds` that holds both.' });
  return problems;
}

/** For messages: never a login. */
export function describeServers(config: Pick<ConnectionConfig, 'servers' | 'url'>): string {
  return serversOf(config)
    .map((server) => parseServer(server)?.host ?? '(not an address)')
    .join(', ');
}
