// The configuration keys of a connection to MySQL or MariaDB, the same for the source and the destination, and what a schema
// cannot say about them.

import { type ConfigProblem, Keys, OneOf, Secret, type Static, Type } from '../../sdk/index.ts';
import { SSL_MODES, sslFileProblems, sslSchema } from '../tls.ts';
import { parseUrl } from './connection-url.ts';

/** Where the server is, who logs in, how the connection is encrypted. */
export const connectionKeys = {
  url: Type.Optional(
    Secret({
      description: 'Connection URL. Excludes `host`, `port`, `username` and `password`.',
      examples: ['mysql://cdc:secret@db.example.com:3306/shop?sslmode=verify-full'],
    }),
  ),
  host: Type.Optional(
    Type.String({ description: 'Host name, address, or path of a Unix socket. Without: localhost.', examples: ['db.example.com'] }),
  ),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: 'Port. Without: 3306.', examples: [3306] })),
  database: Type.Optional(Type.String({ minLength: 1, description: 'Database. Without: that of `url`.', examples: ['shop'] })),
  username: Type.Optional(Type.String({ description: 'User to log in as. Without: the account of the process.', examples: ['cdc'] })),
  user: Type.Optional(Type.String({ description: 'The same as `username`.', examples: ['cdc'] })),
  password: Type.Optional(Secret({ description: 'Password. Without: `MYSQL_PWD`, else none.', examples: ['${MYSQL_PASSWORD}'] })),
  ssl_mode: Type.Optional(
    OneOf(SSL_MODES, {
      description:
        'Encryption: `require` encrypts without looking at who answers (with `ssl.ca` it checks the authority), `verify-full` checks authority and host name. Without: `sslmode` of the URL, else no encryption.',
      examples: ['verify-full'],
    }),
  ),
  ssl: Type.Optional(sslSchema),
};

const CONNECTION = Keys(connectionKeys);
export type ConnectionConfig = Static<typeof CONNECTION>;

export function connectionProblems(config: ConnectionConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const url = config.url === undefined ? {} : parseUrl(config.url);
  if (config.url !== undefined) {
    for (const key of ['host', 'port', 'username', 'user', 'password'] as const) {
      if (config[key] !== undefined)
        problems.push({
          path: [key],
          message: `"${key}" stands beside "url"`,
          fix: `Put it into the URL, or write "${key}" and its siblings instead of "url".`,
        });
    }
    if (typeof url === 'string') problems.push({ path: ['url'], message: url, fix: 'Write mysql://user:password@host:3306/database.' });
  }
  if (config.user !== undefined && config.username !== undefined)
    problems.push({ path: ['user'], message: '"user" stands beside "username"', fix: 'Keep one of the two.' });
  problems.push(...sslFileProblems(config.ssl));
  return problems;
}
