// What all contenders have: a full slot of PostgreSQL to copy, and a broker.

import type pg from 'pg';
import type { Cluster } from '../postgres/cluster.ts';
import type { Phase } from '../postgres/workload.ts';
import type { Broker, PathRun, WatchedTopic } from './topic.ts';

export interface Path {
  readonly cluster: Cluster;
  readonly client: pg.Client;
  readonly phase: Phase;
  readonly broker: Broker;
}

/** What is told of a contender beside its run. */
export interface Told {
  readonly run: PathRun;
  readonly valueBytes: number;
}

/** Of topics, before `public.orders`: nobody else's, and another each time. */
export const freshPrefix = (): string => `bench_${process.pid}_${Math.round(performance.now() * 1000)}`;

export const topicOf = (prefix: string): string => `${prefix}.public.orders`;

export async function told(topic: WatchedTopic, walsender: number): Promise<Told> {
  return { run: topic.run(walsender), valueBytes: await topic.valueBytes() };
}
