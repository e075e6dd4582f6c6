// Other programs on the same work, in turn with ours. Each runs where it has been built (bench/peers, see bench/postgres/README.md).

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { median, round } from './cpu.ts';
import { cpuOfPrinting } from './processes.ts';
import type { Run } from './rounds.ts';

export const PEERS = join(import.meta.dirname, '../peers');
const DEBEZIUM = join(PEERS, 'debezium/target');
export const DEBEZIUM_JAR = join(DEBEZIUM, 'debezium-peer-1.jar');

/** One line of a peer. */
export interface Told {
  readonly events: number;
  /** From the first event to the last one. */
  readonly seconds: number;
  readonly firstEventSeconds: number;
  readonly peakMb: number;
  /** Of this pass; where the program cannot tell it is that of the whole process. */
  readonly cpuSeconds?: number;
}

export interface PeerRun extends Run {
  readonly firstEventSeconds: number;
  readonly peakMb: number;
}

/** The fastest settings of those tried: two threads, the parallel collector, no tombstones, JSON without schema blocks. */
const JVM = ['-Xms2g', '-Xmx2g', '-XX:+UseParallelGC'];
const FASTEST = {
  name: 'bench',
  'topic.prefix': 'bench',
  'database.hostname': '127.0.0.1',
  'key.converter.schemas.enable': 'false',
  'value.converter.schemas.enable': 'false',
  'offset.flush.interval.ms': '5000',
  'max.batch.size': '8192',
  'max.queue.size': '32768',
  'poll.interval.ms': '10',
  'record.processing.threads': '2',
  'record.processing.order': 'ORDERED',
  'tombstones.on.delete': 'false',
} as const;

/** Two passes in one JVM, a cold and a warm one, and the CPU of both. `connector`: its other properties. */
export async function debeziumPasses(
  connector: Readonly<Record<string, string>>,
  events: number,
): Promise<{ readonly cold: Told; readonly warm: Told; readonly cpu: number }> {
  const all = { ...FASTEST, ...connector, 'bench.stop': String(events) };
  const { cpu, lines } = await cpuOfPrinting<Told>('java', [
    ...JVM,
    '-cp',
    `${DEBEZIUM_JAR}:${DEBEZIUM}/lib/*`,
    'bench.Main',
    ...Object.entries(all).map(([k, v]) => `${k}=${v}`),
  ]);
  const [cold, warm] = lines as [Told, Told];
  return { cold, warm, cpu };
}

/** Those of `peers` that are built; `log` is told how the others are. */
export function built<T>(
  peers: Readonly<Record<string, { readonly file: string; readonly how: string; readonly run: T }>>,
  log: (line: string) => void,
): Record<string, T> {
  const found: Record<string, T> = {};
  for (const [name, { file, how, run }] of Object.entries(peers)) {
    if (existsSync(file)) found[name] = run;
    else log(`no ${name}: run \`${how}\``);
  }
  return found;
}

/** Rates of the same round; of all else the best of each. */
export function against(ours: readonly Run[], theirs: readonly PeerRun[], peakMb: number): object {
  const best = (of: (run: PeerRun) => number): number => Math.min(...theirs.map(of)),
    cpu = Math.min(...ours.map((r) => r.cpu));
  return {
    events_per_second: Math.round(Math.max(...theirs.map((r) => r.eventsPerSecond))),
    cpu_us_per_event: round(
      best((r) => r.cpu),
      2,
    ),
    first_event_ms: Math.round(best((r) => r.firstEventSeconds) * 1000),
    peak_mb: median(theirs.map((r) => r.peakMb)),
    our_rate_over_theirs: round(Math.max(...ours.map((r, i) => r.eventsPerSecond / (theirs[i]?.eventsPerSecond ?? Number.NaN))), 2),
    our_cpu_over_theirs: round(cpu / best((r) => r.cpu), 3),
    our_memory_over_theirs: round(peakMb / median(theirs.map((r) => r.peakMb)), 3),
  };
}
