// `cdc-run status [names…]`: asks running processes over their control sockets; for pipelines that do not run it reads the state
// file. It changes nothing.

import { existsSync } from 'node:fs';
import { askAll } from '../../control/client.ts';
import { isStatusAnswer } from '../../control/commands.ts';
import type { PipelineStatus } from '../../engine/api.ts';
import { describeState, openExistingState, type StatePlace, stateKey, statePlace } from '../../open-state.ts';
import { CdcError } from '../../sdk/errors.ts';
import type { RunSummary } from '../../sdk/plugin.ts';
import type { ErrorRecord } from '../../state/store.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { load, PIPELINES_FOLDER } from '../load.ts';
import { runningLines, storedLines } from '../status-text.ts';

/** Where state is without `state.path`, of both types of files. */
const DEFAULT_STATES: readonly StatePlace[] = [{ path: '.cdc/state.db' }, { path: '.cdc/state' }];
/** A process that is busy answers in milliseconds; one that is stuck must not keep the others from being shown. */
const ASK_TIMEOUT_MS = 3_000;

/** What a state file knows of a pipeline that does not run. */
export interface StoredPipeline {
  readonly name: string;
  readonly epoch: number;
  /** Lane → source → partition → position. */
  readonly lanes: { readonly [lane: string]: { readonly [source: string]: { readonly [partition: string]: string } } };
  readonly detached: readonly string[];
  readonly lastRun: RunSummary | null;
  readonly errors: readonly ErrorRecord[];
}

export interface Running {
  readonly pid: number;
  readonly status: PipelineStatus;
}

interface StatusOptions {
  readonly config: readonly string[];
  readonly state: readonly string[];
}

export async function status(cli: Cli, names: readonly string[], options: StatusOptions): Promise<number> {
  const places = await statePlaces(cli, options);
  const wanted = (name: string): boolean => names.length === 0 || names.includes(name);
  const paths = [...new Set(places.map(({ path }) => path))];
  const running = (await Promise.all(paths.map((path) => askRunning(cli, path)))).flat().filter((r) => wanted(r.status.name));
  const live = new Set(running.map((r) => r.status.name));
  const stored = (await Promise.all(places.map((place) => readStored(place)))).flat().filter((s) => wanted(s.name) && !live.has(s.name));
  const missing = names.filter((name) => !live.has(name) && !stored.some((s) => s.name === name));
  if (missing.length > 0) throw notFound(missing, places.map(describeState));
  const { output, world } = cli;
  if (output.json) {
    output.document({ ok: true, running: running.map(({ pid, status: p }) => ({ pid, ...p })), stopped: stored });
  } else if (running.length + stored.length === 0) {
    output.print([`No pipeline runs here, and none has run before (looked at ${places.map(describeState).join(', ')}).`]);
  } else {
    const now = world.clock.now();
    output.print([...running.flatMap((r) => runningLines(r, now, output.colors)), ...stored.flatMap((s) => storedLines(s, output.colors))]);
  }
  return EXIT.ok;
}

function notFound(names: readonly string[], paths: readonly string[]): CdcError {
  return new CdcError(
    'CONTROL_UNREACHABLE',
    `No running pipeline and no state is called ${names.map((n) => JSON.stringify(n)).join(', ')} (looked at ${paths.join(', ')})`,
    {
      fix: 'Name the pipeline file with -c, or the state file with --state.',
    },
  );
}

/** Where to look: what is named, what the pipeline files named say, else those of pipelines/ and the default one. */
async function statePlaces(cli: Cli, { config, state }: StatusOptions): Promise<readonly StatePlace[]> {
  const inputs = config.length > 0 || state.length > 0 ? config : existsSync(PIPELINES_FOLDER) ? [PIPELINES_FOLDER] : [];
  // A pipeline file that is broken by now does not keep the others from being shown.
  const loaded = inputs.length === 0 ? [] : (await load(cli, inputs)).pipelines.map((p) => p.state);
  const usual = config.length > 0 || state.length > 0 ? [] : DEFAULT_STATES;
  return [...new Map([...state.map(statePlace), ...loaded, ...usual].map((place) => [stateKey(place), place])).values()];
}

async function askRunning(cli: Cli, path: string): Promise<readonly Running[]> {
  const answers = await askAll(path, { cmd: 'status' }, { clock: cli.world.clock, timeoutMs: ASK_TIMEOUT_MS });
  return answers.filter(isStatusAnswer).flatMap(({ pid, pipelines }) => pipelines.map((p) => ({ pid, status: p })));
}

async function readStored(place: StatePlace): Promise<readonly StoredPipeline[]> {
  const store = await openExistingState(place);
  if (store === null) return [];
  try {
    return await Promise.all(
      (await store.pipelines()).map(async (name): Promise<StoredPipeline> => {
        const { epoch, lanes } = await store.load(name);
        const [lastRun = null] = await store.runs(name, 1);
        return {
          name,
          epoch,
          lastRun,
          lanes: Object.fromEntries(Object.entries(lanes).map(([lane, { points }]) => [lane, points[0]?.sources ?? {}])),
          detached: Object.entries(lanes)
            .filter(([, { detached }]) => detached !== null)
            .map(([lane]) => lane),
          errors: await store.errors(name),
        };
      }),
    );
  } finally {
    await store.close();
  }
}
