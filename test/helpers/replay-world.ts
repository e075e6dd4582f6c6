// A world whose lane sends a stretch of its log again: over the fakes, with a disk log in a file system in memory.

import type { PipelineHandle } from '../../src/engine/api.ts';
import type { DestinationConfig } from '../../src/engine/pipeline-config.ts';
import type { ReplayAsk } from '../../src/engine/replay-plan.ts';
import { MemoryFiles } from '../../src/log/disk/memory-files.ts';
import { diskLogStore } from '../../src/log/disk/store.ts';
import { type ResumePoint, silentLogger } from '../../src/sdk/index.ts';
import type { ReplayRequest, StateStore } from '../../src/state/store.ts';
import { LaneWorld, type LaneWorldOptions } from './lane-world.ts';
import { pipeline as defaults } from './pipeline.ts';

const { sync } = defaults({ sources: [], destinations: [] });
export const batches = (maxEvents: number): Partial<DestinationConfig> => ({
  batch: { maxEvents, maxBytes: 8 * 1024 * 1024, timeoutMs: 0 },
});

export class ReplayWorld extends LaneWorld {
  constructor(options: LaneWorldOptions = {}) {
    const bounds = { maxEvents: 10_000, maxBytes: 64 * 1024 * 1024, maxAgeMs: null };
    const log = { type: 'disk', path: '/log', ...bounds, durability: 'fsync', compression: 'none', whenFull: 'block' } as never;
    super({ ...options, destination: { ...batches(4), ...options.destination }, pipeline: { log, ...options.pipeline } });
    const store = diskLogStore(
      {
        path: '/log',
        pipeline: 'test',
        durability: 'fsync',
        compression: 'none',
        clock: this.clock,
        random: () => 0.5,
        logger: silentLogger,
        ...bounds,
      },
      new MemoryFiles(),
    );
    Object.assign(this.deps, { logStore: store });
  }

  get state(): StateStore {
    return this.deps.state;
  }
  get lane(): string {
    return `fake_${this.rows.rows.size > 0 ? 'rows' : 'holding'}`;
  }
  async laneState() {
    return (await this.state.load('test')).lanes[this.lane];
  }
  get point(): ResumePoint {
    return this.holding.lane({ pipeline: 'test', lane: 'fake_holding' }).points?.[0] as ResumePoint;
  }
  /** As the command line does it while nothing runs. */
  async request(from: number, more: Partial<ReplayRequest> = {}): Promise<void> {
    const state = await this.laneState();
    if (state === undefined) throw new Error('no lane');
    const log = state.points[0]?.log?.id ?? '';
    await this.state.acquire('test', 'cli', this.clock.now(), this.clock.now() + 1000);
    const replay = { log, from, to: null, next: from, tables: [], ...more };
    await this.state.save('test', 'cli', this.clock.now() + 1000, { lanes: { [this.lane]: { ...state, replay } } });
    await this.state.release('test', 'cli');
  }
  continuous(): PipelineHandle {
    return this.start({ pipeline: { ...this.pipelineOptions, sync: { ...sync, mode: 'continuous' } } });
  }
  get pipelineOptions() {
    return { log: { type: 'disk', path: '/log', maxEvents: 10_000, maxBytes: 64 * 1024 * 1024, maxAgeMs: null } as never };
  }
  /** What was applied since. */
  take(): unknown[] {
    const { ids } = this;
    this.applied.length = 0;
    return ids;
  }
}

export const ask = (more: Partial<ReplayAsk> = {}): ReplayAsk => ({
  destination: 'fake_holding',
  from: 1,
  to: null,
  tables: [],
  force: false,
  ...more,
});
