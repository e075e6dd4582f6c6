import { describe, expect, it } from 'vitest';
import { createMetricsRenderer, METRICS } from '../../../src/observability/metrics.ts';
import { parseExposition, type Series } from './exposition.ts';
import { fakeLane, fakeRun, fakeSnapshot, fakeSource, fakeStatus, NOW_MS } from './fake-status.ts';

const LAG = {
  events: 3,
  bytes: 4,
  atMs: NOW_MS,
  retention: { by: 'slot s', retainedBytes: 7, status: 'reserved', safeBytes: 8, lossInMs: 9 },
};
const renderer = await createMetricsRenderer();

async function scraped(...input: Parameters<typeof renderer.render>): Promise<Map<string, readonly Series[]>> {
  const families = parseExposition(await renderer.render(...input));
  return new Map([...families].map(([name, family]) => [name, family.series]));
}

describe('METRICS', () => {
  it('are named by the rules: prefix, unit, counters end in _total', () => {
    for (const { name, type } of METRICS) {
      expect(name).toMatch(/^cdc_[a-z][a-z0-9_]*$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
    }
    expect(new Set(METRICS.map((m) => m.name)).size).toBe(METRICS.length);
  });

  it('give exactly the labels they declare', () => {
    const statuses = [
      fakeStatus({
        sources: [fakeSource({ snapshots: [fakeSnapshot({ rows: 5, estimate: 10, etaMs: 1000 })], lagMs: 8, lag: LAG })],
        lanes: [fakeLane({ lagBytes: 5 })],
        nextRunMs: NOW_MS,
      }),
    ];
    const errors = { orders: [{ component: 'replica', code: 'DESTINATION_FAILED', message: '', count: 2, firstMs: 1, lastMs: 2 }] };
    for (const { name, labels, samples } of METRICS) {
      const found = samples({ statuses, errors });
      expect(found.length, name).toBeGreaterThan(0);
      for (const sample of found) expect(Object.keys(sample.labels), name).toEqual(labels);
    }
  });
});

describe('the metrics page', () => {
  it('passes a strict parser, with names that need escaping', async () => {
    const odd = 'a"b\\c\nd';
    const families = parseExposition(await renderer.render({ statuses: [fakeStatus({ name: odd })], errors: {} }));
    expect(families.get('cdc_events_read_total')).toMatchObject({
      type: 'counter',
      series: [{ labels: { pipeline: odd, source: 'shop' }, value: 12 }],
    });
    expect(families.get('process_cpu_seconds_total')?.type).toBe('counter');
    for (const { name, type } of METRICS) expect(families.get(name)?.type, name).toBe(type);
  });

  it('shows what the pipelines show', async () => {
    const status = fakeStatus({
      run: fakeRun({ eventsFiltered: 4, deadLetters: 3 }),
      sources: [fakeSource({ state: 'snapshot', snapshots: [fakeSnapshot({ estimate: 1000, etaMs: 2500 })] })],
      lanes: [fakeLane({ queued: 7, lagMs: 250, deadLetters: 2, discardedValues: 5 }), fakeLane({ name: 'files', lagMs: null })],
      log: { type: 'disk', events: 7, bytes: 700, neededEvents: 5, neededBytes: 500, maxEvents: null, maxBytes: 1000 },
    });
    const page = await scraped({
      statuses: [status],
      errors: { orders: [{ component: 'files', code: 'DESTINATION_FULL', message: '', count: 9, firstMs: 1, lastMs: 2 }] },
    });
    const values = (name: string): number[] => (page.get(name) ?? []).map((s) => s.value);
    expect(values('cdc_events_filtered_total')).toEqual([4]);
    expect(values('cdc_dead_letters_total')).toEqual([3]);
    expect(values('cdc_destination_dead_letters_total')).toEqual([2, 0]);
    expect(values('cdc_destination_discarded_values_total')).toEqual([5, 0]);
    expect(values('cdc_queue_events')).toEqual([7]);
    expect(values('cdc_queue_bytes')).toEqual([700]);
    expect([values('cdc_queue_needed_events'), values('cdc_queue_needed_bytes')]).toEqual([[5], [500]]);
    expect([values('cdc_queue_max_events'), values('cdc_queue_max_bytes')]).toEqual([[], [1000]]);
    expect(values('cdc_last_checkpoint_timestamp_seconds')).toEqual([(NOW_MS - 500) / 1000]);
    expect(page.get('cdc_lag_ms')).toEqual([{ name: 'cdc_lag_ms', labels: { pipeline: 'orders', destination: 'replica' }, value: 250 }]);
    expect(page.get('cdc_snapshot_rows')?.[0]).toMatchObject({ labels: { source: 'shop', table: 'orders' }, value: 700 });
    expect(page.get('cdc_snapshot_estimated_rows')?.[0]).toMatchObject({ labels: { source: 'shop', table: 'orders' }, value: 1000 });
    expect(page.get('cdc_snapshot_eta_ms')?.[0]).toMatchObject({ labels: { source: 'shop', table: 'orders' }, value: 2500 });
    expect(page.get('cdc_errors_total')?.[0]).toMatchObject({ labels: { component: 'files', code: 'DESTINATION_FULL' }, value: 9 });
    expect(
      page
        .get('cdc_source_state')
        ?.filter((s) => s.value === 1)
        .map((s) => s.labels['state']),
    ).toEqual(['snapshot']);
  });

  it('shows what a source keeps for us, and for how long it can', async () => {
    const page = await scraped({ statuses: [fakeStatus({ sources: [fakeSource({ lagMs: 6, lag: LAG })] })], errors: {} });
    const shown = ['lag_ms', 'lag_bytes', 'retained_bytes', 'retention_safe_bytes', 'retention_loss_ms'].map((name) =>
      page.get(`cdc_source_${name}`)?.map((s) => s.value),
    );
    expect(shown).toEqual([[6], [4], [7], [8], [9]]);
    expect(page.get('cdc_source_retention_state')?.[0]).toMatchObject({ labels: { state: 'reserved' }, value: 1 });
  });

  it('forgets pipelines that are gone and does not add counters up from scrape to scrape', async () => {
    await scraped({ statuses: [fakeStatus(), fakeStatus({ name: 'gone' })], errors: {} });
    const page = await scraped({ statuses: [fakeStatus()], errors: {} });
    expect(page.get('cdc_events_read_total')).toEqual([
      { name: 'cdc_events_read_total', labels: { pipeline: 'orders', source: 'shop' }, value: 12 },
    ]);
  });
});
