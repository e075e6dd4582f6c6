// Every metric of cdc-run, declared once: name, help, type, labels, and where its samples come from. Samples are taken from
// status snapshots when somebody scrapes, so the event path counts nothing for them and pays nothing.
//
// Labels have few values by design: names of configured components, states, error codes. Never keys, rows or messages.

import type { LaneStatus, PipelineStatus, SnapshotStatus, SourceStatus } from '../engine/api.ts';
import type { ErrorRecord } from '../state/store.ts';

/** What one scrape is made of. */
interface MetricsSnapshot {
  readonly statuses: readonly PipelineStatus[];
  /** Errors counted in state, per pipeline. */
  readonly errors: { readonly [pipeline: string]: readonly ErrorRecord[] };
}

interface Sample {
  readonly labels: { readonly [label: string]: string };
  readonly value: number;
}

export interface MetricDeclaration {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly string[];
  samples(snapshot: MetricsSnapshot): Sample[];
}

type ForPipeline = (p: PipelineStatus) => number | null;
type ForSource = (s: SourceStatus) => number | null;
type ForLane = (l: LaneStatus) => number | null;

/** `null` is "not known yet": no sample, rather than a zero that would mean something. */
function sample(labels: Sample['labels'], value: number | null): Sample[] {
  return value === null ? [] : [{ labels, value }];
}

function perPipeline(type: 'counter' | 'gauge', name: string, help: string, value: ForPipeline): MetricDeclaration {
  return {
    name,
    help,
    type,
    labels: ['pipeline'],
    samples: ({ statuses }) => statuses.flatMap((p) => sample({ pipeline: p.name }, value(p))),
  };
}

function perSource(type: 'counter' | 'gauge', name: string, help: string, value: ForSource): MetricDeclaration {
  return {
    name,
    help,
    type,
    labels: ['pipeline', 'source'],
    samples: ({ statuses }) => statuses.flatMap((p) => p.sources.flatMap((s) => sample({ pipeline: p.name, source: s.name }, value(s)))),
  };
}

function perLane(type: 'counter' | 'gauge', name: string, help: string, value: ForLane): MetricDeclaration {
  return {
    name,
    help,
    type,
    labels: ['pipeline', 'destination'],
    samples: ({ statuses }) => statuses.flatMap((p) => p.lanes.flatMap((l) => sample({ pipeline: p.name, destination: l.name }, value(l)))),
  };
}

function perSnapshot(name: string, help: string, value: (t: SnapshotStatus) => number | null): MetricDeclaration {
  return {
    name,
    help,
    type: 'gauge',
    labels: ['pipeline', 'source', 'table'],
    samples: ({ statuses }) =>
      statuses.flatMap((p) =>
        p.sources.flatMap((s) => s.snapshots.flatMap((t) => sample({ pipeline: p.name, source: s.name, table: t.table }, value(t)))),
      ),
  };
}

const PIPELINE_STATES = [
  'starting',
  'standby',
  'running',
  'waiting',
  'stopping',
  'stopped',
  'failed',
] as const satisfies readonly PipelineStatus['state'][];
const SOURCE_STATES = [
  'starting',
  'snapshot',
  'streaming',
  'retrying',
  'ended',
  'stopped',
  'failed',
] as const satisfies readonly SourceStatus['state'][];
const SNAPSHOT_STATES = ['running', 'paused', 'stopped', 'done', 'failed', 'skipped'] as const satisfies readonly SnapshotStatus['state'][];
const BREAKER_STATES = ['closed', 'open', 'half_open'] as const satisfies readonly LaneStatus['breaker'][];
const LANE_STATES = ['starting', 'running', 'retrying', 'detached', 'stopped', 'failed'] as const satisfies readonly LaneStatus['state'][];

/** A state as one sample per possible value, 1 for the present one: a dashboard can graph and alert on any of them. */
function stateSet(labels: Sample['labels'], states: readonly string[], present: string): Sample[] {
  return states.map((state) => ({ labels: { ...labels, state }, value: state === present ? 1 : 0 }));
}

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

export const METRICS: readonly MetricDeclaration[] = [
  perSource('counter', 'cdc_events_read_total', 'Events read from the source in this run.', (s) => s.read),
  perLane('counter', 'cdc_events_delivered_total', 'Events the destination has confirmed in this run.', (l) => l.delivered),
  perPipeline('counter', 'cdc_events_filtered_total', 'Events left out by a configured filter in this run.', (p) => p.run.eventsFiltered),
  perPipeline(
    'counter',
    'cdc_dead_letters_total',
    'Events sent to the dead letter queue in this run, of all stages.',
    (p) => p.run.deadLetters,
  ),
  perLane(
    'counter',
    'cdc_destination_dead_letters_total',
    'Events of this destination sent to the dead letter queue in this run.',
    (l) => l.deadLetters,
  ),
  perLane(
    'counter',
    'cdc_destination_discarded_values_total',
    'Values left out in this run because the target has no column for them (`schema_evolution` mode discard).',
    (l) => l.discardedValues,
  ),
  {
    name: 'cdc_errors_total',
    help: 'Errors recorded in state, by component and code.',
    type: 'counter',
    labels: ['pipeline', 'component', 'code'],
    samples: ({ errors }) =>
      Object.entries(errors).flatMap(([pipeline, records]) =>
        records.map((r) => ({ labels: { pipeline, component: r.component, code: r.code }, value: r.count })),
      ),
  },
  perLane('gauge', 'cdc_lag_ms', 'Milliseconds from commit at the source to delivery, of the last delivered event.', (l) => l.lagMs),
  perLane(
    'gauge',
    'cdc_destination_lag_bytes',
    "Bytes of the source's log that the destination has not confirmed, where the source can tell.",
    (l) => l.lagBytes,
  ),
  perSource('gauge', 'cdc_source_lag_ms', 'Milliseconds from commit at the source to its being read, of the last change.', (s) => s.lagMs),
  perSource('gauge', 'cdc_source_lag_bytes', "Bytes of the source's log that were not read yet.", (s) => s.lag?.bytes ?? null),
  perSource('gauge', 'cdc_source_lag_events', 'Changes that were not read yet.', (s) => s.lag?.events ?? null),
  perSource(
    'gauge',
    'cdc_source_retained_bytes',
    'Bytes of its log that the source keeps for this pipeline (a replication slot).',
    (s) => s.lag?.retention?.retainedBytes ?? null,
  ),
  perSource(
    'gauge',
    'cdc_source_retention_safe_bytes',
    'Bytes that may still be written at the source before what it keeps for this pipeline may be lost.',
    (s) => s.lag?.retention?.safeBytes ?? null,
  ),
  perSource(
    'gauge',
    'cdc_source_retention_loss_ms',
    'Milliseconds until what the source keeps for this pipeline may be lost, if all goes on as it does.',
    (s) => s.lag?.retention?.lossInMs ?? null,
  ),
  {
    name: 'cdc_source_retention_state',
    help: 'What the source says of the log it keeps for this pipeline, in its own words (wal_status of a replication slot): 1 for the present one.',
    type: 'gauge',
    labels: ['pipeline', 'source', 'state'],
    samples: ({ statuses }) =>
      statuses.flatMap((p) =>
        p.sources.flatMap((s) =>
          s.lag?.retention?.status == null
            ? []
            : [{ labels: { pipeline: p.name, source: s.name, state: s.lag.retention.status }, value: 1 }],
        ),
      ),
  },
  perPipeline('gauge', 'cdc_queue_events', 'Events held in the change log.', (p) => p.log.events),
  perPipeline('gauge', 'cdc_queue_bytes', 'Bytes held in the change log.', (p) => p.log.bytes),
  perPipeline('gauge', 'cdc_queue_needed_events', 'Events in the change log that a destination still needs.', (p) => p.log.neededEvents),
  perPipeline('gauge', 'cdc_queue_needed_bytes', 'Bytes in the change log that a destination still needs.', (p) => p.log.neededBytes),
  perPipeline(
    'gauge',
    'cdc_queue_max_events',
    'Bound of the change log in events, if it has one: when so many are needed, the source waits.',
    (p) => p.log.maxEvents,
  ),
  perPipeline(
    'gauge',
    'cdc_queue_max_bytes',
    'Bound of the change log in bytes, if it has one: when so many are needed, the source waits.',
    (p) => p.log.maxBytes,
  ),
  perLane('gauge', 'cdc_destination_queue_events', 'Events in the change log that this destination has not confirmed.', (l) => l.queued),
  perPipeline('gauge', 'cdc_last_checkpoint_timestamp_seconds', 'When a resume point was last saved.', (p) => seconds(p.lastCheckpointMs)),
  perPipeline('gauge', 'cdc_last_progress_timestamp_seconds', 'When anything last moved: an event, a keepalive, a confirmed write.', (p) =>
    seconds(p.lastProgressMs),
  ),
  perSource('gauge', 'cdc_source_last_event_timestamp_seconds', 'When the source last sent an event.', (s) => seconds(s.lastEventMs)),
  perPipeline('gauge', 'cdc_pipeline_start_timestamp_seconds', 'When the pipeline was started.', (p) => seconds(p.startedMs)),
  perPipeline('gauge', 'cdc_pipeline_next_run_timestamp_seconds', 'When the next scheduled run begins (mode cron).', (p) =>
    seconds(p.nextRunMs),
  ),
  perPipeline('gauge', 'cdc_pipeline_epoch', 'Epoch of the pipeline; grows at every start.', (p) => p.epoch),
  {
    name: 'cdc_pipeline_state',
    help: 'State of the pipeline: 1 for the present one.',
    type: 'gauge',
    labels: ['pipeline', 'state'],
    samples: ({ statuses }) => statuses.flatMap((p) => stateSet({ pipeline: p.name }, PIPELINE_STATES, p.state)),
  },
  {
    name: 'cdc_source_state',
    help: 'State of the source: 1 for the present one.',
    type: 'gauge',
    labels: ['pipeline', 'source', 'state'],
    samples: ({ statuses }) =>
      statuses.flatMap((p) => p.sources.flatMap((s) => stateSet({ pipeline: p.name, source: s.name }, SOURCE_STATES, s.state))),
  },
  {
    name: 'cdc_destination_state',
    help: 'State of the destination: 1 for the present one.',
    type: 'gauge',
    labels: ['pipeline', 'destination', 'state'],
    samples: ({ statuses }) =>
      statuses.flatMap((p) => p.lanes.flatMap((l) => stateSet({ pipeline: p.name, destination: l.name }, LANE_STATES, l.state))),
  },
  {
    name: 'cdc_destination_circuit_breaker',
    help: 'State of the circuit breaker of the destination: 1 for the present one.',
    type: 'gauge',
    labels: ['pipeline', 'destination', 'state'],
    samples: ({ statuses }) =>
      statuses.flatMap((p) => p.lanes.flatMap((l) => stateSet({ pipeline: p.name, destination: l.name }, BREAKER_STATES, l.breaker))),
  },
  perLane('gauge', 'cdc_destination_batch_size', 'Events of one write to the destination at most, as things stand.', (l) => l.batchSize),
  perLane('gauge', 'cdc_destination_parked_keys', 'Keys whose events wait in the dead letter queue.', (l) => l.parkedKeys),
  perSnapshot('cdc_snapshot_rows', 'Rows read so far by the snapshot of a table.', (t) => t.rows),
  perSnapshot('cdc_snapshot_estimated_rows', 'Rows the table is believed to have, where the source can tell.', (t) => t.estimate),
  perSnapshot('cdc_snapshot_eta_ms', 'Milliseconds that the snapshot of a table may still take.', (t) => t.etaMs),
  {
    name: 'cdc_snapshot_state',
    help: 'State of the snapshot of a table: 1 for the present one.',
    type: 'gauge',
    labels: ['pipeline', 'source', 'table', 'state'],
    samples: ({ statuses }) =>
      statuses.flatMap((p) =>
        p.sources.flatMap((s) =>
          s.snapshots.flatMap((t) => stateSet({ pipeline: p.name, source: s.name, table: t.table }, SNAPSHOT_STATES, t.state)),
        ),
      ),
  },
];

/** Renders the metrics. Made once per process; `render` is called at each scrape. */
export interface MetricsRenderer {
  readonly contentType: string;
  render(snapshot: MetricsSnapshot): Promise<string>;
}

/** Loads prom-client only when the first scrape comes: a pipeline without monitoring does not carry it. */
export async function createMetricsRenderer(): Promise<MetricsRenderer> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('prom-client');
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = METRICS.map((declaration) => {
    const settings = { name: declaration.name, help: declaration.help, labelNames: [...declaration.labels], registers: [registry] };
    return { declaration, metric: declaration.type === 'counter' ? new Counter(settings) : new Gauge(settings) };
  });
  return {
    contentType: registry.contentType,
    async render(snapshot) {
      for (const { declaration, metric } of metrics) {
        // Series of pipelines and tables that are gone must go too; counters are set, not added to, so they start over as well.
        metric.reset();
        for (const { labels, value } of declaration.samples(snapshot)) metric.inc({ ...labels }, value);
      }
      // prom-client 15 writes `Nan` for a process metric without a value yet; the format knows only `NaN`.
      return (await registry.metrics()).replace(/ Nan$/gm, ' NaN');
    },
  };
}
