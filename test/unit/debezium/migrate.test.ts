// Files of Debezium as pipelines: each one that is written must be one that our own validator takes.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { formatIssue, parsePipelineText } from '../../../src/config/load.ts';
import { readDeployment } from '../../../src/debezium/deployment.ts';
import { type Migration, migrate } from '../../../src/debezium/migrate.ts';

const FIXTURES = new URL('../../fixtures/debezium/', import.meta.url);

function migration(file: string): Migration {
  const deployment = readDeployment(readFileSync(new URL(file, FIXTURES), 'utf8'));
  if ('problem' in deployment) throw new Error(deployment.problem);
  const result = migrate(deployment, file);
  if (!('notes' in result)) throw new Error(result.message);
  return result;
}
const named = ({ notes }: Migration, level: string): string[] => notes.filter((n) => n.level === level).map((n) => n.property);

describe.each(readdirSync(FIXTURES))('%s', (file) => {
  it('becomes a pipeline that validates, without a secret in it', async () => {
    const { pipeline, variables } = migration(file),
      text = stringify(pipeline);
    expect(text).not.toContain('geheim');
    const env = Object.fromEntries(variables.filter((v) => v.hasDefault === undefined).map((v) => [v.name, '1']));
    const { problems, warnings, pipelines } = await parsePipelineText(text, { file: 'p.yaml', baseDir: '/srv', env });
    expect([...problems, ...warnings].map(formatIssue)).toEqual([]);
    expect(pipelines).toHaveLength(1);
  });
});

it('Debezium Server with Kafka is written with its login, format and topics', () => {
  const m = migration('server-kafka.properties');
  expect(m.pipeline).toEqual({
    name: 'tutorial',
    source: {
      name: 'tutorial',
      type: 'postgresql',
      host: '${PG_HOST:-localhost}',
      port: '${PGPORT:-5432}',
      username: 'postgres',
      password: '${DATABASE_PASSWORD}',
      database: 'postgres',
      tables: ['inventory.*'],
      on_truncate: 'ignore',
      slot_name: 'debezium',
      publication: { name: 'dbz_publication', create: true },
    },
    destination: {
      type: 'kafka',
      bootstrap_servers: 'kafka:9092',
      security_protocol: 'SASL_SSL',
      sasl_mechanism: 'SCRAM-SHA-512',
      sasl_username: 'dbz',
      sasl_password: '${KAFKA_PASSWORD}',
      envelope: { type: 'debezium', compatible: true, topic_prefix: 'tutorial', decimal_handling_mode: 'string' },
    },
  });
  expect(named(m, 'error')).toEqual([]);
  expect(named(m, 'warning')).toEqual(['offset.storage.file.filename', 'quarkus.log.console.json']);
  expect(m.slot).toBe('debezium');
});

it('a connector with Avro keeps registry, columns and tables; secrets of a provider become variables', () => {
  const m = migration('connect-postgres.json');
  expect(m.pipeline).toMatchObject({
    name: 'inventory-connector',
    source: {
      password: '${PG_PASSWORD}',
      tables: ['public.customers', 'public.orders'],
      columns: { exclude: ['public.customers.password'] },
      slot_name: 'inventory_slot',
    },
    destination: {
      bootstrap_servers: '${KAFKA_BOOTSTRAP_SERVERS}',
      message_format: 'avro',
      schema_registry_url: 'http://registry:8081',
      compression_type: 'zstd',
    },
  });
  expect(named(m, 'warning')).toEqual(['heartbeat.interval.ms', 'bootstrap.servers']);
});

it('transformations become transformers, and a row without envelope the envelope row', () => {
  const m = migration('connect-mysql-flat.json');
  expect(m.pipeline).toMatchObject({
    source: { type: 'mysql', username: '${MYSQL_USER}', password: '${MYSQL_PASSWORD}' },
    plugins: {
      transformers: [
        { type: 'unwrap', params: { add_columns: { __op: 'op', __table: 'table' } } },
        { type: 'data_masking', params: { mask_fields: ['ssn'], strategy: 'redact' } },
      ],
    },
    destination: { bootstrap_servers: 'kafka:9092', envelope: 'row' },
  });
  expect(named(m, 'error')).toEqual([]);
  expect(named(m, 'warning')).toEqual([
    'schema.history.internal.kafka.bootstrap.servers',
    'schema.history.internal.kafka.topic',
    'value.converter',
    'schema.history.internal.kafka.bootstrap.servers',
  ]);
});

it('a sink without a counterpart is to be decided', () => {
  const m = migration('server-kinesis.properties');
  expect(m.pipeline).toMatchObject({ destination: { type: 'console' } });
  expect(named(m, 'error')).toEqual(['debezium.sink.type']);
});

it('every property of the file is in the pipeline or in the list', () => {
  const known = ['tasks.max', 'key.converter', 'value.converter', 'connector.class', 'topic.prefix', 'name'];
  const { notes, pipeline } = migration('connect-postgres.json'),
    text = stringify(pipeline) + JSON.stringify(notes);
  const { config } = JSON.parse(readFileSync(new URL('connect-postgres.json', FIXTURES), 'utf8')) as { config: Record<string, string> };
  for (const [name, value] of Object.entries(config)) {
    if (known.some((k) => name.startsWith(k)) || value.startsWith('${')) continue;
    expect(text.includes(name) || text.includes(value.replace(/\\\.\(customers\|orders\)/, '.customers')), name).toBe(true);
  }
});

it.each([
  ['{"a": 1', 'it is not JSON'],
  ['[{}]', 'it holds a list'],
  ['{"name": "x", "config": {}}', 'it has no "connector.class"'],
  ['{"config": {"connector.class": "x", "a": {}}}', 'the property "a" is no text'],
  ['foo=bar', 'it has neither'],
])('%s is no file of Debezium', (text, problem) => {
  expect(readDeployment(text)).toEqual({ problem: expect.stringContaining(problem) });
});
