// Progress of running pipelines: lines redrawn in place on a terminal, a log line every ten seconds elsewhere. Pure functions from
// two snapshots to text, and the loop that takes the snapshots.

import type { LaneStatus, PipelineHandle, PipelineStatus, SourceStatus } from '../engine/api.ts';
import type { Logger } from '../sdk/logger.ts';
import type { Clock } from '../sdk/ports.ts';
import { formatCount, formatDuration, formatRate, formatTime } from './format.ts';
import type { Colors } from './output.ts';
import type { Screen } from './screen.ts';
import { snapshotSummary } from './snapshot-text.ts';
import { startedFrom } from './summary.ts';

const REDRAW_MS = 200;
const LOG_LINE_MS = 10_000;
/** Rates are taken over about this long: shorter ones jump too much to be read. */
const RATE_WINDOW_MS = 2_000;
/** More pipelines than this would push the log off the screen. */
const MAX_LINES = 8;

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;

/** Events read per second, over a short while. */
export class RateMeter {
  #samples: { readonly ms: number; readonly read: number }[] = [];

  /** Takes a sample and returns the rate; 0 until there are two. */
  rate(ms: number, read: number): number {
    // A new run counts from zero again.
    const last = this.#samples.at(-1);
    if (last !== undefined && read < last.read) this.#samples = [];
    this.#samples.push({ ms, read });
    while (this.#samples.length > 2 && ms - (this.#samples[1]?.ms ?? ms) >= RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    return first === undefined || ms === first.ms ? 0 : ((read - first.read) * 1000) / (ms - first.ms);
  }
}

/** `orders  shop 1,240 read (310/s) → replica 1,200 · files 1,240   lag 0.2 s` */
export function progressLine(p: PipelineStatus, rate: number, c: Colors): string {
  return `${c.bold(p.name)}  ${waitingFor(p) ?? flow(p, rate, c)}`;
}

/** What keeps the whole pipeline from flowing, if anything does. */
function waitingFor(p: PipelineStatus): string | null {
  switch (p.state) {
    case 'starting':
      return 'starting';
    case 'standby':
      return 'standby: another process runs this pipeline';
    case 'waiting':
      return p.nextRunMs === null ? 'waiting for the next run' : `next run at ${formatTime(p.nextRunMs)}`;
    case 'failed':
      return p.error === null ? 'failed' : `failed: ${p.error.code}`;
    default:
      return null;
  }
}

function flow(p: PipelineStatus, rate: number, c: Colors): string {
  const from = p.sources.map((s) => sourcePart(s, c)).join(' · ');
  const to = p.lanes.map((l) => lanePart(l, c)).join(' · ');
  const lag = Math.max(-1, ...p.lanes.map((l) => l.lagMs ?? -1));
  const tail = [
    ...(rate > 0 ? [formatRate(rate)] : []),
    ...(lag >= 0 && p.mode !== 'one_time' ? [`lag ${formatDuration(lag)}`] : []),
    ...(p.run.deadLetters > 0 ? [c.yellow(`${formatCount(p.run.deadLetters)} dead`)] : []),
    ...(p.state === 'stopping' ? ['draining'] : []),
  ];
  return `${from}${to === '' ? '' : ` ${c.dim('→')} ${to}`}${tail.length === 0 ? '' : `  ${c.dim(tail.join(' · '))}`}`;
}

function sourcePart(s: SourceStatus, c: Colors): string {
  if (s.state === 'retrying') return `${s.name} ${c.yellow('retrying')}`;
  if (s.state !== 'snapshot') return `${s.name} ${formatCount(s.read)} read`;
  return `${s.name} ${snapshotSummary(s.snapshots)}`;
}

function lanePart(l: LaneStatus, c: Colors): string {
  const count = `${l.name} ${formatCount(l.delivered)}`;
  if (l.state === 'retrying') return `${count} ${c.yellow(`retrying${l.lastError === null ? '' : ` ${l.lastError.code}`}`)}`;
  if (l.state === 'detached' || l.state === 'failed') return `${count} ${c.red(l.state)}`;
  return count;
}

/** The same for a log line. */
export function progressFields(p: PipelineStatus, rate: number): Readonly<Record<string, unknown>> {
  const rows = p.sources.filter((s) => s.state === 'snapshot').reduce((sum, s) => sum + s.snapshots.reduce((n, t) => n + t.rows, 0), 0);
  return {
    pipeline: p.name,
    state: p.state,
    read: p.run.eventsRead,
    read_per_s: Math.round(rate * 10) / 10,
    delivered: Object.fromEntries(p.lanes.map((l) => [l.name, l.delivered])),
    ...(rows > 0 ? { snapshot_rows: rows } : {}),
    ...(p.run.deadLetters > 0 ? { dead_letters: p.run.deadLetters } : {}),
    lag_ms: Object.fromEntries(p.lanes.map((l) => [l.name, l.lagMs])),
  };
}

export interface ProgressDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly screen: Screen;
  readonly colors: Colors;
}

/** Shows progress until `signal` aborts. Says once per pipeline where it began. */
export async function showProgress(
  handles: readonly PipelineHandle[],
  { clock, logger, screen, colors }: ProgressDeps,
  signal: AbortSignal,
): Promise<void> {
  const meters = new Map(handles.map((h) => [h.name, new RateMeter()]));
  const unannounced = new Set(handles.map((h) => h.name));
  let nextLineMs = clock.now() + LOG_LINE_MS;
  for (let frame = 0; !signal.aborted; frame += 1) {
    await clock.sleep(screen.live || unannounced.size > 0 ? REDRAW_MS : Math.max(REDRAW_MS, nextLineMs - clock.now()), signal);
    if (signal.aborted) break;
    const all = handles.map((h) => h.status());
    for (const status of all) if (unannounced.has(status.name) && isUnderWay(status)) announce(status, unannounced, logger);
    const lines = all
      .filter((p) => p.state !== 'stopped')
      .map((status) => ({ status, rate: meters.get(status.name)?.rate(clock.now(), status.run.eventsRead) ?? 0 }));
    if (screen.live) screen.draw(frameLines(lines, frame, colors));
    if (screen.live || clock.now() < nextLineMs) continue;
    nextLineMs = clock.now() + LOG_LINE_MS;
    for (const { status, rate } of lines) logger.info('progress', progressFields(status, rate));
  }
  screen.clear();
}

function isUnderWay(p: PipelineStatus): boolean {
  return p.state === 'running' && p.sources.length > 0;
}

function announce(p: PipelineStatus, unannounced: Set<string>, logger: Logger): void {
  unannounced.delete(p.name);
  logger.info(startedFrom(p), { pipeline: p.name });
}

function frameLines(all: readonly { status: PipelineStatus; rate: number }[], frame: number, c: Colors): string[] {
  const lines = all
    .slice(0, MAX_LINES)
    .map(({ status, rate }) => `${c.cyan(SPINNER[frame % SPINNER.length] ?? '')} ${progressLine(status, rate, c)}`);
  return all.length > MAX_LINES ? [...lines, c.dim(`  … and ${all.length - MAX_LINES} more pipelines`)] : lines;
}
