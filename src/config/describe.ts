// A pipeline's configuration as `plan` and logs show it: complete, without secrets.

import { type Kind, resolveDescriptor } from '../catalog.ts';
import type { ComponentConfig, DeadLetterQueueConfig, PipelineConfig } from '../engine/pipeline-config.ts';
import { hideCredentials, redact } from './redact.ts';
import type { JsonSchema } from './schema-walk.ts';

/** A plain, JSON-able copy: `***` stands for secrets, and for passwords inside of URLs. */
export async function describeConfig(config: PipelineConfig): Promise<Record<string, unknown>> {
  const all = <C extends ComponentConfig>(kind: Kind, components: readonly C[]) =>
    Promise.all(components.map((component) => describeComponent(kind, component, config.baseDir)));
  const { sources, destinations, transformers, middleware, hooks, deadLetterQueue, ...rest } = config;
  return {
    ...(redact(rest, HEALTH_TOKEN) as Record<string, unknown>),
    sources: await all('source', sources),
    destinations: await Promise.all(
      destinations.map(async ({ deadLetterQueue: own, ...one }) => ({
        ...(await describeComponent('destination', one, config.baseDir)),
        transformers: await all('transformer', one.transformers),
        deadLetterQueue: own && (await describeQueue(own, config.baseDir)),
      })),
    ),
    deadLetterQueue: await describeQueue(deadLetterQueue, config.baseDir),
    transformers: await all('transformer', transformers),
    middleware: await all('middleware', middleware),
    hooks: await all('hook', hooks),
  };
}

async function describeQueue(queue: DeadLetterQueueConfig, baseDir: string): Promise<Record<string, unknown>> {
  const key = queue.key && '***';
  return queue.type === 'destination'
    ? { ...queue, key, destination: await describeComponent('destination', queue.destination, baseDir) }
    : { ...queue, key };
}

/** The one secret that belongs to no component. */
const HEALTH_TOKEN: JsonSchema = { properties: { health: { properties: { token: { 'x-secret': true } } } } };

async function describeComponent(kind: Kind, { config, ...rest }: ComponentConfig, baseDir: string): Promise<Record<string, unknown>> {
  const descriptor = await resolveDescriptor(kind, rest.type, { baseDir });
  return { ...rest, type: hideCredentials(rest.type), config: redact(config, descriptor.config) };
}
