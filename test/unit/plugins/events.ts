// Change events for the tests of plugins.

import type { PluginContext } from 'cdc-run/sdk';
import {
  ChangeEvent,
  type ChangeEventInit,
  type Position,
  type Row,
  silentLogger,
  systemClock,
  systemRandom,
  type TableSchema,
} from 'cdc-run/sdk';

export function table(
  name = 'orders',
  columns: TableSchema['columns'] = [],
  key: readonly string[] = ['id'],
  schema: string | null = 'public',
): TableSchema {
  return { id: { database: 'shop', schema, table: name }, columns, key, version: 1 };
}

const ORDERS = table();

export function event(after: Row | null, init: Partial<ChangeEventInit> = {}): ChangeEvent {
  return new ChangeEvent({
    op: 'c',
    table: ORDERS,
    source: 'shop',
    partition: 'main',
    position: '0000000000000042' as Position,
    sourceTsMs: 1_700_000_000_000,
    after,
    ...init,
  });
}

export const context: PluginContext = {
  pipeline: 'orders',
  name: 'plugin',
  logger: silentLogger,
  clock: systemClock,
  random: systemRandom,
  baseDir: '/',
  store: { get: async () => null, set: async () => undefined },
};

/** The config with its defaults, as it is after normalize. */
export function withDefaults<T>(schema: { readonly properties: object }, config: object): T {
  const defaults = Object.entries(schema.properties as Record<string, { default?: unknown }>).filter(([, s]) => s.default !== undefined);
  return { ...Object.fromEntries(defaults.map(([key, s]) => [key, s.default])), ...config } as T;
}
