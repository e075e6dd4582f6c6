// Opens the state that a configuration, or a place alone, names: files by src/state, servers by the system that keeps documents there.

import { resolve } from 'node:path';
import type { PipelineConfig } from './engine/pipeline-config.ts';
import type { StateStore } from './state/store.ts';

/** `path`: of files; else only control sockets are beside it. */
export type StatePlace = Pick<PipelineConfig['state'], 'path' | 'url'>;

/** How long a connection, or an answer, of a server may take: well below the usual lease. */
const TIMEOUT_MS = 5_000;

/** Of `--state`: a path, or the address of a server. */
export function statePlace(text: string): StatePlace {
  return /^rediss?:\/\//.test(text) ? { path: '.cdc/state.db', url: text } : { path: text };
}

/** Two that are the same place have the same. */
export function stateKey({ path, url }: StatePlace): string {
  return url ?? resolve(path);
}

/** For people: no password. */
export function describeState({ path, url }: StatePlace): string {
  return url === undefined ? path : `Redis at ${new URL(url).host}`;
}

export async function openState({ type, path, url }: PipelineConfig['state'], warn: (message: string) => void): Promise<StateStore> {
  if (type === 'redis') return openRedis(url as string, warn);
  const { openStateStore } = await import('./state/open.ts');
  return openStateStore({ type, path: resolve(path) });
}

/** `null`: there is none. Looking makes none. */
export async function openExistingState({ path, url }: StatePlace): Promise<StateStore | null> {
  if (url !== undefined) return openRedis(url, () => {});
  const { openExistingStateStore } = await import('./state/open.ts');
  return openExistingStateStore(resolve(path));
}

async function openRedis(url: string, warn: (message: string) => void): Promise<StateStore> {
  const [{ redisDocuments }, { openRemoteStateStore }] = await Promise.all([
    import('./systems/redis/documents.ts'),
    import('./state/remote-store.ts'),
  ]);
  return openRemoteStateStore(redisDocuments(url, TIMEOUT_MS, process.env), warn);
}
