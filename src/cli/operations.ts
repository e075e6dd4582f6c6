// What makes a running process observable: health servers and control sockets. A health port that is taken stops the start,
// because somebody relies on it; a control socket that cannot be opened is only a warning.

import { resolve } from 'node:path';
import { controlCommands } from '../control/commands.ts';
import type { LetterTools } from '../control/letter-jobs.ts';
import { type ControlServer, openControlServer } from '../control/server.ts';
import type { PipelineHandle } from '../engine/api.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import type { Logger } from '../sdk/logger.ts';
import type { Clock } from '../sdk/ports.ts';
import type { ErrorRecord } from '../state/store.ts';

export interface Operations extends AsyncDisposable {
  /** Where `/metrics` reads counted errors; until it is set there are none. */
  setErrors(read: (pipeline: string) => Promise<readonly ErrorRecord[]>): void;
  /** Where the control socket finds the dead letters of a pipeline; until it is set they cannot be worked on. */
  setLetters(tools: (pipeline: string) => LetterTools | null): void;
}

interface Deps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Opened before the pipelines start, so that a taken port is noticed before anything is captured. */
export async function openOperations(
  configs: readonly PipelineConfig[],
  handles: () => readonly PipelineHandle[],
  { clock, logger }: Deps,
): Promise<Operations> {
  let read: (pipeline: string) => Promise<readonly ErrorRecord[]> = async () => [];
  let letters: (pipeline: string) => LetterTools | null = () => null;
  const health = configs.some((config) => config.health.enabled)
    ? await (await import('../observability/health-group.ts')).openHealthServers(configs, handles, {
        clock,
        logger,
        errors: (pipeline) => read(pipeline),
      })
    : [];
  for (const { host, port } of health)
    logger.info('health server listens', { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/health` });
  const control = await openControlServers(configs, handles, (pipeline) => letters(pipeline), logger);
  return {
    setErrors: (errors) => {
      read = errors;
    },
    setLetters: (tools) => {
      letters = tools;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...health, ...control].map((server) => server.close()));
    },
  };
}

/** One socket per state file. */
async function openControlServers(
  configs: readonly PipelineConfig[],
  handles: () => readonly PipelineHandle[],
  letters: (pipeline: string) => LetterTools | null,
  logger: Logger,
): Promise<readonly ControlServer[]> {
  const servers: ControlServer[] = [];
  for (const path of new Set(configs.map((config) => resolve(config.state.path)))) {
    const own = (): readonly PipelineHandle[] => handles().filter((h) => resolve(h.config.state.path) === path);
    try {
      servers.push(await openControlServer(path, controlCommands(own, letters), logger));
    } catch (error) {
      logger.warn('control socket cannot be opened: `cdc-run status` will read the state file instead', { state: path, error });
    }
  }
  return servers;
}
