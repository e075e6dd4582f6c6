// The configuration keys of a connection to Kafka, the same for the source and the destination, and what a schema cannot say
// about them.

import { type ConfigProblem, Default, Duration, Keys, OneOf, Secret, type Static, Type } from '../../sdk/index.ts';

export const PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const;
export const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;

const oauthSchema = Keys(
  {
    token: Type.Optional(Secret({ description: 'A token to send as it is, in place of asking for one.', examples: ['${KAFKA_TOKEN}'] })),
    token_endpoint_url: Type.Optional(
      Type.String({ minLength: 1, description: 'Where tokens are asked for.', examples: ['https://login.example.com/oauth2/token'] }),
    ),
    client_id: Type.Optional(Type.String({ minLength: 1, description: 'Client id there.', examples: ['cdc'] })),
    client_secret: Type.Optional(Secret({ description: 'Client secret there.', examples: ['${OAUTH_SECRET}'] })),
    scope: Type.Optional(Type.String({ description: 'Scope to ask for.', examples: ['kafka'] })),
  },
  { description: 'Tokens for `sasl_mechanism: OAUTHBEARER`: the client credentials grant of OAuth 2, or a token as it is.' },
);

/** Where the brokers are, who logs in, how the connection is encrypted. */
export const connectionKeys = {
  bootstrap_servers: Default(
    Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
      description: 'Brokers to begin with, as `host:port`; several in a list or behind commas.',
      examples: ['localhost:9092'],
    }),
    'localhost:9092',
  ),
  client_id: Default(
    Type.String({ minLength: 1, description: 'Name of the client in logs and quotas of the brokers.', examples: ['cdc-run'] }),
    'cdc-run',
  ),
  security_protocol: Type.Optional(
    OneOf(PROTOCOLS, {
      description: 'How to connect. Without: what the keys `sasl_…` and `ssl_…` ask for, else PLAINTEXT.',
      examples: ['SASL_SSL'],
    }),
  ),
  sasl_mechanism: Type.Optional(OneOf(MECHANISMS, { description: 'How to log in. Without: PLAIN.', examples: ['SCRAM-SHA-512'] })),
  sasl_username: Type.Optional(Type.String({ minLength: 1, description: 'User to log in as.', examples: ['cdc'] })),
  sasl_password: Type.Optional(Secret({ description: 'Password.', examples: ['${KAFKA_PASSWORD}'] })),
  sasl_oauth: Type.Optional(oauthSchema),
  ssl_ca: Type.Optional(
    Type.String({
      minLength: 1,
      description: "File with the certificates (PEM) to trust, instead of the system's.",
      examples: ['certs/ca.pem'],
    }),
  ),
  ssl_cert: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'File with our certificate (PEM), where brokers ask clients for one.',
      examples: ['certs/client.pem'],
    }),
  ),
  ssl_key: Type.Optional(
    Type.String({ minLength: 1, description: 'File with the private key (PEM) of `ssl_cert`.', examples: ['certs/client.key'] }),
  ),
  connection_timeout: Default(
    Duration({ unit: 's', description: 'How long a broker may take to accept a connection.', examples: ['10s'] }),
    '10s',
  ),
  request_timeout: Default(Duration({ unit: 's', description: 'How long a broker may take to answer.', examples: ['30s'] }), '30s'),
};

const CONNECTION = Keys(connectionKeys);
export type ConnectionConfig = Static<typeof CONNECTION>;

/** `a:9092, b:9092` and lists of such texts; without a port 9092. */
export function brokersOf({ bootstrap_servers: given }: Pick<ConnectionConfig, 'bootstrap_servers'>): string[] {
  const names = [given].flat().flatMap((text) => text.split(','));
  return names
    .map((name) => name.trim().replace(/^(?:kafka|[A-Z_]+):\/\//, ''))
    .filter((name) => name !== '')
    .map((name) => (/:\d+$/.test(name) ? name : `${name}:9092`));
}

export interface Security {
  readonly isEncrypted: boolean;
  readonly mechanism: (typeof MECHANISMS)[number] | null;
}

/** What the keys ask for together. */
export function securityOf(config: ConnectionConfig): Security {
  const asksForLogin = config.sasl_mechanism !== undefined || config.sasl_username !== undefined || config.sasl_oauth !== undefined,
    asksForTls = config.ssl_ca !== undefined || config.ssl_cert !== undefined;
  const protocol =
    config.security_protocol ?? (asksForLogin ? (asksForTls ? 'SASL_SSL' : 'SASL_PLAINTEXT') : asksForTls ? 'SSL' : 'PLAINTEXT');
  return {
    isEncrypted: protocol.endsWith('SSL'),
    mechanism: protocol.startsWith('SASL') ? (config.sasl_mechanism ?? (config.sasl_oauth === undefined ? 'PLAIN' : 'OAUTHBEARER')) : null,
  };
}

const problem = (key: string, message: string, fix: string): ConfigProblem => ({ path: [key], message, fix });

export function connectionProblems(config: ConnectionConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [],
    { isEncrypted, mechanism } = securityOf(config);
  if (brokersOf(config).length === 0) problems.push(problem('bootstrap_servers', 'names no broker', 'Write `host:port`.'));
  if ((config.ssl_cert === undefined) !== (config.ssl_key === undefined))
    problems.push(problem('ssl_cert', '"ssl_cert" and "ssl_key" belong together', 'Give both files, or neither.'));
  if (!isEncrypted && (config.ssl_ca ?? config.ssl_cert) !== undefined)
    problems.push(problem('security_protocol', 'the connection is not encrypted, but certificates are given', 'Write SSL or SASL_SSL.'));
  if (mechanism === null && (config.sasl_mechanism ?? config.sasl_username ?? config.sasl_oauth) !== undefined)
    problems.push(problem('security_protocol', 'nobody logs in, but a login is given', 'Write SASL_PLAINTEXT or SASL_SSL.'));
  if (mechanism === 'OAUTHBEARER') problems.push(...oauthProblems(config));
  else if (mechanism !== null && (config.sasl_username === undefined || config.sasl_password === undefined))
    problems.push(problem('sasl_username', `${mechanism} needs a user and a password`, 'Set `sasl_username` and `sasl_password`.'));
  return problems;
}

function oauthProblems({ sasl_oauth: oauth }: ConnectionConfig): ConfigProblem[] {
  if (oauth?.token !== undefined) return [];
  if (oauth?.token_endpoint_url !== undefined && oauth.client_id !== undefined && oauth.client_secret !== undefined) return [];
  return [
    problem(
      'sasl_oauth',
      'OAUTHBEARER needs a token, or where to ask for one',
      'Set `token_endpoint_url`, `client_id` and `client_secret`, or `token`.',
    ),
  ];
}
