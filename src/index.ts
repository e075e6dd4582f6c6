// The library: `import { runPipeline } from 'cdc-run'` starts, observes and stops pipelines in a program.

import { formatIssue } from './config/issue.ts';
import { loadPipelines } from './config/load.ts';
import type { PipelineHandle } from './engine/api.ts';
import type { PipelineConfig } from './engine/pipeline-config.ts';
import { openRuntime, type RuntimeOptions } from './run.ts';
import { CdcError } from './sdk/index.ts';

export type { DeadLetter, LaneStatus, PipelineHandle, PipelineStatus, RunOptions, SourceStatus } from './engine/api.ts';
export type { PipelineConfig } from './engine/pipeline-config.ts';
export { openRuntime, type Runtime, type RuntimeOptions } from './run.ts';
export { CdcError, type ErrorCode, type Logger, type ResumePoint, type RunSummary } from './sdk/index.ts';
export { loadPipelines };

export interface RunPipelineOptions extends RuntimeOptions {
  /** `a.b=value`, as with `--set`. */
  readonly set?: readonly string[];
  /** Where `${VAR}` is read from; default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts the pipeline of a YAML file, or one that is configured already. Resolves once it is started; `handle.done` resolves
 * at its end, `handle.status()` observes it, `handle.stop()` drains it. Throws `CdcError` when the configuration is wrong.
 *
 * ```ts
 * const orders = await runPipeline('pipelines/orders.yaml', { untilCaughtUp: true });
 * const { delivered } = await orders.done;
 * ```
 */
export async function runPipeline(pipeline: string | PipelineConfig, options: RunPipelineOptions = {}): Promise<PipelineHandle> {
  const config = typeof pipeline === 'string' ? await loadOne(pipeline, options) : pipeline;
  const [unavailable] = config.unavailable;
  if (unavailable !== undefined) throw new CdcError(unavailable.code, unavailable.message, { where: unavailable.where });
  const runtime = await openRuntime([config], options);
  const [handle] = runtime.handles;
  if (handle === undefined) throw new CdcError('INTERNAL_UNEXPECTED', 'no pipeline was started');
  return {
    name: handle.name,
    config: handle.config,
    status: () => handle.status(),
    replay: (ask) => handle.replay(ask),
    snapshot: (ask) => handle.snapshot(ask),
    pause: (destination, work) => handle.pause(destination, work),
    done: runtime.done.then(([summary]) => summary ?? handle.done),
    stop: async () => (await runtime.stop())[0] ?? handle.done,
  };
}

async function loadOne(file: string, options: RunPipelineOptions): Promise<PipelineConfig> {
  const { pipelines, problems } = await loadPipelines([file], { set: [...(options.set ?? [])], env: { ...(options.env ?? process.env) } });
  const [first] = problems,
    [config, second] = pipelines;
  if (first !== undefined) throw new CdcError(first.code, problems.map(formatIssue).join('\n'), { where: first.path });
  if (config === undefined || second !== undefined) {
    throw new CdcError('CONFIG_INVALID_VALUE', `${file} holds ${pipelines.length} pipelines`, {
      where: file,
      fix: 'Use `loadPipelines` and `openRuntime` for several.',
    });
  }
  return config;
}
