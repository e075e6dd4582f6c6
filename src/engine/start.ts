// Starts a pipeline as its mode asks. With `--until-caught-up` every mode is one run to what exists at the start.

import type { EngineDeps, PipelineHandle, RunOptions } from './api.ts';
import { startCron } from './cron.ts';
import { startPipeline } from './pipeline.ts';
import type { PipelineConfig } from './pipeline-config.ts';

export function start(config: PipelineConfig, deps: EngineDeps, options: RunOptions): PipelineHandle {
  return config.sync.mode === 'cron' && !options.untilCaughtUp ? startCron(config, deps, options) : startPipeline(config, deps, options);
}
