// The pipeline that a command works on: named by its file or by its name, with its state store and, where they are needed, its
// open sources and destinations.

import { statSync } from 'node:fs';
import { type OpenDestination, type OpeningDeps, type OpenSource, openDestination, openSource } from '../engine/components.ts';
import { LeaseKeeper } from '../engine/lease.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import type { StatePlace } from '../open-state.ts';
import { createOwner, isOwnerGone } from '../owner.ts';
import { CdcError } from '../sdk/errors.ts';
import { silentLogger } from '../sdk/logger.ts';
import { systemRandom } from '../sdk/ports.ts';
import type { StateChange, StateStore } from '../state/store.ts';
import { usageError } from './arguments.ts';
import type { Cli } from './cli.ts';
import { load, PIPELINES_FOLDER } from './load.ts';

/** `cdc-run offsets orders`, `cdc-run offsets pipelines/orders.yaml`: the one pipeline meant. */
export async function findPipeline(cli: Cli, target: string, config: readonly string[]): Promise<PipelineConfig> {
  const isFile = /\.ya?ml$/i.test(target) || statSync(target, { throwIfNoEntry: false }) !== undefined;
  const inputs = [...config, ...(isFile ? [target] : config.length === 0 ? [PIPELINES_FOLDER] : [])];
  const { pipelines, problems } = await load(cli, inputs);
  const found = isFile && config.length === 0 ? pipelines : pipelines.filter((p) => p.name === target);
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const [problem] = problems;
  if (problem !== undefined) {
    const { formatIssue } = await import('../config/issue.ts');
    throw new CdcError(problem.code, problems.map(formatIssue).join('\n'), { fix: 'Correct the file; `cdc-run validate` checks it.' });
  }
  const names = pipelines.map((p) => p.name).join(', ');
  if (first === undefined)
    throw usageError(
      `No pipeline is called ${JSON.stringify(target)} in ${inputs.join(', ')}`,
      `Name a pipeline file, or one of: ${names}.`,
    );
  throw usageError(`${target} holds several pipelines`, `Name one of them, with the file as -c ${target}: ${names}.`);
}

/** The state of a pipeline that has some. Opening would create it. */
export async function openState(config: { readonly name: string; readonly state: StatePlace }): Promise<StateStore> {
  const { describeState, openExistingState } = await import('../open-state.ts');
  const store = await openExistingState(config.state);
  if (store !== null && (await store.pipelines()).includes(config.name)) return store;
  await store?.close();
  throw noState(config.name, describeState(config.state));
}

export function noState(pipeline: string, where: string): CdcError {
  return new CdcError('STATE_MOVE_REFUSED', `pipeline "${pipeline}" has no state in ${where}: it has never run there`, {
    where: `pipeline "${pipeline}"`,
    fix: 'Run the pipeline first, or look whether this is the right folder.',
  });
}

export interface Opened {
  readonly sources: readonly OpenSource[];
  readonly destinations: readonly OpenDestination[];
}

/** Opens what a pipeline is made of, without starting anything, and closes it after `work`. */
export async function withComponents<T>(
  cli: Cli,
  config: PipelineConfig,
  which: { readonly destinations: boolean },
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { loadDescriptor } = await import('../catalog.ts');
  const deps: OpeningDeps = {
    clock: cli.world.clock,
    random: systemRandom,
    logger: silentLogger,
    resolve: (kind, type) => loadDescriptor(kind, type, { baseDir: config.baseDir }),
  };
  const sources: OpenSource[] = [],
    destinations: OpenDestination[] = [];
  try {
    for (const source of config.sources) sources.push(await openSource(config, source, deps));
    if (which.destinations) for (const d of config.destinations) destinations.push(await openDestination(config, d, deps));
    return await work({ sources, destinations });
  } finally {
    for (const { source } of sources) await source.close();
    for (const { destination } of destinations) await destination.close();
  }
}

export interface Held {
  save(change: StateChange): Promise<void>;
  readonly owner: string;
}

/** Works under the pipeline's lease, so that nobody runs it meanwhile. */
export async function underLease<T>(
  cli: Cli,
  target: { readonly pipeline: string; readonly store: StateStore; readonly leaseMs: number },
  work: (held: Held) => Promise<T>,
): Promise<T> {
  const owner = createOwner(),
    { pipeline, store, leaseMs } = target;
  const lease = new LeaseKeeper({
    pipeline,
    owner,
    state: store,
    clock: cli.world.clock,
    logger: silentLogger,
    leaseMs,
    isGone: isOwnerGone,
  });
  const other = await lease.acquire();
  if (other !== null) {
    throw new CdcError('STATE_LOCKED', `pipeline "${pipeline}" is run by another process (${other})`, {
      where: 'state',
      fix: 'Stop the pipeline first. After a crash on another machine wait until its lease has run out.',
    });
  }
  try {
    return await work({
      owner,
      save: async (change) => {
        const untilMs = lease.extension();
        await store.save(pipeline, owner, untilMs, change);
        lease.renewed(untilMs);
      },
    });
  } finally {
    await lease.release();
  }
}
