// The registry of an adapter's configuration.

import { CdcError } from '../../sdk/index.ts';
import { type MessageFormatConfig, type RecordFormatConfig, registryUrlOf } from '../config.ts';
import type { FormatContext } from '../context.ts';
import { SchemaRegistry } from './client.ts';
import { type RegistryConfig, registrySchema } from './config.ts';

const REQUEST_TIMEOUT_MS = 10_000,
  CACHE_TTL_MS = 300_000;

/** `null`: none is configured. */
export function openRegistry(config: RecordFormatConfig | MessageFormatConfig, ctx: FormatContext): SchemaRegistry | null {
  const url = registryUrlOf(config);
  return url === null ? null : new SchemaRegistry(withDefaults(url, config.schema_registry), ctx);
}

export function needRegistry(config: RecordFormatConfig | MessageFormatConfig, ctx: FormatContext): SchemaRegistry {
  const registry = openRegistry(config, ctx);
  if (registry !== null) return registry;
  throw new CdcError('CONFIG_MISSING_KEY', 'The message format needs a schema registry, or a file with the schema.', {
    where: ctx.where,
    fix: 'Set schema_registry.url.',
  });
}

/** With `schema_registry_url` alone nobody has filled in the rest. */
function withDefaults(url: string, given: Partial<RegistryConfig> = {}): RegistryConfig {
  const { auto_register, subject_strategy, cache_size } = registrySchema.properties;
  return {
    auto_register: auto_register.default as boolean,
    subject_strategy: subject_strategy.default as RegistryConfig['subject_strategy'],
    cache_size: cache_size.default as number,
    request_timeout: REQUEST_TIMEOUT_MS,
    cache_ttl: CACHE_TTL_MS,
    ...given,
    url,
  };
}
