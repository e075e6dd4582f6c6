// What `cdc-run plan --connect` adds: what the servers say. Sources are asked what a start would do, and all components check
// themselves. Nothing is started or created.

import type { PipelineConfig } from '../engine/pipeline-config.ts';
import type { SourcePlan } from '../sdk/source-plan.ts';
import type { Cli } from './cli.ts';
import { formatBytes, formatCount, formatDuration, plural, table } from './format.ts';
import type { Colors } from './output.ts';
import { withComponents } from './pipeline-target.ts';
import type { ComponentFindings } from './preflight.ts';

export interface ConnectedPlan {
  readonly sources: readonly { readonly name: string; readonly plan: SourcePlan | null; readonly error: string | null }[];
  readonly findings: readonly ComponentFindings[];
}

/** Rows per second of a snapshot on a small machine, for an order of magnitude. Wide rows and slow destinations take longer. */
const ROWS_PER_SECOND = 20_000;
/** More tables than this are counted. */
const MAX_TABLES = 15;

export async function connectedPlan(cli: Cli, config: PipelineConfig): Promise<ConnectedPlan> {
  const { preflight } = await import('./preflight.ts');
  const [findings, sources] = await Promise.all([preflight(config, cli.world.clock), sourcePlans(cli, config)]);
  return { findings, sources };
}

async function sourcePlans(cli: Cli, config: PipelineConfig): Promise<ConnectedPlan['sources']> {
  try {
    return await withComponents(cli, config, { destinations: false }, ({ sources }) =>
      Promise.all(
        sources.map(async ({ config: { name }, source }) => {
          try {
            return { name, plan: (await source.plan?.()) ?? null, error: null };
          } catch (error) {
            return { name, plan: null, error: (error as Error).message };
          }
        }),
      ),
    );
  } catch {
    // A source that cannot even be made is a finding.
    return [];
  }
}

export const refusals = ({ findings }: ConnectedPlan): number =>
  findings.flatMap((f) => f.findings).filter((f) => f.level === 'error').length;

export function connectedLines({ sources, findings }: ConnectedPlan, c: Colors): string[] {
  const section = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', c.bold(title), ...lines]);
  const bad = findings.flatMap((f) => f.findings.filter((x) => x.level !== 'ok').map((x) => ({ component: f.component, ...x })));
  return [
    ...section('At the servers now', [
      ...sources.flatMap(({ name, plan, error }) => (plan === null ? noPlan(name, error, c) : sourceLines(name, plan, c))),
    ]),
    ...section(
      'Checks',
      bad.length === 0
        ? [`  ${c.green('✔')} all passed`]
        : bad.flatMap((f) => [
            `  ${f.level === 'error' ? c.red('✖') : c.yellow('!')} ${f.component}: ${f.message}`,
            ...(f.fix === undefined ? [] : [`    ${c.green('fix:')} ${f.fix}`]),
          ]),
    ),
  ];
}

const noPlan = (name: string, error: string | null, c: Colors): string[] =>
  error === null ? [] : [`  ${c.red('✖')} source ${name}: ${error}`];

function sourceLines(name: string, { creates, locks, reads, keeps }: SourcePlan, c: Colors): string[] {
  return [
    ...(creates.length === 0 ? [`  source ${name} creates nothing: all is there`] : []),
    ...creates.flatMap(({ what, statement }) => [`  ${c.green('+')} source ${name}: ${what}`, `      ${c.dim(`${statement};`)}`]),
    ...locks.map((lock) => `  locks: ${lock}`),
    ...readLines(reads),
    ...(keeps === null ? [] : [`  ${keepsText(keeps)}`]),
  ];
}

function readLines(reads: SourcePlan['reads']): string[] {
  if (reads.length === 0) return ['  reads no existing rows'];
  const known = reads.every((r) => r.rows !== null),
    rows = reads.reduce((sum, r) => sum + (r.rows ?? 0), 0);
  const time = `about ${formatDuration((rows / ROWS_PER_SECOND) * 1000)} at ${formatCount(ROWS_PER_SECOND)} rows/s`;
  return [
    `  reads first: ${known ? 'about' : 'at least'} ${plural(rows, 'row')} of ${plural(reads.length, 'table')}, ${time}`,
    ...table(
      reads.slice(0, MAX_TABLES).map((r) => [r.table, r.rows === null ? 'unknown' : plural(r.rows, 'row')]),
      '    ',
    ),
    ...(reads.length > MAX_TABLES ? [`    and ${reads.length - MAX_TABLES} more`] : []),
  ];
}

/** `the replication slot x keeps log while the pipeline does not read: 12 KiB/s now; 50 GiB are allowed, which is 2 d` */
function keepsText({ by, limitBytes, bytesPerSecond }: NonNullable<SourcePlan['keeps']>): string {
  const rate = bytesPerSecond === null ? '' : `: it grows by ${formatBytes(Math.round(bytesPerSecond))}/s now`;
  const limit =
    limitBytes === null
      ? 'without a limit, until the disk is full'
      : `${formatBytes(limitBytes)} are allowed${bytesPerSecond !== null && bytesPerSecond >= 1 ? `, enough for ${formatDuration((limitBytes / bytesPerSecond) * 1000)}` : ''}`;
  return `${by} keeps the log while the pipeline does not read${rate}; ${limit}`;
}
