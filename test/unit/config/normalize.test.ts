// What comes out of the loader: one shape, all defaults in, units resolved.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatIssue, type LoadResult, loadPipelines, parsePipelineText } from '../../../src/config/load.ts';
import { nameOf } from '../../../src/config/normalize.ts';
import type { PipelineConfig } from '../../../src/engine/pipeline-config.ts';

const load = (text: string): Promise<LoadResult> =>
  parsePipelineText(text, { file: 'pipelines/orders.yaml', baseDir: '/srv/pipelines', env: {} });

async function pipelineOf(text: string): Promise<PipelineConfig> {
  const { pipelines, problems } = await load(text);
  expect(problems.map(formatIssue)).toEqual([]);
  return pipelines[0] as PipelineConfig;
}

const ENDS = 'source: {type: generator}\ndestination: {type: "null"}\n';

describe('normalize', () => {
  it('fills in every default', async () => {
    const {
      sources: [source],
      destinations: [destination],
      ...rest
    } = await pipelineOf(ENDS);
    const retry = { maxAttempts: 5, maxElapsedMs: null, initialDelayMs: 1000, maxDelayMs: 8000, backoff: 'exponential', jitter: 0.2 };
    expect(source).toMatchObject({ name: 'generator', type: 'generator', where: 'source', config: { seed: 1 } });
    expect(destination).toMatchObject({
      name: 'null',
      type: 'null',
      where: 'destination',
      config: { encode: false },
      required: true,
      start: 'snapshot',
      envelope: { type: 'debezium', options: { compatible: false } },
      batch: { maxEvents: 2000, maxBytes: 8_388_608, timeoutMs: 0 },
      transformers: [],
      parallelism: { workers: 1, strategy: 'hash', field: null, ranges: [], module: null },
      delivery: { retry, circuitBreaker: null, rateLimit: null, adaptive: null, writeTimeoutMs: 300_000, parkedKeys: 'wait' },
    });
    expect(rest).toEqual({
      name: 'orders',
      file: 'pipelines/orders.yaml',
      baseDir: '/srv/pipelines',
      transformers: [],
      middleware: [],
      hooks: [],
      sync: {
        mode: 'continuous',
        schedule: null,
        timezone: 'UTC',
        batch: { maxEvents: 2000, maxBytes: 8_388_608, timeoutMs: 0 },
        checkpointIntervalMs: 5000,
        shutdownTimeoutMs: 30_000,
      },
      topicPrefix: null,
      log: { type: 'memory', maxEvents: 100_000, maxBytes: 268_435_456 },
      state: { type: 'sqlite', path: '.cdc/state.db', leaseMs: 30_000, checkpoints: 20 },
      deduplication: null,
      schemaEvolution: { mode: 'lenient', tables: [] },
      retry,
      deadLetterQueue: { type: 'file', path: '.cdc/dlq/orders.ndjson', key: null },
      health: { enabled: false, host: '127.0.0.1', port: 8080, endpoints: [], stallAfterMs: 300_000 },
      unavailable: [],
    });
  });

  it('names components by their type, and tells those of one type apart', async () => {
    const { sources, destinations } = await pipelineOf(
      'sources: [{type: generator}, {type: generator}]\ndestinations: [{type: "null"}, {type: "null", name: null-2}, {type: "null"}, {type: stdout}]\n',
    );
    expect(sources.map(({ name }) => name)).toEqual(['generator', 'generator-2']);
    expect(destinations.map(({ name, type, where }) => [name, type, where])).toEqual([
      ['null', 'null', 'destinations[0]'],
      ['null-2', 'null', 'destinations[1]'],
      ['null-3', 'null', 'destinations[2]'],
      ['console', 'console', 'destinations[3]'],
    ]);
  });

  it('gives destinations the batch keys of sync unless they have their own', async () => {
    const { destinations, sync } = await pipelineOf(
      'source: {type: generator}\ndestinations: [{type: "null"}, {type: "null", batch_size: 5, batch_bytes: 1MB, batch_timeout: 0.2}]\nsync: {batch_size: 10, batch_timeout: 50ms}\n',
    );
    expect(destinations.map(({ batch }) => batch)).toEqual([
      { maxEvents: 10, maxBytes: 8_388_608, timeoutMs: 50 },
      { maxEvents: 5, maxBytes: 1_000_000, timeoutMs: 200 },
    ]);
    expect(sync.batch).toEqual({ maxEvents: 10, maxBytes: 8_388_608, timeoutMs: 50 });
  });

  it.each([
    ['plain', { type: 'plain', options: {} }],
    ['{type: plain}', { type: 'plain', options: {} }],
    ['{type: debezium, compatible: true}', { type: 'debezium', options: { compatible: true, schemas: false } }],
  ])('takes the envelope %s', async (text, expected) => {
    const { destinations } = await pipelineOf(`source: {type: generator}\ndestination: {type: console, format: json, envelope: ${text}}\n`);
    expect(destinations[0]?.envelope).toMatchObject(expected);
  });

  it('takes plugins as plain and as nested lists', async () => {
    const item = '{type: event_sourcing, params: {version_field: v}, timeout: 2}';
    const plain = await pipelineOf(`${ENDS}plugins: {transformers: [${item}]}\n`),
      nested = await pipelineOf(`${ENDS}plugins: {transformers: {transformers: [${item}]}}\n`);
    expect(plain.transformers).toEqual([
      { name: 'event_sourcing', type: 'event_sourcing', config: { version_field: 'v' }, where: 'plugins.transformers[0]', timeoutMs: 2000 },
    ]);
    expect(nested.transformers).toEqual([{ ...plain.transformers[0], where: 'plugins.transformers.transformers[0]' }]);
  });

  it('opens the health server when the section is there', async () => {
    expect((await pipelineOf(`${ENDS}health_checks: {}\n`)).health.enabled).toBe(true);
    expect((await pipelineOf(`${ENDS}health_checks: {enabled: false}\n`)).health.enabled).toBe(false);
  });

  it('warns of keys without effect', async () => {
    const { warnings, problems } = await load(
      'source: {type: generator, connection_pool: {max_connections: 2}}\ndestination: {type: "null", envelope: plain, connection_pool: {}}\n',
    );
    expect(problems).toEqual([]);
    expect(warnings.map(formatIssue)).toEqual([
      'pipelines/orders.yaml:1:27 CONFIG_NO_EFFECT source.connection_pool has no effect: type generator has no pool of connections\n  fix: Remove the key.',
      'pipelines/orders.yaml:2:29 CONFIG_NO_EFFECT destination.envelope has no effect: type null writes rows, not records\n  fix: Remove the key.',
      'pipelines/orders.yaml:2:46 CONFIG_NO_EFFECT destination.connection_pool has no effect: type null has no pool of connections\n  fix: Remove the key.',
    ]);
  });

  it.each([
    ['sync: {compression: {algorithm: zstd}}', 'sync.compression', 'zstd compression'],
    ['state: {type: s3, url: s3://bucket}', 'state.type', 'state in s3'],
    ['merge_strategy: key_based', 'merge_strategy', 'merging by key_based'],
  ])('says that %s cannot be done yet', async (section, where, what) => {
    const { unavailable } = await pipelineOf(`${ENDS}${section}\n`);
    expect(unavailable).toEqual([
      { where, code: 'CONFIG_FEATURE_NOT_AVAILABLE', message: `${where} asks for ${what}, which this version cannot do yet` },
    ]);
  });

  it.each([
    'sync: {parallelism: {enabled: false, worker_count: 4}}',
    'sync: {parallelism: {worker_count: 1}}',
    'sync: {compression: {enabled: false}}',
  ])('takes %s', async (section) => {
    expect((await pipelineOf(`${ENDS}${section}\n`)).unavailable).toEqual([]);
  });

  it.each([
    ['{worker_count: 4, partition_field: id}', { workers: 4, strategy: 'hash', field: 'id', ranges: [], module: null }],
    ['{worker_count: 4, enabled: false}', { workers: 1, strategy: 'hash', field: null, ranges: [], module: null }],
    [
      '{worker_count: 2, partition_strategy: range, partition_field: id, partition_ranges: [10]}',
      { workers: 2, strategy: 'range', field: 'id', ranges: [10], module: null },
    ],
    [
      '{worker_count: 2, partition_strategy: custom, partition_function: ./spread.ts}',
      { workers: 2, strategy: 'custom', field: null, ranges: [], module: '/srv/pipelines/spread.ts' },
    ],
  ])('reads parallelism %s, for all destinations or one', async (text, expected) => {
    expect((await pipelineOf(`${ENDS}sync: {parallelism: ${text}}\n`)).destinations[0]?.parallelism).toEqual(expected);
    const own = await pipelineOf(`source: {type: generator}\ndestination: {type: "null", parallelism: ${text}}\n`);
    expect(own.destinations[0]?.parallelism).toEqual(expected);
  });

  it.each([
    ['{worker_count: 2, partition_strategy: range, partition_field: id}', 'missing key "partition_ranges"'],
    ['{worker_count: 2, partition_strategy: range, partition_ranges: [1]}', 'missing key "partition_field"'],
    ['{worker_count: 2, partition_strategy: custom}', 'missing key "partition_function"'],
    ['{worker_count: 2, partition_strategy: range, partition_field: id, partition_ranges: [2, 1]}', 'must grow from number to number'],
  ])('refuses parallelism %s', async (text, message) => {
    const { problems } = await load(`${ENDS}sync: {parallelism: ${text}}\n`);
    expect(problems.map((p) => p.message)).toEqual([expect.stringContaining(message)]);
  });

  it('allows a pipeline without destination when its log is on disk', async () => {
    expect(
      (await pipelineOf('source: {type: generator}\nlog: {type: disk, path: .cdc/log, max_age: 7d, max_bytes: 10GiB}\n')).destinations,
    ).toEqual([]);
  });

  it.each([
    ['orders.yaml', 0, 'orders'],
    ['a/b/orders.v2.yml', 0, 'orders.v2'],
    ['orders.yaml', 1, 'orders-2'],
    ['my orders (copy).yaml', 0, 'my-orders-copy-'],
    ['../.yaml', 0, 'yaml'],
    ['***', 0, 'pipeline'],
    ['bestellungen-ä.yaml', 0, 'bestellungen-ä'],
  ])('calls document %s #%i %s', (file, index, name) => {
    expect(nameOf(file, index)).toBe(name);
  });
});

describe('inputs', () => {
  let folder: string;
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'cdc-inputs-')));
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'b.yaml'), ENDS);
    writeFileSync(join(folder, 'a.yml'), `${ENDS}---\n${ENDS}---\n# empty\n`);
    writeFileSync(join(folder, '.hidden.yaml'), 'broken: [');
    writeFileSync(join(folder, 'notes.txt'), 'broken: [');
    writeFileSync(join(folder, 'sub', 'c.yaml'), '\uFEFFname: see\r\nsource: {type: generator}\r\ndestination: {type: "null"}\r\n');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['a file', ['b.yaml'], ['b']],
    ['a folder', ['.'], ['a', 'a-2', 'b']],
    ['a pattern', ['*.yaml'], ['b']],
    ['a deep pattern', ['**/*.{yaml,yml}'], ['a', 'a-2', 'b', 'see']],
    ['the same file twice', ['b.yaml', './b.yaml', '*.yaml'], ['b']],
    ['several', ['sub', 'b.yaml'], ['see', 'b']],
  ])('takes %s', async (_, inputs, names) => {
    const { pipelines, problems } = await loadPipelines(
      inputs.map((input) => join(folder, input)),
      { env: {} },
    );
    expect(problems).toEqual([]);
    expect(pipelines.map(({ name }) => name)).toEqual(names);
    expect(pipelines.every(({ baseDir }) => baseDir.startsWith(folder))).toBe(true);
  });

  it('reports all files at once and loads the good ones', async () => {
    const { pipelines, problems } = await loadPipelines(
      ['b.yaml', 'notes.txt', 'nope.yaml'].map((name) => join(folder, name)),
      { env: {} },
    );
    expect(pipelines.map(({ name }) => name)).toEqual(['b']);
    expect(problems.map(({ code }) => code)).toEqual(['CONFIG_FILE_UNREADABLE', 'CONFIG_YAML_SYNTAX']);
  });

  it('refuses files that are far too large', async () => {
    writeFileSync(join(folder, 'large.txt'), 'x'.repeat(1024 * 1024 + 1));
    const { problems } = await loadPipelines([join(folder, 'large.txt')], { env: {} });
    expect(problems.map(({ message }) => message)).toEqual([`${folder}/large.txt is larger than 1024 KiB`]);
  });
});
