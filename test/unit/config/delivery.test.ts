// What a destination is told about failures, speed and its own transformers, from the file to the shape its lane reads.

import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../../src/config/describe.ts';
import { formatIssue } from '../../../src/config/issue.ts';
import { parsePipelineText } from '../../../src/config/load.ts';
import type { DestinationConfig, PipelineConfig } from '../../../src/engine/pipeline-config.ts';

const load = (destination: string, rest = '') =>
  parsePipelineText(`source: {type: generator}\ndestination: {type: "null"${destination}}\n${rest}\n`, {
    file: 'a.yaml',
    baseDir: '/srv',
    env: {},
  });
const pipelineOf = async (destination: string, rest = ''): Promise<PipelineConfig> => {
  const { pipelines, problems } = await load(destination, rest);
  expect(problems.map(formatIssue)).toEqual([]);
  return pipelines[0] as PipelineConfig;
};
const deliveryOf = async (destination: string, rest = '') =>
  ((await pipelineOf(destination, rest)).destinations[0] as DestinationConfig).delivery;
const problemsOf = async (destination: string, rest = '') => (await load(destination, rest)).problems.map(formatIssue);

describe('the delivery of a destination', () => {
  it("takes what is missing from the pipeline's error_handling, key by key for retry", async () => {
    const all = 'error_handling: {retry: {max_elapsed: 1h, jitter: 0}, circuit_breaker: {failure_threshold: 3}, parked_keys: pass}';
    expect(await deliveryOf(', error_handling: {retry: {max_delay: 60}}', all)).toMatchObject({
      retry: { maxElapsedMs: 3_600_000, initialDelayMs: 1000, maxDelayMs: 60_000, jitter: 0 },
      circuitBreaker: { failureThreshold: 3, resetTimeoutMs: 30_000, halfOpenProbes: 1 },
      parkedKeys: 'pass',
    });
    expect(await deliveryOf(', error_handling: {circuit_breaker: {enabled: false}, parked_keys: wait}', all)).toMatchObject({
      circuitBreaker: null,
      parkedKeys: 'wait',
    });
  });

  it.each([
    [', rate_limit: {events_per_second: 2.5}', { rateLimit: { eventsPerSecond: 2.5, bytesPerSecond: null, burst: 3 } }],
    [', rate_limit: {bytes_per_second: 1MiB}', { rateLimit: { eventsPerSecond: null, bytesPerSecond: 1_048_576, burst: 1 } }],
    [', rate_limit: {events_per_second: 100, burst: 7}', { rateLimit: { eventsPerSecond: 100, bytesPerSecond: null, burst: 7 } }],
    [', batch_optimization: {max_batch_size: 500}', { adaptive: { minEvents: 100, maxEvents: 500, targetLatencyMs: 1000 } }],
    [', batch_optimization: {adaptive_batching: false}', { adaptive: null }],
    [', write_timeout: 90', { writeTimeoutMs: 90_000 }],
  ])('reads %s', async (keys, expected) => {
    expect(await deliveryOf(keys, 'sync: {batch_optimization: {min_batch_size: 1}}')).toMatchObject(expected);
  });

  it('takes grace_period for shutdown_timeout', async () => {
    expect((await pipelineOf('', 'sync: {grace_period: 7}')).sync.shutdownTimeoutMs).toBe(7000);
  });

  it.each([
    [', rate_limit: {burst: 5}', 'a.yaml:2:29 CONFIG_MISSING_KEY missing key "events_per_second" in destination.rate_limit'],
    [
      ', batch_optimization: {min_batch_size: 9, max_batch_size: 8}',
      'a.yaml:2:66 CONFIG_INVALID_VALUE destination.batch_optimization.min_batch_size is greater than max_batch_size (8)',
    ],
    [
      ', error_handling: {retry: {initial_delay: 9}}',
      'a.yaml:2:69 CONFIG_INVALID_VALUE destination.error_handling.retry.initial_delay: initial_delay is longer than max_delay',
    ],
    [', filter: "after.x ="', 'a.yaml:2:29 CONFIG_INVALID_VALUE destination.filter.expression: Unexpected character'],
    [', transformers: [{type: filtr}]', 'a.yaml:2:51 CONFIG_UNKNOWN_TYPE'],
  ])('says what is wrong with %s', async (keys, expected) => {
    expect((await problemsOf(keys))[0]).toContain(expected);
  });
});

describe('the transformers of a destination', () => {
  it('begin with its filter, and are named after it', async () => {
    const keys = ", name: archive, filter: op == 'c', transformers: [{type: data_masking, params: {mask_fields: [card]}, timeout: 2}]";
    const [destination] = (await pipelineOf(keys)).destinations;
    expect(destination?.transformers).toMatchObject([
      { type: 'filter', name: 'archive/filter', config: { expression: "op == 'c'", on_error: 'fail' }, where: 'destination.filter' },
      { type: 'data_masking', name: 'archive/data_masking', timeoutMs: 2000, where: 'destination.transformers[0]' },
    ]);
  });

  it('are shown without their secrets', async () => {
    const config = await pipelineOf(', transformers: [{type: filter, params: {expression: "true"}}]');
    const { destinations } = (await describeConfig(config)) as { destinations: { transformers: unknown[] }[] };
    expect(destinations[0]?.transformers).toMatchObject([{ type: 'filter', config: { expression: 'true' } }]);
  });
});
