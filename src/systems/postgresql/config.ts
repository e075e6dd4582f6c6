// The configuration keys of a connection to PostgreSQL, the same for the source and the destination, and what a schema
// cannot say about them.

import { type ConfigProblem, Default, Keys, OneOf, Secret, type Static, Type } from '../../sdk/index.ts';
import { SSL_MODES, sslFileProblems, sslSchema } from '../tls.ts';
import { parseUrl } from './connection-url.ts';

/** Where the server is, who logs in, how the connection is encrypted. */
export const connectionKeys = {
  url: Type.Optional(
    Secret({
      description: 'Connection URL. Excludes `host`, `port`, `database`, `username` and `password`.',
      examples: ['postgresql://cdc:secret@db.example.com:5432/shop?sslmode=verify-full'],
    }),
  ),
  host: Type.Optional(
    Type.String({
      description: 'Host name, address, or folder of a Unix socket. Without: `PGHOST`, else localhost.',
      examples: ['db.example.com'],
    }),
  ),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: 'Port. Without: `PGPORT`, else 5432.', examples: [5432] })),
  database: Type.Optional(Type.String({ description: 'Database. Without: `PGDATABASE`, else the user name.', examples: ['shop'] })),
  username: Type.Optional(
    Type.String({ description: 'Role to log in as. Without: `PGUSER`, else the account of the process.', examples: ['cdc'] }),
  ),
  user: Type.Optional(Type.String({ description: 'The same as `username`.', examples: ['cdc'] })),
  password: Type.Optional(
    Secret({ description: 'Password. Without: `PGPASSWORD`, else the password file of libpq.', examples: ['${PG_PASSWORD}'] }),
  ),
  ssl_mode: Type.Optional(
    OneOf(SSL_MODES, {
      description:
        'Encryption, as libpq means it: `require` encrypts without looking at who answers (with `ssl.ca` it checks the authority), `verify-full` checks authority and host name. Without: `sslmode` of the URL, `PGSSLMODE`, else no encryption.',
      examples: ['verify-full'],
    }),
  ),
  ssl: Type.Optional(sslSchema),
};

/** Stands apart, because it comes last in both lists of keys. */
export const applicationNameKey = {
  application_name: Default(Type.String({ description: 'Name in `pg_stat_activity`.', examples: ['cdc-run orders'] }), 'cdc-run'),
};

const CONNECTION = Keys({ ...connectionKeys, ...applicationNameKey });
export type ConnectionConfig = Static<typeof CONNECTION>;

export function connectionProblems(config: ConnectionConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (config.url !== undefined) {
    for (const key of ['host', 'port', 'database', 'username', 'user', 'password'] as const) {
      if (config[key] !== undefined)
        problems.push({
          path: [key],
          message: `"${key}" stands beside "url"`,
          fix: `Put it into the URL, or write "${key}" and its siblings instead of "url".`,
        });
    }
    const parsed = parseUrl(config.url);
    if (typeof parsed === 'string')
      problems.push({ path: ['url'], message: parsed, fix: 'Write postgresql://user:password@host:5432/database.' });
  }
  if (config.user !== undefined && config.username !== undefined)
    problems.push({ path: ['user'], message: '"user" stands beside "username"', fix: 'Keep one of the two.' });
  problems.push(...sslFileProblems(config.ssl));
  return problems;
}
