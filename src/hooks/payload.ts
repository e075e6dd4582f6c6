// What hooks tell the outside: a JSON object per moment, in the spelling of the pipeline file. Pure. No rows: a schema change
// names its table and columns only.

import { type ChangeEvent, formatTableId, type HookPayload, type ResumePoint, type RunSummary } from '../sdk/index.ts';

/** The payload as one line of JSON. */
export function formatPayload(payload: HookPayload): string {
  return JSON.stringify({ event: payload.event, pipeline: payload.run.pipeline, ...detailOf(payload), run: runOf(payload.run) });
}

function detailOf(payload: HookPayload): object {
  switch (payload.event) {
    case 'on_error':
      return { error: payload.error.toJSON() };
    case 'on_checkpoint':
      return { point: pointOf(payload.point) };
    case 'on_schema_change':
      return { change: changeOf(payload.change) };
    default:
      return {};
  }
}

function runOf(run: RunSummary): object {
  return {
    id: run.runId,
    started_at_ms: run.startedAtMs,
    ended_at_ms: run.endedAtMs,
    outcome: run.outcome,
    events_read: run.eventsRead,
    events_filtered: run.eventsFiltered,
    dead_letters: run.deadLetters,
    delivered: run.delivered,
    ...(run.detached === undefined ? {} : { detached: run.detached }),
    resumed_from: run.resumedFrom,
    error: run.error?.toJSON() ?? null,
  };
}

/** Snapshots without their last key, which is data. */
function pointOf(point: ResumePoint): object {
  const snapshots = point.snapshots.map(({ source, table, state, rows }) => ({ source, table, state, rows }));
  return { epoch: point.epoch, log: point.log, sources: point.sources, snapshots };
}

function changeOf(event: ChangeEvent): object {
  const { table, schemaChange } = event;
  return {
    id: event.id,
    source: event.source,
    table: formatTableId(table.id),
    kind: schemaChange?.kind ?? null,
    version: table.version,
    key: table.key,
    columns: table.columns.map(({ name, nativeType, nullable }) => ({ name, type: nativeType, nullable })),
    ddl: schemaChange?.ddl ?? null,
    ts_ms: event.sourceTsMs,
  };
}
