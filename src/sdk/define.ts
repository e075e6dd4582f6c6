// Registration: a descriptor per adapter or plugin. A descriptor's module must load no driver; `create` does that.

import type { ConfigProblem, Static, TSchema } from './config-schema.ts';
import type { Destination, DestinationCapabilities } from './destination.ts';
import type { Logger } from './logger.ts';
import type { Hook, Middleware, Transformer } from './plugin.ts';
import type { Clock, PluginStore, Random } from './ports.ts';
import type { SchemaEvolution } from './schema-evolution.ts';
import type { Source, SourceCapabilities } from './source.ts';

/** What every component gets when it is made. */
export interface ComponentContext {
  readonly pipeline: string;
  /** The component's own name; unique among its kind in the pipeline. */
  readonly name: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** Sources also get a store of their own: what they must remember beside positions (the history of schemas). */
export interface SourceContext extends ComponentContext {
  /** Each `set` is durable once it resolves. A command that only looks at a source gives an empty one and keeps nothing. */
  readonly store: PluginStore;
}

/** Destinations also get what the pipeline says about tables whose schema changes. */
export interface DestinationContext extends ComponentContext {
  readonly schemaEvolution: SchemaEvolution;
}

/** Plugins also get a store of their own, and the folder of the pipeline file for paths of code. */
export interface PluginContext extends ComponentContext {
  readonly store: PluginStore;
  readonly baseDir: string;
}

interface DescriptorBase<S extends TSchema> {
  /** snake_case, unique among its kind. */
  readonly type: string;
  readonly aliases?: readonly string[];
  /** One line for lists. */
  readonly title: string;
  readonly config: S;
  /** What the schema cannot say: keys that exclude each other. */
  validate?(config: Static<S>): ConfigProblem[];
}

export interface SourceDescriptor<S extends TSchema = TSchema> extends DescriptorBase<S> {
  readonly kind: 'source';
  capabilities(config: Static<S>): SourceCapabilities;
  create(config: Static<S>, ctx: SourceContext): Promise<Source>;
}
export interface DestinationDescriptor<S extends TSchema = TSchema> extends DescriptorBase<S> {
  readonly kind: 'destination';
  capabilities(config: Static<S>): DestinationCapabilities;
  create(config: Static<S>, ctx: DestinationContext): Promise<Destination>;
}
export interface TransformerDescriptor<S extends TSchema = TSchema> extends DescriptorBase<S> {
  readonly kind: 'transformer';
  create(config: Static<S>, ctx: PluginContext): Promise<Transformer> | Transformer;
}
export interface MiddlewareDescriptor<S extends TSchema = TSchema> extends DescriptorBase<S> {
  readonly kind: 'middleware';
  create(config: Static<S>, ctx: PluginContext): Promise<Middleware> | Middleware;
}
export interface HookDescriptor<S extends TSchema = TSchema> extends DescriptorBase<S> {
  readonly kind: 'hook';
  create(config: Static<S>, ctx: PluginContext): Promise<Hook> | Hook;
}
export type Descriptor = SourceDescriptor | DestinationDescriptor | TransformerDescriptor | MiddlewareDescriptor | HookDescriptor;

type Input<D> = Omit<D, 'kind'>;

export function defineSource<S extends TSchema>(d: Input<SourceDescriptor<S>>): SourceDescriptor<S> {
  return { kind: 'source', ...d };
}
export function defineDestination<S extends TSchema>(d: Input<DestinationDescriptor<S>>): DestinationDescriptor<S> {
  return { kind: 'destination', ...d };
}
export function defineTransformer<S extends TSchema>(d: Input<TransformerDescriptor<S>>): TransformerDescriptor<S> {
  return { kind: 'transformer', ...d };
}
export function defineMiddleware<S extends TSchema>(d: Input<MiddlewareDescriptor<S>>): MiddlewareDescriptor<S> {
  return { kind: 'middleware', ...d };
}
export function defineHook<S extends TSchema>(d: Input<HookDescriptor<S>>): HookDescriptor<S> {
  return { kind: 'hook', ...d };
}
