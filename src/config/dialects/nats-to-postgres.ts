// The configuration file of a synchroniser from NATS to PostgreSQL: `nats`, `postgres` and `pipeline` at its top, or a list of such
// under `flows`. Its messages are `sync_event`. Several targets under `postgres` are a fan-out.

import { Keys, Type } from '../../sdk/index.ts';
import { isMapping } from '../document.ts';
import type { Path } from '../issue.ts';
import { Builder, type Translated } from './builder.ts';

/** Values are judged where they end up: in the pipeline. */
const any = (description: string) => Type.Optional(Type.Unknown({ description }));

const natsSchema = Keys({
  servers: any('Addresses.'),
  subject: any('Subject.'),
  subjects: any('Subjects.'),
  stream: any('Stream.'),
  durable_name: any('Consumer.'),
  queue_group: any('Group of core NATS.'),
  mode: any('jetstream, core or auto.'),
  username: any('User.'),
  password: any('Password.'),
  token: any('Token.'),
  creds: any('Credentials file.'),
  tls: any('Encryption.'),
  key_fields: any('Fields that identify a row.'),
});

const targetSchema = Keys({
  name: any('Name.'),
  url: any('Connection URL.'),
  conflict_resolution: any('What to do when the key is there.'),
  schema: any('Schema.'),
  table: any('Table.'),
  create_tables: any('Create missing tables.'),
  max_connections: any('Connections at most.'),
  required: any('Does it hold up the others?'),
});

const flowKeys = {
  name: any('Name of the flow.'),
  nats: Type.Optional(natsSchema),
  postgres: Type.Optional(Type.Union([targetSchema, Type.Array(targetSchema, { minItems: 1 })])),
  pipeline: Type.Optional(
    Keys({
      batch_size: any('Events per write.'),
      batch_timeout: any('How long a batch may fill.'),
      sensitive_fields: any('Columns that are hidden.'),
    }),
  ),
};

export const schema = Keys({ ...flowKeys, flows: Type.Optional(Type.Array(Keys(flowKeys), { minItems: 1 })) });

export const isDialect = (keys: readonly string[]): boolean =>
  keys.includes('flows') || (keys.includes('nats') && keys.includes('postgres'));

/** One pipeline per flow. What a flow leaves out is as at the top. */
export function translate(value: unknown): Translated[] {
  const flows = isMapping(value) ? value['flows'] : undefined;
  return Array.isArray(flows) ? flows.map((_, i) => flow(value, ['flows', i])) : [flow(value, [])];
}

function flow(value: unknown, base: Path): Translated {
  const b = new Builder(value);
  const section = (name: string): Path => (b.at([...base, name]) === undefined ? [name] : [...base, name]);
  b.move([...base, 'name'], ['name']);
  source(b, section('nats'));
  const targets = section('postgres'),
    found = b.at(targets);
  if (Array.isArray(found)) for (const i of found.keys()) target(b, [...targets, i], ['destinations', i]);
  else target(b, targets, ['destination']);
  const pipeline = section('pipeline');
  b.move([...pipeline, 'batch_size'], ['sync', 'batch_size']);
  b.move([...pipeline, 'batch_timeout'], ['sync', 'batch_timeout']);
  b.redact([...pipeline, 'sensitive_fields']);
  return b;
}

function source(b: Builder, from: Path): void {
  b.set(['source', 'type'], 'nats', from);
  const keys = ['servers', 'subject', 'subjects', 'stream', 'durable_name', 'queue_group', 'username', 'password', 'token', 'creds', 'tls'];
  for (const key of keys) b.move([...from, key], ['source', key]);
  // Servers without JetStream are served, too, as at-most-once as they are.
  if (!b.move([...from, 'mode'], ['source', 'mode'])) b.set(['source', 'mode'], 'auto', from);
  b.set(['source', 'message_format'], 'json', from);
  b.set(['source', 'envelope'], 'sync_event', from);
  // The messages name no key.
  if (!b.move([...from, 'key_fields'], ['source', 'key_fields'])) b.set(['source', 'key_fields'], ['id'], from);
}

function target(b: Builder, from: Path, to: Path): void {
  b.set([...to, 'type'], 'postgresql', from);
  for (const key of ['name', 'url', 'conflict_resolution', 'schema', 'table', 'required']) b.move([...from, key], [...to, key]);
  // Messages in JSON do not tell the types of their columns.
  if (!b.move([...from, 'create_tables'], [...to, 'create_tables'])) b.set([...to, 'create_tables'], false, from);
  b.move([...from, 'max_connections'], [...to, 'connection_pool', 'max_connections']);
}
