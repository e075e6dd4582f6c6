// What the health server answers: pure functions from status to reply, so that they are tested without a port. Paths `/health`,
// `/healthz`, `/readyz` and `/metrics` always exist; `health_checks.endpoints` adds paths or narrows the checks of `/health`.

import type { PipelineStatus } from '../engine/api.ts';
import type { HealthConfig } from '../engine/pipeline-config.ts';
import { type Check, checksOf, isReady, isStalled, worst } from './assess.ts';
import { redact } from './redact.ts';

/** A pipeline as the health server sees it. */
export interface WatchedPipeline {
  readonly status: PipelineStatus;
  readonly stallAfterMs: number;
}

export interface Reply {
  readonly code: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Endpoint = HealthConfig['endpoints'][number];

const WORDS = { pass: 'ok', warn: 'degraded', fail: 'failed' } as const;

/** Overall and per pipeline. 503 when something has failed; a degraded process still answers 200. */
export function healthReply(pipelines: readonly WatchedPipeline[], checks: readonly string[], nowMs: number, rssBytes: number): Reply {
  const results = pipelines.map((p) => ({ watched: p, checks: chosenChecks(p, checks, nowMs, rssBytes) }));
  const overall = worst(results.flatMap((r) => r.checks));
  return {
    code: overall === 'fail' ? 503 : 200,
    body: {
      status: WORDS[overall],
      pipelines: results.map(({ watched: { status: p, stallAfterMs }, checks: found }) => ({
        name: p.name,
        status: WORDS[worst(found)],
        state: p.state,
        mode: p.mode,
        alive: !isStalled(p, nowMs, stallAfterMs),
        ready: isReady(p),
        startedMs: p.startedMs,
        lastProgressMs: p.lastProgressMs,
        lastCheckpointMs: p.lastCheckpointMs,
        nextRunMs: p.nextRunMs,
        sources: p.sources.map(({ name, type, state, read, lastEventMs, snapshots }) => ({
          name,
          type,
          state,
          read,
          lastEventMs,
          snapshots,
        })),
        destinations: p.lanes.map(({ name, type, state, required, delivered, deadLetters, queued, lagMs, lastError }) => ({
          name,
          type,
          state,
          required,
          delivered,
          deadLetters,
          queued,
          lagMs,
          lastError: redact(lastError),
        })),
        checks: found.map((c) => redact(c)),
        error: redact(p.error),
      })),
    },
  };
}

/** 503 only when a pipeline is stalled: the one thing that a restart mends. */
export function livenessReply(pipelines: readonly WatchedPipeline[], nowMs: number): Reply {
  const stalled = pipelines.filter((p) => isStalled(p.status, nowMs, p.stallAfterMs)).map((p) => p.status.name);
  const lastProgressMs = Math.max(0, ...pipelines.map((p) => p.status.lastProgressMs));
  return stalled.length === 0
    ? { code: 200, body: { status: 'alive', lastProgressMs } }
    : { code: 503, body: { status: 'stalled', lastProgressMs, stalled } };
}

export function readinessReply(pipelines: readonly WatchedPipeline[]): Reply {
  const waiting = pipelines.filter((p) => !isReady(p.status)).map((p) => p.status.name);
  return waiting.length === 0 && pipelines.length > 0
    ? { code: 200, body: { status: 'ready' } }
    : { code: 503, body: { status: 'not ready', waiting } };
}

/** Types that the check name `database` stands for, as in `checks: ["database", "kafka", "memory"]`. */
const DATABASES = ['sqlite', 'postgresql', 'mysql', 'mariadb', 'sqlserver', 'oracle', 'mongodb', 'dynamodb', 'cockroachdb'];

/** Above this much resident memory the check `memory` warns. The bounds of all queues together stay well below it. */
const MEMORY_WARN_BYTES = 1024 * 1024 * 1024;

/** The named checks of a pipeline; none named = all. A name is a check, a component's name or type, `database` or `memory`. */
function chosenChecks(p: WatchedPipeline, names: readonly string[], nowMs: number, rssBytes: number): Check[] {
  const all = checksOf(p.status, nowMs, p.stallAfterMs);
  if (names.length === 0) return all;
  const types = new Map<string, string>([
    ...p.status.sources.map((s) => [`source:${s.name}`, s.type] as const),
    ...p.status.lanes.map((l) => [`destination:${l.name}`, l.type] as const),
  ]);
  const matches = (name: string, check: Check): boolean => {
    const type = types.get(check.name);
    return (
      check.name === name ||
      check.name.endsWith(`:${name}`) ||
      type === name ||
      (name === 'database' && type !== undefined && DATABASES.includes(type))
    );
  };
  return names.flatMap((name) => {
    if (name === 'memory') return [memoryCheck(rssBytes)];
    const found = all.filter((check) => matches(name, check));
    // A name that fits nothing here may fit another pipeline of the process: it is shown, and fails nobody.
    return found.length > 0 ? found : [{ name, status: 'pass', message: 'nothing in this pipeline has this name or type' } satisfies Check];
  });
}

function memoryCheck(rssBytes: number): Check {
  const mebibytes = Math.round(rssBytes / 1024 / 1024);
  return { name: 'memory', status: rssBytes > MEMORY_WARN_BYTES ? 'warn' : 'pass', message: `${mebibytes} MiB resident` };
}
