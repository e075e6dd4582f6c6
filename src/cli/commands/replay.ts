// `cdc-run replay <pipeline> --destination d --from …`: has a destination get a stretch of the log again. A running pipeline is
// asked to; for a stopped one the request is put into its state, and its next start begins with it.

import { askRunning, type Running } from '../../control/client.ts';
import type { LaneStatus } from '../../engine/api.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { planReplay, type ReplayAsk, type ReplayFacts, type ReplayPlan, refused } from '../../engine/replay-plan.ts';
import { isTable } from '../../engine/table-names.ts';
import type { DiskLogReader } from '../../log/disk/log-reader.ts';
import type { ResumePoint } from '../../sdk/position.ts';
import { formatTableId } from '../../sdk/table-schema.ts';
import type { PipelineState, StateStore } from '../../state/store.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { findPipeline, openState, underLease, withComponents } from '../pipeline-target.ts';
import { type Preview, replayDocument, replayLines } from '../replay-text.ts';
import { parseFrom } from '../topics.ts';

export interface ReplayFlags {
  readonly config: readonly string[];
  readonly destination?: string;
  readonly from?: string;
  readonly to?: string;
  readonly tables: readonly string[];
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly cancel: boolean;
}

/** The pipeline saves its state before it answers. */
const ASK_TIMEOUT_MS = 30_000;

interface Target {
  readonly config: PipelineConfig;
  readonly destination: string;
  readonly store: StateStore;
  readonly reader: DiskLogReader;
}

export async function replay(cli: Cli, name: string, flags: ReplayFlags): Promise<number> {
  const config = await findPipeline(cli, name, flags.config);
  const { log } = config,
    destination = destinationOf(config, flags);
  if (log.type !== 'disk')
    throw refused({ pipeline: config.name }, 'its log is in memory, which keeps no history', 'Set `log: {type: disk}`.');
  const { openDiskLogReader } = await import('../../log/disk/log-reader.ts');
  const store = await openState(config);
  try {
    const reader = await openDiskLogReader(log.path);
    try {
      const target = { config, destination, store, reader };
      if (flags.cancel) return await cancel(cli, target, flags);
      return await request(cli, target, await askOf(cli, target, flags), flags.dryRun);
    } finally {
      await reader.close();
    }
  } finally {
    await store.close();
  }
}

/** With one destination there is no choice. */
function destinationOf({ name, destinations }: PipelineConfig, flags: ReplayFlags): string {
  const names = destinations.map((d) => d.name),
    [only, second] = names;
  const chosen = flags.destination ?? (second === undefined ? only : undefined);
  if (chosen !== undefined && names.includes(chosen)) return chosen;
  throw usageError(
    chosen === undefined
      ? `Pipeline "${name}" has several destinations`
      : `Pipeline "${name}" has no destination ${JSON.stringify(chosen)}`,
    `Name one with --destination: ${names.join(', ')}.`,
  );
}

async function askOf(cli: Cli, { destination, reader }: Target, { from, to, tables, force }: ReplayFlags): Promise<ReplayAsk> {
  if (from === undefined)
    throw usageError('replay needs --from', 'Write a time (`2026-01-02T03:04:05Z`), an age (`90m`), or the number of a record.');
  const nowMs = cli.world.clock.now(),
    first = parseFrom('--from', from, nowMs),
    last = to === undefined ? null : parseFrom('--to', to, nowMs);
  return {
    destination,
    from: 'seq' in first ? first.seq : await reader.seqAtTime(first.timeMs),
    // Up to the last record that was appended before.
    to: last === null ? null : 'seq' in last ? last.seq : (await reader.seqAtTime(last.timeMs)) - 1,
    tables,
    force,
  };
}

async function request(cli: Cli, target: Target, ask: ReplayAsk, isDryRun: boolean): Promise<number> {
  const { config, store } = target;
  const { clock } = cli.world;
  const running = await askRunning(config.state.path, config.name, { clock, timeoutMs: ASK_TIMEOUT_MS });
  const check = async (): Promise<{ state: PipelineState; plan: ReplayPlan; preview: Preview }> => {
    const state = await store.load(config.name);
    const held = running === null ? await heldPoints(cli, target, state) : [laneOf(running, target).point];
    const plan = planReplay(factsOf(target, state, held), ask);
    return { state, plan, preview: await preview(target, plan) };
  };
  if (isDryRun) {
    const { plan, preview: shown } = await check();
    return report(cli, plan, shown, 'nothing');
  }
  if (running !== null) {
    const { preview: shown } = await check();
    const plan = (await running.ask({ cmd: 'replay', pipelines: [config.name], replay: ask })) as ReplayPlan;
    return report(cli, plan, shown, 'accepted');
  }
  return underLease(cli, { pipeline: config.name, store, leaseMs: config.state.leaseMs }, async ({ save }) => {
    const { state, plan, preview: shown } = await check();
    if (state.intent !== null)
      throw refused(
        { pipeline: config.name },
        `it is being moved (${state.intent.what})`,
        'Start it once, or repeat the `offsets` command.',
      );
    const lane = state.lanes[ask.destination];
    if (lane !== undefined) await save({ lanes: { [ask.destination]: { ...lane, replay: plan.request } } });
    return report(cli, plan, shown, 'stored');
  });
}

function report(cli: Cli, plan: ReplayPlan, shown: Preview, done: 'nothing' | 'accepted' | 'stored'): number {
  const { output } = cli;
  if (output.json) output.document(replayDocument(plan, shown, done));
  else output.print(replayLines(plan, shown, done, output.colors));
  return EXIT.ok;
}

/** Of several workers the last one counts: a replay goes up to where the first one is. */
function factsOf({ config, destination, reader }: Target, state: PipelineState, held: readonly (ResumePoint | null)[]): ReplayFacts {
  const numbers = held.map((point) => (point?.log?.id === reader.id ? point.log.seq : null));
  const place = numbers.some((n) => n === null) || numbers.length === 0 ? null : Math.min(...(numbers as number[]));
  return { pipeline: config.name, state: state.lanes[destination], log: { id: reader.id, firstSeq: reader.firstSeq }, place };
}

function laneOf({ status }: Running, { destination }: Target): LaneStatus {
  const lane = status.lanes.find((l) => l.name === destination);
  if (lane !== undefined) return lane;
  throw refused({ pipeline: status.name }, `it is ${status.state} just now`, 'Ask again when it runs, or when it has stopped.');
}

/** What the destination holds, or the cursor in state where it holds none. */
function heldPoints(cli: Cli, { config, destination }: Target, state: PipelineState): Promise<readonly ResumePoint[]> {
  const only = { ...config, sources: [], destinations: config.destinations.filter((d) => d.name === destination) };
  return withComponents(cli, only, { destinations: true }, async ({ destinations: [open] }) => {
    const committed = await open?.destination.committed({ pipeline: config.name, lane: destination });
    if (committed?.kind === 'points') return committed.points;
    return (committed?.kind === 'untracked' ? state.lanes[destination]?.points : null) ?? [];
  });
}

/** Counts what would be sent, before the destination's own filter. A name that is no table's is said before anything is stored. */
async function preview({ config, reader }: Target, { request: { from, tables }, end }: ReplayPlan): Promise<Preview> {
  const counts = new Map<string, number>();
  let firstMs = Number.POSITIVE_INFINITY,
    lastMs = Number.NEGATIVE_INFINITY;
  for await (const { batch, indices } of reader.scan({ fromSeq: from, untilSeq: end })) {
    for (const i of indices ?? batch.events.keys()) {
      const event = batch.events[i];
      if (event === undefined || (tables.length > 0 && !tables.some((name) => isTable(event.table.id, name)))) continue;
      const name = formatTableId(event.table.id);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      firstMs = Math.min(firstMs, event.sourceTsMs);
      lastMs = Math.max(lastMs, event.sourceTsMs);
    }
  }
  if (counts.size > 0) return { tables: Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))), firstMs, lastMs };
  throw refused(
    { pipeline: config.name },
    `records ${from} to ${end} hold no event${tables.length === 0 ? '' : ` of ${tables.join(', ')}`}`,
    'Choose an earlier `--from`, or look at what is there with `cdc-run consume`.',
  );
}

async function cancel(cli: Cli, { config, destination, store }: Target, { force }: ReplayFlags): Promise<number> {
  return underLease(cli, { pipeline: config.name, store, leaseMs: config.state.leaseMs }, async ({ save }) => {
    const lane = (await store.load(config.name)).lanes[destination];
    if (lane === undefined || lane.replay === null) {
      throw refused({ pipeline: config.name }, `destination "${destination}" has no replay to cancel`, 'Look at `cdc-run status`.');
    }
    const { from, next } = lane.replay;
    if (next > from && !force) {
      throw refused(
        { pipeline: config.name },
        `records ${from} to ${next - 1} have been sent: rows stay older than they are until the rest is`,
        'Start the pipeline to let it finish, or add --force if you know that nothing behind it has changed these rows.',
      );
    }
    await save({ lanes: { [destination]: { ...lane, replay: null } } });
    if (cli.output.json) cli.output.document({ ok: true, destination, cancelled: true });
    else cli.output.print([`${cli.output.colors.green('✔')} the replay to ${destination} is cancelled`]);
    return EXIT.ok;
  });
}
