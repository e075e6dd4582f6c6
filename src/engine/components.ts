// Makes the components of a pipeline from their descriptors. Whatever a descriptor throws here names the component.

import { pathToFileURL } from 'node:url';
import type { EnvelopeContext } from '../envelope/envelope.ts';
import {
  CdcError,
  type ChangeEvent,
  type Destination,
  type DestinationCapabilities,
  forgetfulStore,
  type Hook,
  type HookEvent,
  type HookPayload,
  type Middleware,
  type PointHoldingDestination,
  type Source,
  type SourceCapabilities,
  type Transformer,
  toCdcError,
} from '../sdk/index.ts';
import type { EngineDeps } from './api.ts';
import { SharedEncoder } from './encoding.ts';
import { withTimeout } from './guard.ts';
import type { NamedMiddleware } from './lane-options.ts';
import { type LaneStep, LaneTransform } from './lane-transform.ts';
import type { ComponentConfig, DestinationConfig, ParallelismConfig, PipelineConfig, PluginConfig } from './pipeline-config.ts';
import { schemaModes } from './schema-modes.ts';
import { createSlots, type Slots } from './slots.ts';
import type { ChainStep } from './transform-chain.ts';

export interface OpenSource {
  readonly config: ComponentConfig;
  readonly source: Source;
  readonly capabilities: SourceCapabilities;
}
export interface OpenDestination {
  readonly config: DestinationConfig;
  readonly destination: Destination;
  readonly capabilities: DestinationCapabilities;
}

/** What opening an adapter needs: commands that look at one have no more, and nothing that outlives them. */
export type OpeningDeps = Pick<EngineDeps, 'clock' | 'random' | 'logger' | 'resolve'> & Partial<Pick<EngineDeps, 'store'>>;

function contextOf(config: PipelineConfig, component: ComponentConfig, deps: OpeningDeps) {
  return {
    pipeline: config.name,
    name: component.name,
    clock: deps.clock,
    random: deps.random,
    logger: deps.logger.child({ component: component.name }),
  };
}

function pluginContextOf(config: PipelineConfig, plugin: ComponentConfig, deps: EngineDeps) {
  return { ...contextOf(config, plugin, deps), baseDir: config.baseDir, store: deps.store(plugin.name) };
}

export async function openSource(config: PipelineConfig, component: ComponentConfig, deps: OpeningDeps): Promise<OpenSource> {
  const descriptor = await deps.resolve('source', component.type);
  if (descriptor.kind !== 'source') throw new TypeError(`${component.type} is a ${descriptor.kind}`);
  const store = deps.store?.(`source/${component.name}`) ?? forgetfulStore;
  const source = await descriptor.create(component.config as never, { ...contextOf(config, component, deps), store });
  return { config: component, source, capabilities: descriptor.capabilities(component.config as never) };
}

export async function openDestination(config: PipelineConfig, component: DestinationConfig, deps: OpeningDeps): Promise<OpenDestination> {
  const descriptor = await deps.resolve('destination', component.type);
  if (descriptor.kind !== 'destination') throw new TypeError(`${component.type} is a ${descriptor.kind}`);
  const destination = await descriptor.create(component.config as never, {
    ...contextOf(config, component, deps),
    schemaEvolution: schemaModes(config.schemaEvolution),
  });
  return { config: component, destination, capabilities: descriptor.capabilities(component.config as never) };
}

export async function openTransformer(config: PipelineConfig, plugin: PluginConfig, deps: EngineDeps): Promise<ChainStep> {
  const descriptor = await deps.resolve('transformer', plugin.type);
  if (descriptor.kind !== 'transformer') throw new TypeError(`${plugin.type} is a ${descriptor.kind}`);
  const transformer: Transformer = await create(plugin, () =>
    descriptor.create(plugin.config as never, pluginContextOf(config, plugin, deps)),
  );
  return { name: plugin.name, timeoutMs: plugin.timeoutMs, transformer };
}

/** The transformers of one destination; `null` when it has none. */
export async function openLaneTransform(
  config: PipelineConfig,
  destination: DestinationConfig,
  deps: EngineDeps,
): Promise<LaneTransform | null> {
  if (destination.transformers.length === 0) return null;
  const steps: LaneStep[] = [];
  for (const plugin of destination.transformers) steps.push({ ...(await openTransformer(config, plugin, deps)), type: plugin.type });
  return new LaneTransform(steps, destination.where, deps.clock);
}

export async function openMiddleware(config: PipelineConfig, plugin: PluginConfig, deps: EngineDeps): Promise<NamedMiddleware> {
  const descriptor = await deps.resolve('middleware', plugin.type);
  if (descriptor.kind !== 'middleware') throw new TypeError(`${plugin.type} is a ${descriptor.kind}`);
  const middleware: Middleware = await create(plugin, () =>
    descriptor.create(plugin.config as never, pluginContextOf(config, plugin, deps)),
  );
  return { name: plugin.name, timeoutMs: plugin.timeoutMs, middleware };
}

async function create<T>(plugin: PluginConfig, make: () => T | Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    throw toCdcError(error, 'PLUGIN_LOAD_FAILED', { where: plugin.where, fix: 'Correct the plugin or its params.' });
  }
}

/** All hooks of a pipeline. A failing one is logged; only `before_run` may stop the run. */
export class Hooks {
  readonly #hooks: readonly { name: string; timeoutMs: number; on: readonly HookEvent[]; hook: Hook }[];
  readonly #deps: EngineDeps;

  private constructor(hooks: readonly { name: string; timeoutMs: number; on: readonly HookEvent[]; hook: Hook }[], deps: EngineDeps) {
    this.#hooks = hooks;
    this.#deps = deps;
  }

  static async open(config: PipelineConfig, deps: EngineDeps): Promise<Hooks> {
    const hooks = [];
    for (const plugin of config.hooks) {
      const descriptor = await deps.resolve('hook', plugin.type);
      if (descriptor.kind !== 'hook') throw new TypeError(`${plugin.type} is a ${descriptor.kind}`);
      const hook = await create(plugin, () => descriptor.create(plugin.config as never, pluginContextOf(config, plugin, deps)));
      hooks.push({ name: plugin.name, timeoutMs: plugin.timeoutMs, on: plugin.on, hook });
    }
    return new Hooks(hooks, deps);
  }

  wants(event: HookEvent): boolean {
    return this.#hooks.some((h) => h.on.includes(event));
  }

  async tell(payload: HookPayload): Promise<void> {
    for (const { name, timeoutMs, on, hook } of this.#hooks) {
      if (!on.includes(payload.event)) continue;
      try {
        await withTimeout(this.#deps.clock, name, timeoutMs, Promise.resolve(hook.handle(payload)));
      } catch (cause) {
        const error = toCdcError(cause, 'PLUGIN_FAILED', { where: `hook "${name}"` });
        if (payload.event === 'before_run') throw error;
        this.#deps.logger.error(`hook "${name}" failed`, { code: error.code, error: error.message, event: payload.event });
      }
    }
  }

  async close(): Promise<void> {
    for (const { hook } of this.#hooks) await hook.close?.();
  }
}

/** One encoder per envelope configuration, shared by the lanes that use it. Loaded only for destinations that want bytes. */
export class Encoders {
  readonly #byKey = new Map<string, SharedEncoder>();
  readonly #context: EnvelopeContext;

  constructor(config: PipelineConfig, sources: readonly OpenSource[], deps: EngineDeps) {
    const descriptions = Object.fromEntries(
      sources.map(({ config: { name }, source }) => [
        name,
        {
          // Asked when the first event of a table is encoded: only then a source may know its server.
          get connector() {
            return source.describe().connector;
          },
          get database() {
            return source.describe().database;
          },
          fields: (event: ChangeEvent) => {
            const id = event.transaction?.id ?? null;
            return event.lazyPosition()?.fields(id) ?? source.positions.fields?.(event.position, id) ?? {};
          },
        },
      ]),
    );
    this.#context = { pipeline: config.name, sources: descriptions, now: () => deps.clock.now(), version: deps.version };
  }

  async for({ config: { envelope }, capabilities }: OpenDestination): Promise<SharedEncoder | null> {
    if (capabilities.input !== 'bytes') return null;
    const key = JSON.stringify([envelope.type, envelope.options]);
    let encoder = this.#byKey.get(key);
    if (encoder === undefined) {
      const { createEnvelope } = await import('../envelope/create.ts');
      encoder = new SharedEncoder(createEnvelope(envelope, this.#context), { ...envelope, context: this.#context });
      this.#byKey.set(key, encoder);
    }
    encoder.users++;
    return encoder;
  }
}

/** The destination as one that keeps the lane's point, if it says so. */
export function pointHolder({ destination, capabilities }: OpenDestination): PointHoldingDestination | null {
  return capabilities.holdsPoint ? (destination as PointHoldingDestination) : null;
}

/** How events are spread over the workers of a lane; the function for strategy `custom` comes from the user's module. */
export async function openSlots(config: ParallelismConfig): Promise<Slots> {
  if (config.module === null) return createSlots(config, null);
  let loaded: { readonly partition?: unknown };
  try {
    loaded = (await import(pathToFileURL(config.module).href)) as typeof loaded;
  } catch (error) {
    throw toCdcError(error, 'PLUGIN_LOAD_FAILED', { where: config.module, fix: 'Correct sync.parallelism.partition_function.' });
  }
  const { partition } = loaded;
  if (typeof partition === 'function') return createSlots(config, partition as (event: ChangeEvent) => unknown);
  throw new CdcError('PLUGIN_CONTRACT', `${config.module} exports no function \`partition\``, {
    where: config.module,
    fix: 'Export `partition(event)`, which returns a number or a text.',
  });
}
