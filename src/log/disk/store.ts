// The door to the disk log for the engine: one folder per pipeline, opened when the pipeline starts.

import type { Clock, Logger, Random } from '../../sdk/index.ts';
import type { LogListener, LogPlace, LogStore } from '../change-log.ts';
import type { Compression } from './compression.ts';
import { openDiskLog } from './disk-log.ts';
import { isMissing, type LogFiles, nodeLogFiles } from './files.ts';
import type { Bounds } from './retention.ts';
import { SEGMENT_NAME } from './segment-header.ts';

/** Batches kept as objects, so that lanes near the end do not read what was just written. */
const CACHE_BYTES = 32 * 1024 * 1024;

export interface DiskLogStoreOptions extends Bounds {
  readonly path: string;
  readonly pipeline: string;
  readonly durability: 'fsync' | 'os';
  readonly compression: Compression;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export function diskLogStore(
  { path, ...options }: DiskLogStoreOptions,
  files: LogFiles = nodeLogFiles,
  cacheBytes = CACHE_BYTES,
): LogStore {
  return {
    async exists() {
      try {
        return (await files.list(path)).some((name) => SEGMENT_NAME.test(name));
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    },
    open: (start: LogPlace, listener: LogListener) =>
      openDiskLog({
        ...options,
        folder: path,
        files,
        cacheBytes,
        start,
        onSynced: () => listener.onSynced(),
        onError: (error) => listener.onError(error),
      }),
  };
}
