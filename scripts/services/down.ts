// Stops what `up` started, by its own process id or container, and nothing else.

import { rmSync } from 'node:fs';
import type { ServiceDefinition } from './definition.ts';
import { composeDown } from './docker.ts';
import { loadState, lockFile, removeState, type ServiceState, saveState } from './home.ts';
import { withLock } from './lock.ts';
import { stop } from './processes.ts';

export type Down = 'stopped' | 'not running' | 'purged';

/** `purge` also removes the data. Servers named by the environment are left alone. */
export async function down(service: ServiceDefinition, purge: boolean): Promise<Down> {
  return withLock(lockFile(service.name), async () => {
    const state = loadState(service.name);
    if (state === null) return 'not running';
    const wasRunning = !state.stopped;
    await halt(service, state, purge);
    if (!purge) {
      saveState(service.name, { ...state, process: null, stopped: true });
      return wasRunning ? 'stopped' : 'not running';
    }
    if (state.folder !== null) rmSync(state.folder, { recursive: true, force: true });
    removeState(service.name);
    return 'purged';
  });
}

async function halt(service: ServiceDefinition, state: ServiceState, purge: boolean): Promise<void> {
  if (state.mode === 'docker') {
    await composeDown(service, state.port, state.password, purge);
    return;
  }
  // A server that a crash of `up` left unrecorded still names itself in its folder.
  const server = state.process ?? (state.folder === null ? null : await service.findRunning(state.folder));
  if (server !== null) await stop(server, service.stopSignals);
}
