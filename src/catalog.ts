// The ONE list of what can be named in a pipeline file: kind + type → the module of its descriptor. Nothing is loaded until it
// is named, so a pipeline pays only for what it uses.

import type { PlannedDescriptor } from './planned/define.ts';
import { CdcError, type Descriptor } from './sdk/index.ts';

export type { PlannedDescriptor } from './planned/define.ts';
export type Kind = Descriptor['kind'];
export type AnyDescriptor = Descriptor | PlannedDescriptor;

interface Entry {
  readonly aliases: readonly string[];
  readonly available: boolean;
  load(): Promise<unknown>;
}

const built = (load: () => Promise<{ descriptor: unknown }>, aliases: readonly string[] = []): Entry => ({
  aliases,
  available: true,
  load: async () => (await load()).descriptor,
});

/** A type of `module` that is known but not built; it is exported under its own name. */
function planned<M extends object>(
  module: () => Promise<M>,
  name: keyof M & string,
  aliases: readonly string[] = [],
): readonly [string, Entry] {
  return [name, { aliases, available: false, load: async () => (await module())[name] }];
}

const databases = () => import('./planned/source-databases.ts');
const brokers = () => import('./planned/source-brokers.ts');
const sinks = () => import('./planned/destinations.ts');
const plugins = () => import('./planned/plugins.ts');

const CATALOG: { readonly [K in Kind]: ReadonlyMap<string, Entry> } = {
  source: new Map([
    ['sqlite', built(() => import('./sources/sqlite/index.ts'), ['sqlite3'])],
    ['file', built(() => import('./sources/file/index.ts'))],
    ['postgresql', built(() => import('./sources/postgresql/index.ts'), ['postgres'])],
    ['mysql', built(() => import('./sources/mysql/index.ts'), ['mariadb', 'mysql_binlog'])],
    ['kafka', built(() => import('./sources/kafka/index.ts'))],
    ['generator', built(() => import('./sources/generator/index.ts'))],
    planned(databases, 'mongodb', ['mongo']),
    planned(databases, 'sqlserver', ['mssql']),
    planned(databases, 'dynamodb'),
    planned(databases, 'oracle'),
    planned(databases, 'cockroachdb', ['cockroach']),
    ['debezium', built(() => import('./sources/debezium/index.ts'))],
    planned(brokers, 'pulsar'),
    ['redis_stream', built(() => import('./sources/redis-stream/index.ts'), ['redis_streams', 'redis'])],
    ['rabbitmq', built(() => import('./sources/rabbitmq/index.ts'))],
    ['nats', built(() => import('./sources/nats/index.ts'), ['nats_jetstream'])],
    ['mqtt', built(() => import('./sources/mqtt/index.ts'))],
    planned(brokers, 's3'),
  ]),
  destination: new Map([
    ['sqlite', built(() => import('./destinations/sqlite/index.ts'))],
    ['file', built(() => import('./destinations/file/index.ts'))],
    ['postgresql', built(() => import('./destinations/postgresql/index.ts'), ['postgres'])],
    ['mysql', built(() => import('./destinations/mysql/index.ts'), ['mariadb'])],
    ['kafka', built(() => import('./destinations/kafka/index.ts'))],
    ['console', built(() => import('./destinations/console/index.ts'), ['stdout'])],
    ['null', built(() => import('./destinations/null/index.ts'))],
    planned(sinks, 'pulsar'),
    ['redis_stream', built(() => import('./destinations/redis-stream/index.ts'), ['redis_streams'])],
    ['redis', built(() => import('./destinations/redis/index.ts'))],
    ['rabbitmq', built(() => import('./destinations/rabbitmq/index.ts'))],
    ['nats', built(() => import('./destinations/nats/index.ts'), ['nats_jetstream'])],
    ['mqtt', built(() => import('./destinations/mqtt/index.ts'))],
    planned(sinks, 'elasticsearch', ['elastic']),
    planned(sinks, 'opensearch'),
    planned(sinks, 'sqlserver', ['mssql']),
    planned(sinks, 'oracle'),
    planned(sinks, 'mongodb', ['mongo']),
    planned(sinks, 's3'),
    planned(sinks, 'http', ['webhook']),
  ]),
  transformer: new Map([
    ['filter', built(() => import('../plugins/transformers/filter/index.ts'))],
    ['data_masking', built(() => import('../plugins/transformers/data-masking/index.ts'))],
    ['route', built(() => import('../plugins/transformers/route/index.ts'))],
    ['rename', built(() => import('../plugins/transformers/rename/index.ts'))],
    ['cast', built(() => import('../plugins/transformers/cast/index.ts'))],
    ['drop', built(() => import('../plugins/transformers/drop/index.ts'))],
    ['flatten', built(() => import('../plugins/transformers/flatten/index.ts'))],
    ['unwrap', built(() => import('../plugins/transformers/unwrap/index.ts'))],
    ['outbox', built(() => import('../plugins/transformers/outbox/index.ts'))],
    planned(plugins, 'event_sourcing'),
    planned(plugins, 'iot_aggregation'),
    planned(plugins, 'anomaly_detection'),
    planned(plugins, 'join'),
  ]),
  middleware: new Map([
    ['audit_trail', built(() => import('../plugins/middleware/audit-trail/index.ts'))],
    planned(plugins, 'gdpr_compliance'),
    planned(plugins, 'financial_validation'),
    planned(plugins, 'prometheus_metrics'),
    planned(plugins, 'opentelemetry'),
  ]),
  hook: new Map([
    ['command', built(() => import('./hooks/command.ts'))],
    ['webhook', built(() => import('./hooks/webhook.ts'))],
  ]),
};
export const KINDS = ['source', 'destination', 'transformer', 'middleware', 'hook'] as const satisfies readonly Kind[];

export interface ResolveOptions {
  /** Folder that relative module paths start from: that of the pipeline file. */
  readonly baseDir: string;
}

export function isPlanned(descriptor: AnyDescriptor): descriptor is PlannedDescriptor {
  return 'planned' in descriptor;
}

/** All names under which the built-in types of a kind can be written. */
export function typeNames(kind: Kind): string[] {
  return [...CATALOG[kind]].flatMap(([type, entry]) => [type, ...entry.aliases]);
}

/**
 * The name to store and to resolve again: `postgres` → `postgresql`, `./mine.ts` → its absolute path. Throws
 * `CONFIG_UNKNOWN_TYPE` for a name that is neither a type nor a module.
 */
export async function canonicalType(kind: Kind, type: string, { baseDir }: ResolveOptions): Promise<string> {
  const known = find(kind, type);
  if (known !== null) return known.type;
  const { findModule } = await import('./plugin-module.ts');
  const path = await findModule(type, baseDir);
  if (path === null) throw unknownType(kind, type);
  return path;
}

/** The descriptor of a built-in type, or of a user's module. Throws `CONFIG_UNKNOWN_TYPE` and `PLUGIN_LOAD_FAILED`. */
export async function resolveDescriptor(kind: Kind, type: string, options: ResolveOptions): Promise<AnyDescriptor> {
  const known = find(kind, type);
  if (known !== null) return (await known.entry.load()) as AnyDescriptor;
  const { loadModule } = await import('./plugin-module.ts');
  return loadModule(kind, await canonicalType(kind, type, options));
}

/** Like `resolveDescriptor`, for running: throws `CONFIG_TYPE_NOT_AVAILABLE` for planned types. */
export async function loadDescriptor(kind: Kind, type: string, options: ResolveOptions): Promise<Descriptor> {
  const descriptor = await resolveDescriptor(kind, type, options);
  if (!isPlanned(descriptor)) return descriptor;
  throw new CdcError('CONFIG_TYPE_NOT_AVAILABLE', notAvailable(kind, descriptor.type), {
    fix: 'Choose another type; `cdc-run adapters` lists them.',
  });
}

/** `the source type "kafka" is known, but this version cannot run it yet`. */
export function notAvailable(kind: Kind, type: string): string {
  return `the ${kind} type "${type}" is known, but this version cannot run it yet`;
}

export interface TypeInfo {
  readonly kind: Kind;
  readonly type: string;
  readonly aliases: readonly string[];
  readonly title: string;
  /** Can it run, or is it only known? */
  readonly available: boolean;
  readonly descriptor: AnyDescriptor;
}

/** Everything in the catalog, loaded. For lists and generated files; a run never needs it. */
export async function listTypes(): Promise<TypeInfo[]> {
  const infos = KINDS.flatMap((kind) =>
    [...CATALOG[kind]].map(async ([type, entry]): Promise<TypeInfo> => {
      const descriptor = (await entry.load()) as AnyDescriptor;
      return { kind, type, aliases: entry.aliases, title: descriptor.title, available: entry.available, descriptor };
    }),
  );
  return Promise.all(infos);
}

function find(kind: Kind, name: string): { type: string; entry: Entry } | null {
  const types = CATALOG[kind];
  for (const [type, entry] of types) if (type === name || entry.aliases.includes(name)) return { type, entry };
  return null;
}

function unknownType(kind: Kind, type: string): CdcError {
  return new CdcError('CONFIG_UNKNOWN_TYPE', `unknown ${kind} type ${JSON.stringify(type)}`, {
    fix: 'Run `cdc-run adapters` to see all types; a module of your own begins with `./`.',
  });
}
