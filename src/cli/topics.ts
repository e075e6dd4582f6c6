// What a topic of `consume` means: a pipeline's log, or one table in it. Pure.

import type { LogConfig, PipelineConfig } from '../engine/pipeline-config.ts';
import { usageError } from './arguments.ts';

export interface Topic {
  readonly pipeline: PipelineConfig;
  readonly log: Extract<LogConfig, { type: 'disk' }>;
  /** `schema.table` or `table`; `null` = all tables. */
  readonly table: string | null;
}

/** `orders`, `orders.public.items`, `cdc.myapp.users`: the name of a pipeline or its topic prefix, and perhaps a table. */
export function findTopic(topic: string, pipelines: readonly PipelineConfig[]): Topic {
  for (const pipeline of pipelines) {
    for (const name of [pipeline.name, pipeline.topicPrefix]) {
      if (name === null || !(topic === name || topic.startsWith(`${name}.`))) continue;
      const { log } = pipeline;
      if (log.type !== 'disk')
        throw usageError(`Pipeline "${pipeline.name}" keeps no history: its log is in memory`, 'Set `log: {type: disk}` in its file.');
      return { pipeline, log, table: topic === name ? null : topic.slice(name.length + 1) };
    }
  }
  const known = pipelines.flatMap((p) => (p.log.type === 'disk' ? [p.topicPrefix ?? p.name] : []));
  throw usageError(
    `There is no topic ${JSON.stringify(topic)}`,
    known.length === 0
      ? 'Name the pipeline file with -c; its `log` must be of type disk.'
      : `Topics begin with one of: ${known.join(', ')}. Add a table: \`${known[0]}.orders\`.`,
  );
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A time (`2026-01-02T03:04:05Z`, `2026-01-02`), an age (`90m`), or the number of a record. */
export function parseFrom(option: string, text: string, nowMs: number): { readonly seq: number } | { readonly timeMs: number } {
  if (/^\d{1,15}$/.test(text)) return { seq: Number(text) };
  const age = /^(\d+)([smhd])$/.exec(text);
  if (age !== null) return { timeMs: nowMs - Number(age[1]) * UNITS[age[2] as keyof typeof UNITS] };
  // Without a zone a date and time would mean another moment on each machine.
  const timeMs = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs))
    throw usageError(
      `${option} ${JSON.stringify(text)} is neither a time nor a record`,
      'Write a time (`2026-01-02T03:04:05Z`), an age (`90m`), or the number of a record.',
    );
  return { timeMs };
}
