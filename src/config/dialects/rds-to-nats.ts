// The configuration file of a handler that publishes changes of an RDS database to JetStream: `rds`, `nats`, `cdc`, `monitoring` at
// its top. Its subjects are cdc.{database}.{schema}.{table}, its messages `cdc_event`.

import { Keys, Type } from '../../sdk/index.ts';
import { isStateAvailable } from '../unavailable.ts';
import { Builder, type Translated } from './builder.ts';

/** Values are judged where they end up: in the pipeline. */
const any = (description: string) => Type.Optional(Type.Unknown({ description }));

export const schema = Keys({
  name: any('Name of the pipeline.'),
  server: Type.Optional(
    Keys({ port: any('Port of the health server.'), host: any('Its address.'), grace_period: any('How long a stop may take.') }),
  ),
  rds: Keys({
    engine: any('postgresql or mysql.'),
    endpoint: any('Host, or host:port.'),
    port: any('Port.'),
    username: any('User.'),
    password: any('Password.'),
    database: any('Database.'),
    region: any('Region.'),
    ssl_mode: any('Encryption.'),
    ssl: any('Certificate files.'),
    max_connections: any('Connections at most.'),
    slot_name: any('Replication slot.'),
    snapshot_mode: any('Whether existing rows are read first.'),
  }),
  nats: Keys({
    urls: any('Addresses.'),
    username: any('User.'),
    password: any('Password.'),
    token: any('Token.'),
    creds: any('Credentials file.'),
    tls: any('Encryption.'),
    cluster_id: any('Name of the cluster.'),
    request_timeout: any('How long to wait for an answer.'),
    stream: any('Stream.'),
    subject: any('Subject.'),
    atomic: any('Atomic batches.'),
  }),
  cdc: Type.Optional(
    Keys({
      checkpoint_storage: any('Where positions are kept.'),
      checkpoint_interval: any('How often.'),
      max_retry_attempts: any('Tries.'),
      batch_size: any('Events per write.'),
      batch_timeout: any('How long a batch may fill.'),
      table_filters: any('Tables.'),
      schema_evolution: any('What happens when tables change.'),
      sensitive_fields: any('Columns that are hidden.'),
    }),
  ),
  monitoring: Type.Optional(
    Keys({
      prometheus: Type.Optional(Keys({ enabled: any('Metrics.'), port: any('Port.') })),
      logging: Type.Optional(Keys({ level: any('Level.'), format: any('Format.') })),
    }),
  ),
});

export const isDialect = (keys: readonly string[]): boolean => keys.includes('rds') && keys.includes('nats');

/** One pipeline. */
export function translate(value: unknown): Translated[] {
  const b = new Builder(value);
  b.move(['name'], ['name']);
  source(b);
  destination(b);
  delivery(b);
  operation(b);
  return [b];
}

function source(b: Builder): void {
  const engine = b.at(['rds', 'engine']) ?? 'postgresql';
  b.set(['source', 'type'], engine === 'postgres' ? 'postgresql' : engine, ['rds']);
  const endpoint = b.at(['rds', 'endpoint']),
    parts = typeof endpoint === 'string' ? /^([^:$]+):(\d+)$/.exec(endpoint) : null;
  if (parts === null) b.move(['rds', 'endpoint'], ['source', 'host']);
  else {
    b.set(['source', 'host'], parts[1], ['rds', 'endpoint']);
    b.set(['source', 'port'], Number(parts[2]), ['rds', 'endpoint']);
  }
  for (const key of ['port', 'username', 'password', 'database', 'ssl_mode', 'ssl', 'slot_name', 'snapshot_mode'] as const)
    b.move(['rds', key], ['source', key]);
  b.move(['rds', 'max_connections'], ['source', 'connection_pool', 'max_connections']);
  b.move(['cdc', 'table_filters'], ['source', 'tables']);
  b.ignore(['rds', 'region'], 'the login is by password, and the endpoint names the host');
}

function destination(b: Builder): void {
  const to = ['destination'];
  b.set([...to, 'type'], 'nats', ['nats']);
  b.move(['nats', 'urls'], [...to, 'servers']);
  for (const key of ['username', 'password', 'token', 'creds', 'tls', 'cluster_id', 'request_timeout', 'stream', 'atomic'] as const)
    b.move(['nats', key], [...to, key]);
  if (!b.move(['nats', 'subject'], [...to, 'subject'])) b.set([...to, 'subject'], 'cdc.{database}.{schema}.{table}', ['nats']);
  b.set([...to, 'envelope'], 'cdc_event', ['nats']);
  b.redact(['cdc', 'sensitive_fields']);
}

function delivery(b: Builder): void {
  b.move(['cdc', 'batch_size'], ['sync', 'batch_size']);
  b.move(['cdc', 'batch_timeout'], ['sync', 'batch_timeout']);
  b.move(['cdc', 'checkpoint_interval'], ['sync', 'checkpoint_interval']);
  b.move(['server', 'grace_period'], ['sync', 'grace_period']);
  b.move(['cdc', 'max_retry_attempts'], ['error_handling', 'retry', 'max_attempts']);
  b.move(['cdc', 'schema_evolution'], ['schema_evolution']);
  checkpointStorage(b);
}

/** Schemes whose stores have other names here. */
const STORES: Readonly<Record<string, string>> = { rediss: 'redis', postgres: 'postgresql' };

function checkpointStorage(b: Builder): void {
  const from = ['cdc', 'checkpoint_storage'],
    storage = b.at(from);
  if (typeof storage !== 'string' || storage === '') return;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(storage)?.[1]?.toLowerCase() ?? 'file',
    type = STORES[scheme] ?? scheme;
  if (type === 'file') b.set(['state', 'path'], storage.replace(/^file:\/\//i, ''), from);
  else if (isStateAvailable(type)) {
    b.set(['state', 'type'], type, from);
    b.set(['state', 'url'], storage, from);
  } else
    b.refuse(
      from,
      `cdc.checkpoint_storage asks for positions in ${type}, which this version cannot do yet`,
      'Write the path of a file on a disk that outlives the process: /var/lib/cdc/state.db.',
    );
}

function operation(b: Builder): void {
  const port: readonly string[] = ['health_checks', 'port'];
  b.ignore(['monitoring', 'logging', 'level'], 'the level is that of --log-level or LOG_LEVEL', 'LOG_LEVEL');
  if (b.at(['monitoring', 'logging', 'format']) !== 'json')
    b.ignore(['monitoring', 'logging', 'format'], 'the form is that of --log-format; it is JSON where nobody looks at a terminal');
  const served = b.at(['monitoring', 'prometheus']) !== undefined && b.at(['monitoring', 'prometheus', 'enabled']) !== false;
  if (b.at(['server']) === undefined && !served) return;
  b.set(['health_checks', 'enabled'], true, ['server']);
  if (!served) b.ignore(['monitoring', 'prometheus', 'enabled'], 'metrics are served beside the health of `server`');
  b.move(['server', 'host'], ['health_checks', 'host']);
  const own = b.at(['server', 'port']),
    metrics = b.at(['monitoring', 'prometheus', 'port']);
  if (!b.move(['server', 'port'], port)) b.move(['monitoring', 'prometheus', 'port'], port);
  else if (metrics !== undefined && String(metrics) !== String(own) && !String(metrics).includes('${'))
    b.ignore(['monitoring', 'prometheus', 'port'], 'metrics are served at the port of `server`');
}
