// The summary of a run that has just begun.

import type { RunSummary } from '../sdk/index.ts';

export function newRunSummary(pipeline: string, startedAtMs: number): RunSummary {
  return {
    pipeline,
    runId: 0,
    startedAtMs,
    endedAtMs: null,
    outcome: 'running',
    eventsRead: 0,
    eventsFiltered: 0,
    deadLetters: 0,
    delivered: {},
    resumedFrom: {},
    error: null,
  };
}
