// `cdc-run snapshot <pipeline> --tables a,b`: has existing rows read again, or the snapshot of tables paused, resumed or skipped. A
// running pipeline is asked to; for a stopped one the request is left with its source, and the next start takes it up.

import { askRunning } from '../../control/client.ts';
import { openSource } from '../../engine/components.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { refusedSnapshot, requestSnapshot, type SnapshotAsk, type SnapshotTaken, sourceAsked } from '../../engine/snapshot-ask.ts';
import { createOwner } from '../../owner.ts';
import { silentLogger } from '../../sdk/logger.ts';
import { systemRandom } from '../../sdk/ports.ts';
import type { SnapshotAction } from '../../sdk/snapshot-request.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { findPipeline, openState, underLease } from '../pipeline-target.ts';

export interface SnapshotFlags {
  readonly config: readonly string[];
  readonly tables: readonly string[];
  readonly source?: string;
  readonly where?: string;
  readonly pause: boolean;
  readonly resume: boolean;
  readonly skip: boolean;
}

/** The source asks its server before it answers. */
const ASK_TIMEOUT_MS = 60_000;

const DONE: { readonly [action in SnapshotAction]: string } = {
  begin: 'is read again',
  pause: 'is paused',
  resume: 'goes on',
  skip: 'is given up: rows that are not out yet will not come',
};

export async function snapshot(cli: Cli, name: string, flags: SnapshotFlags): Promise<number> {
  const ask = askOf(flags);
  const config = await findPipeline(cli, name, flags.config);
  const running = await askRunning(config.state.path, config.name, { clock: cli.world.clock, timeoutMs: ASK_TIMEOUT_MS });
  // Between two runs of a schedule nobody reads, and nobody holds the lease.
  if (running !== null && running.status.state !== 'waiting') {
    const taken = (await running.ask({ cmd: 'snapshot', pipelines: [config.name], snapshot: ask })) as SnapshotTaken;
    return report(cli, ask, taken, 'accepted');
  }
  return report(cli, ask, await leave(cli, config, ask), 'stored');
}

function askOf({ tables, source, where, ...flags }: SnapshotFlags): SnapshotAsk {
  const [first, second] = (['pause', 'resume', 'skip'] as const).filter((a) => flags[a]);
  if (second !== undefined) throw usageError(`--${first} stands beside --${second}`, 'Choose one.');
  if (tables.length === 0)
    throw usageError('snapshot needs --tables', 'Name tables as the source has them: `--tables public.orders,public.items`.');
  if (first !== undefined && where !== undefined)
    throw usageError(`--where stands beside --${first}`, 'Leave out --where: it says which rows are read.');
  // Unlike any other request of any process.
  return { id: createOwner(), source: source ?? null, action: first ?? 'begin', tables, where: where ?? null };
}

/** Stored under the lease, so that nobody starts meanwhile and misses it. */
async function leave(cli: Cli, config: PipelineConfig, ask: SnapshotAsk): Promise<SnapshotTaken> {
  const { name, sources, state } = config;
  const component = sourceAsked(
    name,
    sources.map((s) => ({ config: s })),
    ask,
  ).config;
  const store = await openState(config);
  try {
    return await underLease(cli, { pipeline: name, store, leaseMs: state.leaseMs }, async ({ owner }) => {
      if (!(await store.load(name)).used)
        throw refusedSnapshot(name, 'it has never run, and its first start reads all rows anyway', 'Start it.');
      const { loadDescriptor } = await import('../../catalog.ts');
      const opened = await openSource(config, component, {
        clock: cli.world.clock,
        random: systemRandom,
        logger: silentLogger,
        resolve: (kind, type) => loadDescriptor(kind, type, { baseDir: config.baseDir }),
        store: (plugin) => ({
          get: (key) => store.getPluginValue(name, plugin, key),
          set: (key, value) => store.setPluginValue(name, owner, plugin, key, value),
        }),
      });
      try {
        return await requestSnapshot(name, opened, ask);
      } finally {
        await opened.source.close();
      }
    });
  } finally {
    await store.close();
  }
}

function report({ output }: Cli, { action, where }: SnapshotAsk, { source, tables }: SnapshotTaken, done: 'accepted' | 'stored'): number {
  if (output.json) output.document({ ok: true, done, action, source, tables, where });
  else {
    const when =
      done === 'accepted' ? 'accepted: `cdc-run status` shows how far it is' : 'stored: the next start of the pipeline takes it up';
    const rows = where === null ? '' : ` (rows that meet: ${where})`;
    output.print([...tables.map((table) => `  ${table} ${DONE[action]}${rows}`), `${output.colors.green('✔')} ${when}`]);
  }
  return EXIT.ok;
}
