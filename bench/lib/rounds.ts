// Cases that are compared take turns: each round is a minute in which all of them had the same neighbours.

import { round } from './cpu.ts';

export interface Run {
  readonly eventsPerSecond: number;
  /** CPU µs per event: of the reader, of the server's side (what sends to it), of everything else on the machine. */
  readonly cpu: number;
  readonly server: number;
  readonly others: number;
}

export type Runs = { readonly [name: string]: readonly Run[] };

/** CPU in seconds; `busy`: of the whole machine. */
export function runOf(events: number, seconds: number, cpu: number, server: number, busy: number): Run {
  const each = (s: number): number => (s / events) * 1e6;
  return { eventsPerSecond: events / seconds, cpu: each(cpu), server: each(server), others: each(busy - cpu - server) };
}

export async function rounds(count: number, cases: Readonly<Record<string, () => Promise<Run>>>): Promise<Runs> {
  const runs: Record<string, Run[]> = {};
  for (let n = 0; n < count; n++) {
    for (const [name, run] of Object.entries(cases)) {
      const result = await run();
      runs[name] = [...(runs[name] ?? []), result];
      const { eventsPerSecond, cpu, server, others } = result;
      process.stderr.write(
        `${name.padEnd(22)} ${Math.round(eventsPerSecond)}/s  CPU µs ${cpu.toFixed(2)}, server ${server.toFixed(2)}, others ${others.toFixed(2)}\n`,
      );
    }
  }
  return runs;
}

/** The best of the rounds: other work on the machine only adds. */
export function least(runs: Runs, name: string, of: (run: Run) => number): number {
  return round(Math.min(...(runs[name] ?? []).map(of)), 2);
}

export function cpuOfRuns(runs: Runs): Record<string, number> {
  return Object.fromEntries(Object.keys(runs).map((name) => [name, least(runs, name, (r) => r.cpu)]));
}

/** The best round's rate over that of the other in the same round. */
export function ratio(runs: Runs, name: string, to: string): number | null {
  const ratios = (runs[name] ?? []).map((r, i) => r.eventsPerSecond / (runs[to]?.[i]?.eventsPerSecond ?? Number.NaN));
  return ratios.length === 0 ? null : round(Math.max(...ratios), 2);
}
