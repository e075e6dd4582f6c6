// Starts a pipeline as its mode asks. With `--until-caught-up` every mode is one run to what exists at the start.

import type { EngineDeps, PipelineHandle, RunOptions } from './api.ts';
import { startPipeline } from './pipeline.ts';
import type { PipelineConfig } from './pipeline-config.ts';

export async function start(config: PipelineConfig, deps: EngineDeps, options: RunOptions): Promise<PipelineHandle> {
  if (config.sync.mode !== 'cron' || options.untilCaughtUp) return startPipeline(config, deps, options);
  // The scheduler is loaded only where there is a schedule.
  const { startCron } = await import('./cron.ts');
  return startCron(config, deps, options);
}
