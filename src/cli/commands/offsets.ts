// `cdc-run offsets …`: where a pipeline stands, per source, partition and lane. What moves points is in offsets-move.ts.

import { writeFileSync } from 'node:fs';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import type { Codecs } from '../../engine/places.ts';
import { CdcError } from '../../sdk/errors.ts';
import { formatPoint, type Position, type ResumePoint } from '../../sdk/position.ts';
import type { StateStore } from '../../state/store.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { describePosition, type OffsetRow, type OffsetsReport, offsetsLines } from '../offsets-text.ts';
import { findPipeline, type Opened, openState, withComponents } from '../pipeline-target.ts';
import type { OffsetsFlags } from '../program/places.ts';

const ACTIONS = ['show', 'set', 'rollback', 'export', 'import'] as const;
type Action = (typeof ACTIONS)[number];

/** Of a file that `offsets export` wrote. */
export const EXPORT_FORMAT = 'cdc-run offsets 1';

export async function offsets(cli: Cli, args: readonly string[], flags: OffsetsFlags): Promise<number> {
  const { action, target } = actionOf(args);
  const config = await findPipeline(cli, target, flags.config);
  const store = await openState(config);
  try {
    if (action === 'show') return await show(cli, config, store, flags);
    if (action === 'export') return await exportPoints(cli, config, store, flags);
    const { importPoints, rollback, setPosition } = await import('./offsets-move.ts');
    if (action === 'set') return await setPosition(cli, config, store, flags);
    return action === 'rollback' ? await rollback(cli, config, store, flags) : await importPoints(cli, config, store, flags);
  } finally {
    await store.close();
  }
}

/** `offsets orders` shows; `offsets set orders` sets; a pipeline called "set" is shown by `offsets show set`. */
function actionOf(args: readonly string[]): { action: Action; target: string } {
  const [first, second, ...rest] = args;
  const action = ACTIONS.find((a) => a === first);
  if (first !== undefined && second === undefined && action === undefined) return { action: 'show', target: first };
  if (action !== undefined && second !== undefined && rest.length === 0) return { action, target: second };
  throw usageError(
    first === undefined ? 'No pipeline was named' : `cdc-run offsets ${args.join(' ')} is not understood`,
    `Write \`cdc-run offsets <pipeline>\`, or \`cdc-run offsets ${ACTIONS.slice(1).join('|')} <pipeline>\`.`,
  );
}

export function codecsOf({ sources }: Pick<Opened, 'sources'>): Codecs {
  return Object.fromEntries(sources.filter((s) => s.source.ordering === 'log').map((s) => [s.config.name, s.source.positions]));
}

async function show(cli: Cli, config: PipelineConfig, store: StateStore, flags: OffsetsFlags): Promise<number> {
  const { output } = cli;
  return withComponents(cli, config, { destinations: flags.connect }, async (opened) => {
    const codecs = codecsOf(opened);
    const report = await reportOf(config, store, opened, codecs, flags);
    if (output.json) {
      const { history, ...rest } = report;
      output.document({ ok: true, ...rest, ...(history === null ? {} : { history }) });
    } else output.print(offsetsLines(report, codecs, output.colors));
    return EXIT.ok;
  });
}

async function reportOf(
  config: PipelineConfig,
  store: StateStore,
  { destinations }: Opened,
  codecs: Codecs,
  { history }: OffsetsFlags,
): Promise<OffsetsReport> {
  const { epoch, lanes, intent } = await store.load(config.name);
  const rows: OffsetRow[] = [],
    notes: { lane: string; note: string }[] = [];
  for (const [lane, { points, detached }] of Object.entries(lanes)) {
    const open = destinations.find((d) => d.config.name === lane);
    const committed = await open?.destination.committed({ pipeline: config.name, lane });
    if (committed?.kind === 'empty') notes.push({ lane, note: 'the destination is empty: it held a point before' });
    if (detached !== null) notes.push({ lane, note: `detached, it gets nothing: ${detached.reason}` });
    if (!config.destinations.some((d) => d.name === lane))
      notes.push({ lane, note: `not configured any more: \`cdc-run forget ${config.name} --lane ${lane}\` removes it` });
    rows.push(
      ...rowsOf(lane, detached === null ? points : [detached.from], committed?.kind === 'points' ? committed.points : null, codecs),
    );
  }
  return {
    pipeline: config.name,
    epoch,
    rows,
    notes,
    unfinished: intent?.what ?? null,
    history: history ? await store.checkpoints(config.name) : null,
  };
}

function rowsOf(lane: string, points: readonly ResumePoint[], held: readonly ResumePoint[] | null, codecs: Codecs): OffsetRow[] {
  const keys = new Map<string, readonly [string, string]>();
  for (const { sources } of [...points, ...(held ?? [])])
    for (const [source, partitions] of Object.entries(sources))
      for (const partition of Object.keys(partitions)) keys.set(JSON.stringify([source, partition]), [source, partition]);
  const places = (of: readonly ResumePoint[], source: string, partition: string): string =>
    [...new Set(of.map((p) => describePosition(codecs, source, p.sources[source]?.[partition] ?? null)))].join(' | ');
  return [...keys.values()].map(([source, partition]) => ({
    lane,
    source,
    partition,
    position: (points[0]?.sources[source]?.[partition] ?? null) as Position | null,
    at: places(points, source, partition),
    held: held === null ? null : places(held, source, partition),
  }));
}

/** Detached lanes are left out: their gap is for the operator to decide about, not for a file to carry. */
async function exportPoints(cli: Cli, config: PipelineConfig, store: StateStore, { out }: OffsetsFlags): Promise<number> {
  const { lanes } = await store.load(config.name);
  const kept = Object.entries(lanes).filter(([, { detached }]) => detached === null);
  const document = {
    format: EXPORT_FORMAT,
    pipeline: config.name,
    exported_at: new Date(cli.world.clock.now()).toISOString(),
    lanes: Object.fromEntries(kept.map(([lane, { points }]) => [lane, points.map((p): unknown => JSON.parse(formatPoint(p)))])),
  };
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (out === undefined) {
    cli.output.raw(text);
    return EXIT.ok;
  }
  try {
    writeFileSync(out, text, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new CdcError('USAGE_INVALID', `${out} cannot be written: ${(cause as Error).message}`, {
      where: '--out',
      fix: 'Name a file that does not exist yet.',
      cause,
    });
  }
  cli.output.note([`${kept.length} lane(s) of ${config.name} written to ${out}`]);
  return EXIT.ok;
}
