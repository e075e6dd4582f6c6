// The YAML of the design documents validates, word for word. Fragments are completed to a whole pipeline.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConfigIssue, formatIssue, parsePipelineText } from '../../../src/config/load.ts';
import type { PipelineConfig } from '../../../src/engine/pipeline-config.ts';

const FOLDER = resolve(import.meta.dirname, '../../fixtures/config');
const blocks = readdirSync(join(FOLDER, 'seed-001'));

/** A fragment with the ends it lacks; a source or destination without type gets one. */
function completed(text: string): string {
  let whole = text;
  if (!/^sources?:/m.test(whole)) whole += '\nsource: {type: generator}\n';
  if (!/^destinations?:/m.test(whole)) whole += '\ndestination: {type: "null"}\n';
  return whole.replace(/^(source|destination):\n {2}connection_pool:/gm, '$1:\n  type: postgresql\n  connection_pool:');
}

async function load(text: string, file: string): Promise<PipelineConfig> {
  const { pipelines, problems, warnings } = await parsePipelineText(text, { file, baseDir: FOLDER, env: { MYSQL_PASSWORD: 'secret' } });
  expect([...problems, ...warnings].map((issue: ConfigIssue) => formatIssue(issue))).toEqual([]);
  expect(pipelines).toHaveLength(1);
  return pipelines[0] as PipelineConfig;
}

/** What this version cannot run yet, per block. */
const UNAVAILABLE: Readonly<Record<string, readonly string[]>> = {
  '01': [],
  '02': [],
  '03': ['source.type', 'destination.type'],
  '04': [],
  '05': [],
  '06': ['merge_strategy'],
  '07': ['destinations[1].type'],
  '08': ['plugins.transformers.transformers[0].type'],
  '09': [],
  '10': ['source.type'],
  '11': [],
  '12': ['plugins.middleware.middleware[0].type'],
  '13': ['plugins.middleware.middleware[0].type'],
  '14': ['plugins.transformers.transformers[0].type', 'plugins.transformers.transformers[1].type'],
  '15': [],
  '16': ['sync.compression'],
  '17': [],
  '18': ['plugins.middleware.middleware[0].type'],
  '19': ['plugins.middleware.middleware[0].type'],
  '20': [],
};

describe('seed 001', () => {
  it('has 20 blocks', () => {
    expect(blocks).toHaveLength(20);
  });

  it.each(blocks)('%s validates', async (name) => {
    const config = await load(completed(readFileSync(join(FOLDER, 'seed-001', name), 'utf8')), name);
    expect(config.unavailable.map(({ where }) => where)).toEqual(UNAVAILABLE[name.slice(0, 2)]);
  });

  it('reads bare numbers of the connection pool as seconds', async () => {
    const config = await load(completed(readFileSync(join(FOLDER, 'seed-001', '17-connection-pooling.yaml'), 'utf8')), 'pool.yaml');
    expect(config.destinations[0]?.config).toMatchObject({
      connection_pool: { connection_timeout: 30_000, max_connections: 20, batch_insert_size: 1000 },
    });
  });

  it('reads the health checks', async () => {
    const config = await load(completed(readFileSync(join(FOLDER, 'seed-001', '20-health-checks.yaml'), 'utf8')), 'health.yaml');
    expect(config.health).toEqual({
      enabled: true,
      host: '127.0.0.1',
      port: 8080,
      stallAfterMs: 300_000,
      endpoints: [
        { path: '/health', format: 'json', checks: ['database', 'kafka', 'memory'] },
        { path: '/metrics', format: 'prometheus', checks: [] },
      ],
    });
  });

  it('keeps nested plugins in order', async () => {
    const config = await load(completed(readFileSync(join(FOLDER, 'seed-001', '14-iot-data-cdc.yaml'), 'utf8')), 'iot.yaml');
    expect(config.transformers.map(({ name, config: params, where }) => ({ name, params, where }))).toEqual([
      {
        name: 'iot_aggregation',
        params: { time_window: 300_000, aggregation_functions: ['avg', 'min', 'max'] },
        where: 'plugins.transformers.transformers[0]',
      },
      {
        name: 'anomaly_detection',
        params: { algorithm: 'isolation_forest', threshold: 0.1 },
        where: 'plugins.transformers.transformers[1]',
      },
    ]);
  });
});

describe('seed 000', () => {
  it('takes a connector as a pipeline whose changes are kept in the disk log', async () => {
    const config = await load(readFileSync(join(FOLDER, 'seed-000/connector.yaml'), 'utf8'), 'connector.yaml');
    expect(config.name).toBe('mysql-users');
    expect(config.sources).toMatchObject([
      {
        name: 'mysql',
        type: 'mysql',
        where: 'config',
        config: {
          host: 'localhost',
          port: 3306,
          username: 'cdc_user',
          password: 'secret',
          database: 'myapp',
          tables: ['users', 'orders'],
          server_id: 12_345,
          snapshot_mode: 'initial',
        },
      },
    ]);
    expect(config.destinations).toEqual([]);
    expect(config).toMatchObject({ topicPrefix: 'cdc.myapp', log: { type: 'disk' } });
    expect(config.unavailable).toEqual([]);
  });
});
