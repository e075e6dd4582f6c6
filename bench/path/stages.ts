// A CPU profile by the stages that an event goes through. Samples say what the main thread did; how much CPU that was is the kernel's
// word, since a thread that waits for a core is sampled as well. What is called by a stage (buffers, sockets, the SDK) counts there.

import { round } from '../lib/cpu.ts';
import type { Part } from './topic.ts';

/** As V8 writes it. Times in µs. */
export interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

const FILES = {
  /** Socket, messages of the protocol, frames of the log, confirmations. */
  reading: /dist\/src\/sources\/postgresql\/replication\/|node_modules\/(pg|pg-protocol)\//,
  /** From the bytes of a row to a change event. */
  decoding: /dist\/src\/sources\//,
  /** Log, lanes, points, state. */
  engine: /dist\/src\/(?!sdk|util|envelope|formats|destinations|systems)|node_modules\/better-sqlite3\//,
  /** From a change event to the bytes of a key and a value. */
  encoding: /dist\/src\/(envelope|formats)\//,
  /** From there to the broker: partitions, batches, requests, checksums, the socket. */
  client: /dist\/src\/(destinations|systems)\/|node_modules\/(kafkajs|@platformatic)\//,
} as const;
const STAGES = Object.entries(FILES) as readonly (readonly [keyof typeof FILES, RegExp])[];

/** What the profiler knows by name alone. */
const NAMES: Readonly<Record<string, Stage>> = { '(garbage collector)': 'collection', '(program)': 'native' };

/**
 * `native`: the kernel's and the event loop's work outside of JavaScript, reads of sockets above all. `runtime`: JavaScript of Node
 * itself that no stage has called. `threads`: all but the main one, which compile and collect.
 */
type Stage = keyof typeof FILES | 'collection' | 'native' | 'runtime' | 'threads';

/** CPU µs per event. */
export type Stages = Readonly<Record<Stage | 'total', number>>;

export function stagesOf(profile: Profile, { fromMicros, toMicros, cpu, main }: Part): Stages {
  const stageOf = stagesByNode(profile.nodes),
    micros = new Map<Stage, number>();
  let at = profile.startTime,
    busy = 0;
  profile.samples.forEach((id, i) => {
    at += profile.timeDeltas[i] as number;
    const stage = stageOf.get(id) ?? null,
      lasts = profile.timeDeltas[i + 1] ?? 0;
    if (stage === null || at < fromMicros || at > toMicros) return;
    micros.set(stage, (micros.get(stage) ?? 0) + lasts);
    busy += lasts;
  });
  const part = (stage: Stage): number => round(((micros.get(stage) ?? 0) / busy) * main, 2);
  return {
    reading: part('reading'),
    decoding: part('decoding'),
    engine: part('engine'),
    encoding: part('encoding'),
    client: part('client'),
    collection: part('collection'),
    native: part('native'),
    runtime: part('runtime'),
    threads: round(cpu - main, 2),
    total: round(cpu, 2),
  };
}

/** `null`: nothing is done there. */
function stagesByNode(nodes: readonly ProfileNode[]): Map<number, Stage | null> {
  const byId = new Map(nodes.map((n) => [n.id, n])),
    stages = new Map<number, Stage | null>();
  const walk = (node: ProfileNode, from: Stage | null): void => {
    const { functionName, url } = node.callFrame,
      own = NAMES[functionName] ?? STAGES.find(([, file]) => file.test(url))?.[0] ?? from;
    stages.set(node.id, functionName === '(idle)' ? null : own);
    for (const id of node.children ?? []) walk(byId.get(id) as ProfileNode, own);
  };
  const [root] = nodes;
  if (root !== undefined) walk(root, 'runtime');
  return stages;
}
