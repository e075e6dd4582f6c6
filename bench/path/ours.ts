// The built program as people run it, with either client of Kafka.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inFolder } from '../lib/processes.ts';
import { pipelineOf, withCopy } from '../postgres/measure.ts';
import { freshPrefix, type Path, type Told, told, topicOf } from './path.ts';
import { type Profile, type Stages, stagesOf } from './stages.ts';
import { WatchedTopic } from './topic.ts';

export const CLIENTS = ['kafkajs', 'platformatic'] as const;
export type Client = (typeof CLIENTS)[number];

/** Of a run that has delivered all. */
const END_MS = 20_000;
const PROGRAM = join(import.meta.dirname, '../../bin/cdc-run.js');

export async function ours(path: Path, client: Client): Promise<Told> {
  return (await drained(path, client, false)).told;
}

/** `whole`: from the start of the process on. `steady`: without the first fifth, as reading runs ahead with too little of that. */
export interface Profiled {
  readonly whole: Stages;
  readonly steady: Stages;
}

/** A run of its own: a profile costs, too. */
export async function profiled(path: Path, client: Client): Promise<Profiled> {
  return (await drained(path, client, true)).stages as Profiled;
}

function drained(path: Path, client: Client, isProfiled: boolean): Promise<{ told: Told; stages: Profiled | null }> {
  return inFolder(async (folder) => {
    const prefix = freshPrefix(),
      options = isProfiled ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [],
      file = join(folder, 'bench.yaml');
    await using topic = await WatchedTopic.create(topicOf(prefix), path.broker);
    const { walsender } = await withCopy(path.client, path.phase, async (slot) => {
      const destination = { type: 'kafka', bootstrap_servers: path.broker.address, client, topic: topicOf(prefix), create_topics: false };
      const source = { logical_messages: { exclude: ['*'] } };
      writeFileSync(file, JSON.stringify(pipelineOf(path.cluster.url, folder, { slot, source, destination })));
      topic.begin();
      await filling(topic, path.phase.events, [...options, PROGRAM, 'run', file]);
    });
    return { told: await told(topic, walsender), stages: isProfiled ? profiledIn(folder, topic) : null };
  });
}

async function filling(topic: WatchedTopic, events: number, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] }),
    ended = once(child, 'close');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-4000);
  });
  try {
    await topic.filled(events, { pid: child.pid as number, failure: () => failureOf(child, said) });
    await Promise.race([ended, sleep(END_MS, undefined, { ref: false })]);
    if (child.exitCode !== 0) throw new Error(`cdc-run ended with ${child.exitCode}: ${said}`);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** Once it has ended well, all is on its way to who looks. */
function failureOf({ exitCode, signalCode }: ChildProcess, said: string): string | null {
  return exitCode === 0 || (exitCode === null && signalCode === null) ? null : `cdc-run ended with ${exitCode ?? signalCode}: ${said}`;
}

function profiledIn(folder: string, topic: WatchedTopic): Profiled {
  const name = readdirSync(folder).find((f) => f.endsWith('.cpuprofile'));
  if (name === undefined) throw new Error('there is no profile');
  const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile;
  return { whole: stagesOf(profile, topic.whole()), steady: stagesOf(profile, topic.steady()) };
}
