// The files of other programs, word for word, are read as the pipelines that do the same.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatIssue, type LoadResult, parsePipelineText } from '../../../src/config/load.ts';
import type { PipelineConfig } from '../../../src/engine/pipeline-config.ts';

const FOLDER = resolve(import.meta.dirname, '../../fixtures/config');
const SEED_002 = readFileSync(`${FOLDER}/seed-002/config.yaml`, 'utf8'),
  SEED_004 = readFileSync(`${FOLDER}/seed-004/config/default.yaml`, 'utf8');

/** As the design document sets them. */
const ENV = {
  AWS_RDS_ENDPOINT: 'rds-instance.xxxxx.region.rds.amazonaws.com',
  AWS_RDS_USERNAME: 'replicator',
  AWS_RDS_PASSWORD: 'secure_password',
  AWS_RDS_DATABASE: 'production_db',
  AWS_RDS_REGION: 'us-east-1',
  NATS_URL: 'nats://nats-cluster:4222',
  NATS_USERNAME: 'nats_user',
  NATS_PASSWORD: 'nats_password',
  NATS_CLUSTER_ID: 'prod-cluster',
  CHECKPOINT_STORAGE: '/var/lib/cdc/state.db',
  CHECKPOINT_INTERVAL: '10s',
  MAX_RETRY_ATTEMPTS: '3',
  BATCH_SIZE: '1000',
  BATCH_TIMEOUT: '5s',
  PROMETHEUS_PORT: '8080',
  LOG_LEVEL: 'info',
};

function load(text: string, file: string, changes: Record<string, string | undefined> = {}, set: string[] = []): Promise<LoadResult> {
  return parsePipelineText(text, { file, baseDir: FOLDER, env: { ...ENV, ...changes }, set });
}

async function valid(text: string, file: string, changes: Record<string, string | undefined> = {}): Promise<PipelineConfig[]> {
  const { pipelines, problems } = await load(text, file, changes);
  expect(problems.map((issue) => formatIssue(issue))).toEqual([]);
  return pipelines;
}

describe('a handler from RDS to NATS (seed 002)', () => {
  it('is read with all that it says', async () => {
    const [config] = (await valid(SEED_002, 'config.yaml')) as [PipelineConfig];
    expect(config.unavailable).toEqual([]);
    expect(config.sources).toMatchObject([
      {
        type: 'postgresql',
        config: {
          host: ENV.AWS_RDS_ENDPOINT,
          username: 'replicator',
          password: 'secure_password',
          database: 'production_db',
          ssl_mode: 'require',
          tables: ['schema1.table1', 'schema2.table2'],
          connection_pool: { max_connections: 10 },
        },
      },
    ]);
    expect(config.destinations).toMatchObject([
      {
        type: 'nats',
        config: {
          servers: ['nats://nats-cluster:4222'],
          username: 'nats_user',
          password: 'nats_password',
          cluster_id: 'prod-cluster',
          request_timeout: 10_000,
          subject: 'cdc.{database}.{schema}.{table}',
        },
        envelope: { type: 'cdc_event' },
        batch: { maxEvents: 1000, timeoutMs: 5000 },
      },
    ]);
    expect(config.transformers).toMatchObject([
      { type: 'data_masking', config: { mask_fields: ['password', 'credit_card', 'ssn'], strategy: 'redact' } },
    ]);
    expect(config.sync).toMatchObject({ mode: 'continuous', checkpointIntervalMs: 10_000, shutdownTimeoutMs: 30_000 });
    expect(config.state).toMatchObject({ type: 'sqlite', path: '/var/lib/cdc/state.db' });
    expect(config.schemaEvolution).toMatchObject({ mode: 'evolve' });
    expect(config.retry).toMatchObject({ maxAttempts: 3 });
    expect(config.health).toMatchObject({ enabled: true, port: 8080 });
  });

  it('takes a port from the endpoint, and leaves out what is empty', async () => {
    const [config] = await valid(SEED_002, 'config.yaml', {
      AWS_RDS_ENDPOINT: 'db.example.com:6432',
      NATS_USERNAME: '',
      NATS_PASSWORD: '',
    });
    expect(config?.sources[0]?.config).toMatchObject({ host: 'db.example.com', port: 6432 });
    expect(config?.destinations[0]?.config).not.toHaveProperty('username');
  });

  it('keeps its state in Redis where the checkpoint storage is there', async () => {
    const [config] = await valid(SEED_002, 'config.yaml', { CHECKPOINT_STORAGE: 'redis://localhost:6379' });
    expect(config?.unavailable).toEqual([]);
    expect(config?.state).toMatchObject({ type: 'redis', url: 'redis://localhost:6379' });
  });

  it('keeps positions where a path or the URL of a file says', async () => {
    const [config] = await valid(SEED_002, 'config.yaml', { CHECKPOINT_STORAGE: 'file:///var/lib/cdc/state.db' });
    expect(config?.state).toMatchObject({ type: 'sqlite', path: '/var/lib/cdc/state.db' });
  });

  it.each([
    ['postgres://user:s3cret@localhost/positions', 'postgresql'],
    ['s3://bucket/positions', 's3'],
  ])('says of positions in %s, at their line, that a path is to be written', async (storage, store) => {
    const { problems, pipelines } = await load(SEED_002, 'config.yaml', { CHECKPOINT_STORAGE: storage });
    expect(problems).toMatchObject([{ code: 'CONFIG_FEATURE_NOT_AVAILABLE', path: 'cdc.checkpoint_storage', line: 23 }]);
    expect(problems[0]?.message).toContain(`asks for positions in ${store},`);
    expect(problems[0]?.fix).toContain('/var/lib/cdc/state.db');
    expect(problems.map((issue) => formatIssue(issue)).join()).not.toContain('s3cret');
    expect(pipelines).toEqual([]);
  });

  it('serves no metrics where it says so', async () => {
    const text = SEED_002.replace(/^server:\n(?: .*\n)+/m, '').replace('enabled: true\n    port: ${PROMETHEUS_PORT}', 'enabled: false');
    const [config] = await valid(text, 'config.yaml');
    expect(config?.health.enabled).toBe(false);
  });

  it('warns of the region, which changes nothing', async () => {
    const { warnings } = await load(SEED_002, 'config.yaml');
    expect(warnings).toMatchObject([{ code: 'CONFIG_NO_EFFECT', path: 'rds.region', line: 10 }]);
  });

  it.each([
    ['a variable that is missing', SEED_002, { NATS_URL: undefined }, { code: 'CONFIG_VARIABLE_MISSING', path: 'nats.urls[0]', line: 16 }],
    [
      'a key that is not known',
      SEED_002.replace('max_connections', 'max_conections'),
      {},
      { code: 'CONFIG_UNKNOWN_KEY', line: 12, suggestion: 'max_connections' },
    ],
    ['a value that cannot be read', SEED_002, { BATCH_SIZE: 'many' }, { path: 'sync.batch_size', line: 26 }],
  ])('points at the line of %s', async (_, text, changes, expected) => {
    const { problems, pipelines } = await load(text, 'config.yaml', changes);
    expect(problems).toMatchObject([{ file: 'config.yaml', ...expected }]);
    expect(pipelines).toEqual([]);
  });
});

describe('a synchroniser from NATS to PostgreSQL (seed 004)', () => {
  it('is read with all that it says', async () => {
    const [config] = (await valid(SEED_004, 'config/default.yaml')) as [PipelineConfig];
    expect(config).toMatchObject({
      name: 'default',
      unavailable: [],
      sources: [
        { type: 'nats', config: { servers: ['nats://localhost:4222'], subject: 'cdc.events', envelope: 'sync_event', mode: 'auto' } },
      ],
      destinations: [
        {
          type: 'postgresql',
          config: { url: 'postgresql://postgres:postgres@localhost:5432/cdc', conflict_resolution: 'upsert', create_tables: false },
          batch: { maxEvents: 100 },
        },
      ],
    });
  });

  it('is several pipelines where it has flows, each with what it does not say from the top', async () => {
    const text = `
nats: {servers: ["nats://localhost:4222"], subject: cdc.events}
flows:
  - {name: one, postgres: {url: postgresql://localhost/a}}
  - name: two
    nats: {servers: ["nats://localhost:4222"], subject: cdc.others}
    postgres: [{name: x, url: postgresql://localhost/b}, {name: y, url: postgresql://localhost/c, conflict_resolution: ignore}]
    pipeline: {batch_size: 7}
`;
    const configs = await valid(text, 'flows.yaml');
    expect(configs.map(({ name, destinations }) => [name, destinations.map((d) => d.name)])).toEqual([
      ['one', ['postgresql']],
      ['two', ['x', 'y']],
    ]);
    expect(configs[0]?.sources[0]?.config).toMatchObject({ subject: 'cdc.events' });
    expect(configs[1]).toMatchObject({ sync: { batch: { maxEvents: 7 } }, sources: [{ config: { subject: 'cdc.others' } }] });
  });

  it('hides its sensitive fields', async () => {
    const [config] = await valid(`${SEED_004}\n  sensitive_fields: [email]\n`, 'default.yaml');
    expect(config?.transformers).toMatchObject([{ type: 'data_masking', config: { mask_fields: ['email'], strategy: 'redact' } }]);
  });

  it('takes what --set says about the pipeline that it is', async () => {
    const { pipelines } = await load(SEED_004, 'default.yaml', {}, ['sync.mode=one_time', 'name=other']);
    expect(pipelines).toMatchObject([{ name: 'other', sync: { mode: 'one_time' } }]);
  });
});

describe('what is shown', () => {
  it('is the pipeline with its variables as they stand', async () => {
    const { shown } = await load(SEED_002, 'config.yaml');
    expect(shown).toMatchObject([
      {
        source: { type: 'postgresql', host: '${AWS_RDS_ENDPOINT}', password: '${AWS_RDS_PASSWORD}' },
        destination: { type: 'nats', servers: ['${NATS_URL}'], envelope: 'cdc_event' },
      },
    ]);
    expect(JSON.stringify(shown)).not.toContain('secure_password');
  });

  it('is a pipeline that means the same', async () => {
    const { shown } = await load(SEED_002, 'config.yaml');
    const [again] = await valid(JSON.stringify(shown[0]), 'config.yaml');
    const [first] = await valid(SEED_002, 'config.yaml');
    expect({ ...again }).toEqual({ ...first });
  });
});
