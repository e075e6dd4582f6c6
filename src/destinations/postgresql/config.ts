// Configuration of the `postgresql` destination: keys, defaults, and what the schema cannot say.

import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Secret, Type } from '../../sdk/index.ts';
import { parseUrl } from './connection-url.ts';
import { placeholderProblems } from './target-name.ts';

const sslSchema = Keys(
  {
    ca: Type.Optional(
      Type.String({
        description: "File with the certificates (PEM) of the authorities to trust, instead of the system's.",
        examples: ['certs/ca.pem'],
      }),
    ),
    cert: Type.Optional(
      Type.String({
        description: 'File with our certificate (PEM), where the server asks clients for one.',
        examples: ['certs/client.pem'],
      }),
    ),
    key: Type.Optional(Type.String({ description: 'File with the private key (PEM) of `cert`.', examples: ['certs/client.key'] })),
  },
  { description: 'Certificate files of an encrypted connection.' },
);

const poolSchema = Keys(
  {
    min_connections: Default(Type.Integer({ minimum: 0, description: 'Connections kept open while idle.', examples: [1] }), 0),
    max_connections: Default(
      Type.Integer({ minimum: 1, description: 'Connections at most; each worker writes on one.', examples: [20] }),
      10,
    ),
    connection_timeout: Default(
      Duration({ unit: 's', description: 'How long opening a connection, or waiting for a free one, may take.', examples: ['30s', 30] }),
      '30s',
    ),
    idle_timeout: Default(
      Duration({ unit: 's', description: 'Close a connection that was not used for this long.', examples: ['5m', 300] }),
      '5m',
    ),
    batch_insert_size: Default(
      Type.Integer({ minimum: 1, description: 'Rows per statement at most; a batch may need several.', examples: [1000] }),
      5000,
    ),
  },
  { description: 'Connections and statement size.' },
);

export const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

export const configSchema = Keys(
  {
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
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: 'Port. Without: `PGPORT`, else 5432.', examples: [5432] }),
    ),
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
    schema: Default(Type.String({ minLength: 1, description: 'Schema of the target tables.', examples: ['analytics'] }), 'public'),
    table: Default(
      Type.String({
        minLength: 1,
        description: 'Name of the target table; `{table}`, `{schema}`, `{database}` and `{source}` stand for parts of the source table.',
        examples: ['{table}', 'replica_{schema}_{table}', 'unified_events'],
      }),
      '{table}',
    ),
    create_tables: Default(
      Type.Boolean({
        description: 'Create the schema, tables and columns that are missing. Nothing is ever dropped or changed.',
        examples: [true],
      }),
      true,
    ),
    conflict_resolution: Default(
      OneOf(['upsert', 'replace', 'ignore'], {
        description:
          'What happens when a row with the key is there already. `upsert` sets the columns that the event has; `replace` also resets the others to their defaults; `ignore` keeps the row (for inserts and snapshot rows; updates and deletes are applied).',
        examples: ['upsert'],
      }),
      'upsert',
    ),
    deletes: Default(
      OneOf(['apply', 'ignore'], { description: '`ignore` keeps rows that the source deletes or truncates.', examples: ['apply'] }),
      'apply',
    ),
    transactions: Default(
      OneOf(['split', 'atomic'], {
        description:
          '`split`: each batch is a transaction, so a large one of the source may become visible in parts. `atomic` is not available yet.',
        examples: ['split'],
      }),
      'split',
    ),
    points_schema: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Schema of the table `cdc_run_points`, which keeps the pipeline's place with the data. Without: `schema`.",
        examples: ['cdc'],
      }),
    ),
    statement_timeout: Default(
      Duration({
        unit: 's',
        description: "Longest time for one statement; 0 = the server's setting. A statement that was cut off is tried again.",
        examples: ['5m', 0],
      }),
      0,
    ),
    application_name: Default(Type.String({ description: 'Name in `pg_stat_activity`.', examples: ['cdc-run orders'] }), 'cdc-run'),
    connection_pool: Default(poolSchema, {}),
  },
  { description: "Tables in PostgreSQL, with the pipeline's place kept in the same transaction as the rows." },
);

export type PostgresqlConfig = ConfigOf<typeof configSchema>;

/** What the schema cannot say. */
export function validate(config: PostgresqlConfig): ConfigProblem[] {
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
  if ((config.ssl?.cert === undefined) !== (config.ssl?.key === undefined)) {
    problems.push({ path: ['ssl'], message: '"cert" and "key" belong together', fix: 'Give both files, or neither.' });
  }
  for (const message of placeholderProblems(config.table)) {
    problems.push({ path: ['table'], message, fix: 'Use {table}, {schema}, {database} or {source}.' });
  }
  return problems;
}
