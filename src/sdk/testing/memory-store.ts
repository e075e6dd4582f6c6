// A plugin's store in memory.

import type { PluginStore } from '../index.ts';

export function memoryStore(): PluginStore {
  const values = new Map<string, Uint8Array>();
  return {
    get: async (key) => values.get(key) ?? null,
    set: async (key, value) => {
      values.set(key, value);
    },
  };
}
