// A lane world with a disk log, in a file system in memory that outlives the runs and may fail.

import type { EngineDeps, PipelineHandle, RunOptions } from '../../src/engine/api.ts';
import type { PipelineConfig } from '../../src/engine/pipeline-config.ts';
import { MemoryFiles } from '../../src/log/disk/memory-files.ts';
import { diskLogStore } from '../../src/log/disk/store.ts';
import { LaneWorld, type LaneWorldOptions } from './lane-world.ts';

const BOUNDS = { maxEvents: 100_000, maxBytes: 64 * 1024 * 1024, maxAgeMs: null };
const DISK_LOG = {
  type: 'disk',
  path: '/log',
  ...BOUNDS,
  durability: 'fsync',
  compression: 'none',
  whenFull: 'detach',
} as PipelineConfig['log'];

export class DiskWorld extends LaneWorld {
  files = new MemoryFiles();

  constructor(options: LaneWorldOptions = {}) {
    super({ ...options, pipeline: { log: DISK_LOG, ...options.pipeline } });
    const more = {
      path: '/log',
      pipeline: 'test',
      durability: 'fsync',
      compression: 'none',
      random: () => 0.5,
    } as const;
    const store = () => diskLogStore({ ...more, clock: this.clock, logger: this.deps.logger, ...BOUNDS }, this.files);
    const logStore: EngineDeps['logStore'] = { exists: () => store().exists(), open: (...args) => store().open(...args) };
    Object.assign(this.deps, { logStore });
  }

  override start(more: LaneWorldOptions = {}, options: Partial<RunOptions> = {}): PipelineHandle {
    return super.start(more.pipeline === undefined ? more : { ...more, pipeline: { log: DISK_LOG, ...more.pipeline } }, options);
  }

  /** The folder as it is now, to be put back later. */
  copy(): () => void {
    const before = this.files,
      later = before.crash('kill', () => 0);
    this.files = before.crash('kill', () => 0);
    return () => {
      this.files = later;
    };
  }
}
