// `cdc-run offsets set | rollback | import`: shows what moving points would do, and does it with --yes. The move is written into
// state first, so a crash anywhere is finished by the next start or the next of these commands.

import { readFileSync } from 'node:fs';
import { finishIntent } from '../../engine/finish-move.ts';
import { type LaneMove, type MoveFacts, movablePoint, planMoves, refused } from '../../engine/move-points.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { type Codecs, oldestPlace } from '../../engine/places.ts';
import type { LogPlace } from '../../log/change-log.ts';
import type { DiskLogReader } from '../../log/disk/log-reader.ts';
import type { Committed } from '../../sdk/destination.ts';
import { CdcError } from '../../sdk/errors.ts';
import { type PartitionPositions, type Position, parsePoint, type ResumePoint } from '../../sdk/position.ts';
import type { Checkpoint, PipelineState, StateStore } from '../../state/store.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { formatTime } from '../format.ts';
import { countInLog, countLines, type MoveCounts } from '../move-counts.ts';
import { describePosition, moveLines } from '../offsets-text.ts';
import { type Held, type Opened, underLease, withComponents } from '../pipeline-target.ts';
import type { OffsetsFlags } from '../program/places.ts';
import { codecsOf, EXPORT_FORMAT } from './offsets.ts';

interface Wanted {
  /** For people: kept in state while it is under way. */
  readonly what: string;
  readonly targets: ReadonlyMap<string, LogPlace>;
  readonly notes: readonly string[];
}

/** `--source s [--partition p] --position X [--lane d]` */
export async function setPosition(cli: Cli, config: PipelineConfig, store: StateStore, flags: OffsetsFlags): Promise<number> {
  const { source, position } = flags;
  if (source === undefined || position === undefined)
    throw usageError('offsets set needs --source and --position', 'Write `cdc-run offsets set <pipeline> --source s --position X`.');
  return move(cli, config, store, flags, async (facts, opened) => {
    const codec = facts.codecs[source];
    if (codec === undefined) throw noSuchSource(config, source);
    const to = readPosition(facts.codecs, source, position);
    const names = flags.lane === undefined ? attachedLanes(facts) : [flags.lane];
    const partition = flags.partition ?? onlyPartition(facts, names, source);
    await assertWritten(facts, opened, { source, partition, to });
    const targets = new Map(
      names.map((name): [string, LogPlace] => {
        const from = movablePoint(facts, name);
        const running = from.snapshots.find((s) => s.source === source && s.state === 'running');
        if (running !== undefined) {
          throw refused(
            facts,
            `the snapshot of ${running.table} is not finished at destination "${name}": its rows belong to the place where it stands`,
            'Let the snapshot finish first, or roll back to an earlier checkpoint.',
          );
        }
        return [name, { snapshots: from.snapshots, sources: { ...from.sources, [source]: { ...from.sources[source], [partition]: to } } }];
      }),
    );
    return { what: `offsets set ${source}/${partition} to ${describePosition(facts.codecs, source, to)}`, targets, notes: [] };
  });
}

/** `--to <number or time>` */
export async function rollback(cli: Cli, config: PipelineConfig, store: StateStore, flags: OffsetsFlags): Promise<number> {
  const { to } = flags;
  if (to === undefined)
    throw usageError('offsets rollback needs --to', 'Write `--to <number or time>`; `cdc-run offsets <pipeline> --history` shows them.');
  return move(cli, config, store, flags, async (facts) => {
    const checkpoint = findCheckpoint(await store.checkpoints(config.name), to, facts);
    const { targets, notes } = configuredOnly(facts, checkpoint.lanes, flags.lane);
    return { what: `rollback to checkpoint ${checkpoint.id} of ${formatTime(checkpoint.atMs)}`, targets, notes };
  });
}

/** `--in file` */
export async function importPoints(cli: Cli, config: PipelineConfig, store: StateStore, flags: OffsetsFlags): Promise<number> {
  const file = flags.in;
  if (file === undefined) throw usageError('offsets import needs --in', 'Write `--in <file>`, a file that `offsets export` wrote.');
  const lanes = readExport(file, config.name);
  return move(cli, config, store, flags, (facts) => {
    for (const points of Object.values(lanes))
      for (const [source, partitions] of points.flatMap((p) => Object.entries(p.sources)))
        for (const position of Object.values(partitions)) if (source in facts.codecs) readPosition(facts.codecs, source, position);
    return { what: `import of ${file}`, ...configuredOnly(facts, lanes, flags.lane) };
  });
}

async function move(
  cli: Cli,
  config: PipelineConfig,
  store: StateStore,
  flags: OffsetsFlags,
  want: (facts: MoveFacts, opened: Opened) => Wanted | Promise<Wanted>,
): Promise<number> {
  const target = { pipeline: config.name, store, leaseMs: config.state.leaseMs };
  return withComponents(cli, config, { destinations: true }, (opened) =>
    underLease(cli, target, async (held) => {
      const state = await finish(cli, config, opened, await store.load(config.name), held);
      const { facts, wanted, moves, counts } = await withLog(config, async (reader) => {
        const found = await factsOf(config, opened, state, reader),
          asked = await want(found, opened),
          planned = planMoves(found, asked.targets);
        return { facts: found, wanted: asked, moves: planned, counts: await countInLog(found, planned, reader) };
      });
      const applied = flags.yes && moves.length > 0;
      if (applied) {
        const lanes = Object.fromEntries(moves.map(({ lane, to }) => [lane, to]));
        const atMs = cli.world.clock.now();
        // First of all: from here on the move happens, whatever happens to this process. Where it stood is kept, to go back to.
        const intent = { atMs, what: wanted.what, lanes };
        await held.save({ intent, checkpoint: { atMs, keep: config.state.checkpoints, always: true } });
        await finish(cli, config, opened, await store.load(config.name), held);
      }
      report(cli, withQueueNote(wanted, facts, moves), moves, { codecs: facts.codecs, counts, applied });
      return EXIT.ok;
    }),
  );
}

function finish(cli: Cli, config: PipelineConfig, { destinations }: Opened, state: PipelineState, held: Held): Promise<PipelineState> {
  if (state.intent !== null) cli.output.note([`carrying out: ${state.intent.what}`]);
  const { save } = held,
    { clock } = cli.world;
  // Whoever is there to ask is told: a destination that is away, an optional one too, ends the command, and the intent stays.
  return finishIntent({ pipeline: config.name, state, destinations, rejoin: [], clock, ask: (_destination, call) => call(), save });
}

function report(
  { output }: Cli,
  { what, notes }: Wanted,
  moves: readonly LaneMove[],
  { codecs, counts, applied }: { readonly codecs: Codecs; readonly counts: MoveCounts | null; readonly applied: boolean },
): void {
  if (output.json) {
    output.document({ ok: true, what, applied, moves, notes, ...(counts === null ? {} : { log: Object.fromEntries(counts) }) });
    return;
  }
  const c = output.colors;
  const end =
    moves.length === 0
      ? 'Nothing to do: everything stands there already.'
      : applied
        ? `${c.green('✔')} done; the next start goes on from there`
        : 'Nothing was changed. Add --yes to do it.';
  output.print([
    `${c.bold(what)}`,
    ...moveLines(moves, codecs, c),
    ...countLines(counts, c),
    ...notes.map((note) => `  ${c.yellow('!')} ${note}`),
    end,
  ]);
}

/** Nobody writes it: the lease is ours. */
async function withLog<T>({ log }: PipelineConfig, work: (reader: DiskLogReader | null) => Promise<T>): Promise<T> {
  if (log.type !== 'disk') return work(null);
  const { hasDiskLog, openDiskLogReader } = await import('../../log/disk/log-reader.ts');
  if (!(await hasDiskLog(log.path))) return work(null);
  const reader = await openDiskLogReader(log.path);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

function withQueueNote(wanted: Wanted, { log }: MoveFacts, moves: readonly LaneMove[]): Wanted {
  if (log === null || log.queues.length === 0 || moves.length === 0) return wanted;
  const note = `all messages of ${log.queues.join(', ')} that the log holds are sent again: they have no position`;
  return { ...wanted, notes: [...wanted.notes, note] };
}

async function factsOf(
  config: PipelineConfig,
  { sources, destinations }: Opened,
  state: PipelineState,
  reader: DiskLogReader | null,
): Promise<MoveFacts> {
  const acknowledged: { [source: string]: PartitionPositions } = {};
  for (const { config: component, source } of sources) {
    if (source.ordering !== 'log') continue;
    acknowledged[component.name] = (await source.acknowledged()) ?? {};
  }
  const lanes: { name: string; required: boolean; committed: Committed }[] = [];
  for (const { config: component, destination } of destinations) {
    const { name, required } = component;
    lanes.push({ name, required, committed: await destination.committed({ pipeline: config.name, lane: name }) });
  }
  const queues = sources.filter(({ source }) => source.ordering === 'queue').map(({ config: component }) => component.name);
  const log = reader === null ? null : { firstSeq: reader.firstSeq, head: reader.head, tail: reader.tail, queues };
  const snapshots = sources.filter(({ capabilities }) => capabilities.snapshot).map(({ config: component }) => component.name);
  return { pipeline: config.name, state, codecs: codecsOf({ sources }), acknowledged, snapshots, lanes, log };
}

/** Beyond the end of the source's log everything would be left out until it gets there, also what nobody has written yet. */
async function assertWritten(
  facts: MoveFacts,
  { sources }: Opened,
  { source, partition, to }: { readonly source: string; readonly partition: string; readonly to: Position },
): Promise<void> {
  const codec = facts.codecs[source],
    end = (await sources.find((s) => s.config.name === source)?.source.lag())?.end?.[partition];
  if (end === undefined || codec?.compare(to, end) !== 1) return;
  throw refused(
    facts,
    `the log of source "${source}" ends at ${codec.describe(end)}, before ${codec.describe(to)}: what is written up to there would be left out`,
    `Choose ${codec.describe(end)} or an earlier position.`,
  );
}

function attachedLanes({ lanes, state }: MoveFacts): string[] {
  return lanes.filter(({ name }) => state.lanes[name]?.detached === null).map(({ name }) => name);
}

function noSuchSource(config: PipelineConfig, source: string): CdcError {
  const known = config.sources.find((s) => s.name === source);
  return known === undefined
    ? usageError(`There is no source "${source}"`, `Use one of: ${config.sources.map((s) => s.name).join(', ')}.`)
    : refused(
        { pipeline: config.name },
        `source "${source}" is a queue: its positions are receipts of one session`,
        'Use the tools of the broker to send messages again.',
      );
}

/** What the codec reads; a position that nobody can read would stop the next start instead of this command. */
function readPosition(codecs: Codecs, source: string, text: string): Position {
  const codec = codecs[source];
  const parsed = codec?.parse === undefined ? (text as Position) : codec.parse(text);
  try {
    if (parsed !== null && codec?.covers(parsed, parsed) === true && codec.describe(parsed) !== '') return parsed;
  } catch {
    // A codec without `parse` may throw for text that is not its own: that is the answer.
  }
  throw usageError(
    `${JSON.stringify(text)} is no position of source "${source}"`,
    'Write it as `cdc-run offsets <pipeline> --json` shows it (`position`), or as the page of the source says.',
  );
}

function onlyPartition(facts: MoveFacts, names: readonly string[], source: string): string {
  const found = new Set(names.flatMap((name) => Object.keys(movablePoint(facts, name).sources[source] ?? {})));
  const [first, second] = [...found].sort();
  if (first !== undefined && second === undefined) return first;
  if (first === undefined) throw usageError(`No lane has a position of source "${source}" yet`, 'Name the partition with --partition.');
  throw usageError(`Source "${source}" has several partitions`, `Name one with --partition: ${[...found].sort().join(', ')}.`);
}

/** By number, or the newest at or before a time. */
function findCheckpoint(history: readonly Checkpoint[], to: string, facts: MoveFacts): Checkpoint {
  const isNumber = /^\d+$/.test(to),
    atMs = Date.parse(to);
  if (!isNumber && Number.isNaN(atMs))
    throw usageError(
      `--to ${JSON.stringify(to)} is neither a number nor a time`,
      'Write it like `--to 12` or `--to 2026-01-31T12:00:00Z`.',
    );
  const found = history.find(({ id, atMs: at }) => (isNumber ? id === Number(to) : at <= atMs));
  if (found !== undefined) return found;
  throw refused(
    facts,
    `no checkpoint ${isNumber ? `has the number ${to}` : `is as old as ${to}`} (kept: ${history.map(({ id }) => id).join(', ') || 'none'})`,
    '`cdc-run offsets <pipeline> --history` shows those that are kept.',
  );
}

/** Lanes that are configured, and were then. With workers: the oldest place of all, from which nothing is missed. */
function configuredOnly(
  facts: MoveFacts,
  lanes: { readonly [lane: string]: readonly ResumePoint[] },
  only: string | undefined,
): Omit<Wanted, 'what'> {
  const targets = new Map<string, LogPlace>();
  if (only !== undefined && !Object.hasOwn(lanes, only)) throw refused(facts, `lane "${only}" is not in there`, 'Name a lane that is.');
  const attached = new Set(attachedLanes(facts));
  for (const [lane, points] of Object.entries(lanes)) {
    const [first, ...rest] = points;
    if (first === undefined || !attached.has(lane) || (only !== undefined && lane !== only)) continue;
    targets.set(lane, rest.length === 0 ? first : oldestPlace(facts.codecs, points));
  }
  const left = Object.keys(lanes).filter((lane) => !attached.has(lane));
  const missing = [...attached].filter((lane) => only === undefined && !targets.has(lane));
  return {
    targets,
    notes: [
      ...left.map((lane) => `${lane}: left out, it is detached or not configured now`),
      ...missing.map((lane) => `${lane}: stays where it is, it is not in there`),
    ],
  };
}

function readExport(file: string, pipeline: string): { readonly [lane: string]: readonly ResumePoint[] } {
  const fail = (what: string, cause?: unknown): CdcError =>
    new CdcError('USAGE_INVALID', `${file} ${what}`, { where: '--in', fix: 'Name a file that `cdc-run offsets export` wrote.', cause });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw fail(`cannot be read: ${(cause as Error).message}`, cause);
  }
  try {
    const { format, pipeline: of, lanes } = JSON.parse(text) as Record<string, unknown>;
    if (format !== EXPORT_FORMAT) throw fail(`is not of the format "${EXPORT_FORMAT}"`);
    if (of !== pipeline) throw fail(`is of pipeline ${JSON.stringify(of)}, not of "${pipeline}"`);
    const entries = Object.entries(lanes as Record<string, unknown[]>);
    return Object.fromEntries(entries.map(([lane, points]) => [lane, points.map((p) => parsePoint(JSON.stringify(p)))]));
  } catch (cause) {
    throw cause instanceof CdcError ? cause : fail(`cannot be understood: ${(cause as Error).message}`, cause);
  }
}
