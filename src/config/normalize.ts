// A validated document → the one shape that the rest of the program reads. Reads top to bottom like the file: shell, sources,
// destinations, plugins, then what only the whole can say.

import { basename, extname, join } from 'node:path';
import type {
  BatchConfig,
  DestinationConfig,
  HealthConfig,
  HookConfig,
  LogConfig,
  PipelineConfig,
  PluginConfig,
} from '../engine/pipeline-config.ts';
import type { HookEvent } from '../sdk/index.ts';
import { type Context, checkAll, type Found, foundAt } from './components.ts';
import { ofConnector } from './connector-config.ts';
import { checkDeadLetterQueue } from './dead-letters.ts';
import { deliveryConfig, laneTransformers, retryConfig } from './delivery.ts';
import { isMapping } from './document.ts';
import { checkEnvelope } from './envelopes.ts';
import { warnOfNoEffect } from './no-effect.ts';
import type { HealthSection } from './operation-sections.ts';
import { parallelismConfig } from './parallelism.ts';
import { checkPlugins, type FoundPlugin } from './plugins.ts';
import { checkSchemaEvolution, schemaEvolutionConfig } from './schema-evolution.ts';
import type { StateSection, SyncSection } from './sections.ts';
import {
  ConnectorShell,
  DestinationKeys,
  type DestinationSection,
  type HookSection,
  type PipelineSection,
  PipelineShell,
  SourceKeys,
  type SourceSection,
} from './shell.ts';
import { checkShell } from './shell-rules.ts';
import { unavailableInShell } from './unavailable.ts';
import { validate } from './validate.ts';

type Shell = PipelineSection & {
  readonly config?: Record<string, unknown>;
  readonly type?: string;
  readonly output?: { readonly topic_prefix: string };
};

const MIB = 1024 * 1024;

/** The pipeline of a document; `null` when there are problems, which the document then holds. */
export async function normalize(context: Context): Promise<PipelineConfig | null> {
  const { document } = context;
  if (!isMapping(document.value)) {
    document.problem({
      code: 'CONFIG_WRONG_TYPE',
      path: [],
      message: 'a pipeline must be a mapping of keys',
      expected: 'a mapping of keys',
      fix: 'Write keys such as `source:` and `destination:`.',
    });
    return null;
  }
  // Seed form of a connector: `type` and `config` of the one source at the top.
  const isConnector =
    !('source' in document.value || 'sources' in document.value) && ('config' in document.value || 'output' in document.value);
  const { value: shell } = await validate<Shell>(isConnector ? ConnectorShell : PipelineShell, document.value, [], document);
  const found = (isConnector ? connectorSource(shell) : componentsOf('source', shell)).flatMap((one) => ofConnector(one, document) ?? []);
  const sources = await checkAll<SourceSection>(found, SourceKeys, context);
  for (const source of sources) if (source !== null) warnOfNoEffect(source, document);
  const name = shell.name ?? nameOf(document.file, document.index);
  const destinations = await checkDestinations(shell, name, context);
  const deadLetterQueue = await checkDeadLetterQueue(shell.error_handling, ['error_handling'], name, context);
  const plugins = await checkPlugins(shell.plugins, context);
  checkShell(shell, isConnector, document);
  checkSchemaEvolution(shell.schema_evolution, document);
  if (document.problems.length > 0 || deadLetterQueue === null) return null;
  unavailableInShell(shell, context.unavailable);
  return {
    name,
    file: document.file,
    baseDir: document.baseDir,
    sources: sources.flatMap((checked) => checked?.component ?? []),
    destinations,
    transformers: plugins.transformers.map(pluginConfig),
    middleware: plugins.middleware.map(pluginConfig),
    hooks: plugins.hooks.map(hookConfig),
    sync: syncConfig(shell.sync),
    log: logConfig(isConnector ? { ...shell.log, type: 'disk' } : shell.log, name),
    topicPrefix: shell.output?.topic_prefix ?? null,
    state: stateConfig(shell.state),
    deduplication: shell.deduplication === undefined ? null : { windowMs: shell.deduplication.window, maxIds: shell.deduplication.max_ids },
    schemaEvolution: schemaEvolutionConfig(shell.schema_evolution),
    retry: retryConfig(shell.error_handling.retry),
    deadLetterQueue,
    health: healthConfig(shell.health_checks),
    unavailable: context.unavailable,
  };
}

/** `pipelines/orders.yaml` → `orders`; its second document → `orders-2`. */
export function nameOf(file: string, index: number): string {
  const base = basename(file, extname(file))
    .replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .slice(0, 90);
  return `${base === '' ? 'pipeline' : base}${index === 0 ? '' : `-${index + 1}`}`;
}

function connectorSource(shell: Shell): Found[] {
  if (!isMapping(shell.config)) return [];
  return [
    {
      kind: 'source',
      at: ['config'],
      typeAt: ['type'],
      keys: shell.config,
      keysAt: ['config'],
      type: shell.type,
      name: shell.config['name'],
    },
  ];
}

/** `source: {…}` or `sources: [{…}]`, and likewise for destinations. */
function componentsOf(kind: 'source' | 'destination', shell: Shell): Found[] {
  const one: unknown = shell[kind],
    many: unknown = shell[`${kind}s`];
  const found = isMapping(one) ? [foundAt(kind, one, [kind])] : [];
  for (const [i, item] of (Array.isArray(many) ? many : []).entries()) {
    if (isMapping(item)) found.push(foundAt(kind, item, [`${kind}s`, i]));
  }
  return found;
}

async function checkDestinations(shell: Shell, pipeline: string, context: Context): Promise<DestinationConfig[]> {
  const found = componentsOf('destination', shell);
  const checked = await checkAll<DestinationSection>(found, DestinationKeys, context);
  const configs: DestinationConfig[] = [];
  for (const [i, { at, keys }] of found.entries()) {
    const envelope = await checkEnvelope(keys['envelope'] ?? 'debezium', [...at, 'envelope'], context);
    const one = checked[i];
    if (one === null || one === undefined) continue;
    warnOfNoEffect(one, context.document);
    // Reported before; there is nothing to build on.
    if (!isMapping(shell.error_handling) || !isMapping(shell.sync)) continue;
    const file = `${pipeline}.${one.component.name}`;
    const deadLetterQueue = await checkDeadLetterQueue(one.common.error_handling, [...at, 'error_handling'], file, context);
    configs.push({
      ...one.component,
      required: one.common.required,
      start: one.common.start,
      envelope,
      batch: batchOf(one.common, shell.sync),
      deadLetterQueue,
      transformers: await laneTransformers(one.common, one.component.name, at, context),
      parallelism:
        one.common.parallelism === undefined
          ? parallelismConfig(shell.sync.parallelism, ['sync', 'parallelism'], context)
          : parallelismConfig(one.common.parallelism, [...at, 'parallelism'], context),
      delivery: deliveryConfig(one.common, shell.error_handling, shell.sync, at, context),
    });
  }
  return configs;
}

/** A destination's own batch keys, else those of `sync`. */
function batchOf(own: Partial<Pick<SyncSection, 'batch_size' | 'batch_bytes' | 'batch_timeout'>>, sync: SyncSection): BatchConfig {
  return {
    maxEvents: own.batch_size ?? sync.batch_size,
    maxBytes: own.batch_bytes ?? sync.batch_bytes,
    timeoutMs: own.batch_timeout ?? sync.batch_timeout,
  };
}

function pluginConfig({ component, section }: FoundPlugin): PluginConfig {
  return { ...component, timeoutMs: section.timeout };
}

function hookConfig(found: FoundPlugin): HookConfig {
  const { on } = found.section as HookSection;
  return { ...pluginConfig(found), on: (Array.isArray(on) ? on : [on]) as readonly HookEvent[] };
}

function syncConfig(sync: SyncSection): PipelineConfig['sync'] {
  return {
    mode: sync.mode,
    schedule: sync.schedule ?? null,
    timezone: sync.timezone,
    batch: batchOf({}, sync),
    checkpointIntervalMs: sync.checkpoint_interval,
    shutdownTimeoutMs: sync.grace_period ?? sync.shutdown_timeout,
  };
}

/** The defaults differ: memory is scarce, and a disk log keeps history. */
function logConfig(log: Shell['log'], pipeline: string): LogConfig {
  if (log.type === 'memory') return { type: 'memory', maxEvents: log.max_events ?? 100_000, maxBytes: log.max_bytes ?? 256 * MIB };
  return {
    type: 'disk',
    path: join(log.path ?? '.cdc/log', pipeline),
    maxEvents: log.max_events ?? Number.POSITIVE_INFINITY,
    maxBytes: log.max_bytes ?? 10 * 1024 * MIB,
    maxAgeMs: log.max_age ?? 7 * 86_400_000,
    whenFull: log.when_full ?? 'detach',
    durability: log.durability ?? 'fsync',
    compression: log.compression ?? 'none',
  };
}

/** Other types are not available: running stops with them, so the kind of store does not matter. */
function stateConfig({ type, path, url, lease, checkpoints }: StateSection): PipelineConfig['state'] {
  const kind = type === 'file' || type === 'redis' ? type : 'sqlite';
  return {
    type: kind,
    path: path ?? (kind === 'file' ? '.cdc/state' : '.cdc/state.db'),
    ...(kind === 'redis' && url !== undefined ? { url } : {}),
    leaseMs: lease,
    checkpoints,
  };
}

/** Without a `health_checks` section there is no server. */
function healthConfig(section: HealthSection | undefined): HealthConfig & { readonly token?: string } {
  if (section === undefined) return { enabled: false, host: '127.0.0.1', port: 8080, endpoints: [], stallAfterMs: 300_000 };
  const { enabled, host, port, token, stall_after: stallAfterMs } = section;
  const endpoints = section.endpoints.map(({ path, format, checks }) => ({
    path,
    checks,
    format: format ?? (path === '/metrics' ? ('prometheus' as const) : ('json' as const)),
  }));
  return { enabled, host, port, endpoints, stallAfterMs, ...(token === undefined ? {} : { token }) };
}
