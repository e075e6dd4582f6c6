// `type: debezium` with the properties of a connector, as the loader takes it.

import { describe, expect, it } from 'vitest';
import { formatIssue, type LoadResult, parsePipelineText } from '../../../src/config/load.ts';

const load = (text: string, env: Record<string, string> = {}): Promise<LoadResult> =>
  parsePipelineText(text, { file: 'p.yaml', baseDir: '/srv', env });

const SEED = `source:
  type: debezium
  connector_config:
    name: "postgres-connector"
    connector.class: "io.debezium.connector.postgresql.PostgresConnector"
    database.hostname: "localhost"
    database.port: 5432
    database.user: "debezium"
    database.password: "\${PASSWORD}"
    database.dbname: "inventory"
    database.server.name: "dbserver1"
    table.include.list: "public.customers,public.orders"
  capture_mode: "wal"
  slot_name: "debezium_slot"
destination: {type: console}
`;

describe('connector_config', () => {
  it('is our own source of that database', async () => {
    const { pipelines, problems, warnings } = await load(SEED, { PASSWORD: 'geheim' });
    expect([...problems, ...warnings].map(formatIssue)).toEqual([]);
    expect(pipelines[0]?.sources).toMatchObject([
      {
        name: 'dbserver1',
        type: 'postgresql',
        config: {
          cdc_mode: 'wal',
          host: 'localhost',
          port: 5432,
          password: 'geheim',
          tables: ['public.customers', 'public.orders'],
          slot_name: 'debezium_slot',
          publication: { name: 'dbz_publication', create: true },
        },
      },
    ]);
  });

  it('names each property that cannot be honoured, where it stands', async () => {
    const { problems, warnings } = await load(
      SEED.replace('    database.port: 5432\n', '    table.exclude.list: a.b\n    max.queue.size: 8192\n'),
      { PASSWORD: 'x' },
    );
    expect(problems.map((p) => [p.line, p.column, p.code, p.path])).toEqual([
      [7, 5, 'CONFIG_INVALID_VALUE', 'source.connector_config["table.exclude.list"]'],
    ]);
    expect(warnings.map((p) => [p.line, p.column, p.code, p.path])).toEqual([
      [8, 5, 'CONFIG_NO_EFFECT', 'source.connector_config["max.queue.size"]'],
    ]);
  });

  it('tells what our source refuses at the property that it was made of', async () => {
    const { problems } = await load(
      SEED.replace('  slot_name: "debezium_slot"\n', '').replace(
        '    database.port: 5432\n',
        '    slot.name: Not-A-Slot\n    database.port: 99999\n',
      ),
      { PASSWORD: 'x' },
    );
    expect(problems.map((p) => p.line)).toEqual([8]);
    const { problems: then } = await load(
      SEED.replace('  slot_name: "debezium_slot"\n', '').replace('database.port: 5432', 'slot.name: Not-A-Slot'),
      {
        PASSWORD: 'x',
      },
    );
    expect(then.map((p) => [p.line, p.message])).toEqual([[7, expect.stringContaining('cannot be the name of a slot')]]);
  });

  it('takes variables for numbers, and keys of our own beside it', async () => {
    const text = SEED.replace('5432', '${PORT}')
      .replace('capture_mode: "wal"', 'capture_mode: polling')
      .replace('slot_name: "debezium_slot"', 'watermark: {column: updated_at}');
    const { pipelines, problems } = await load(text, { PASSWORD: 'x', PORT: '5433' });
    expect(problems.map(formatIssue)).toEqual([]);
    expect(pipelines[0]?.sources[0]).toMatchObject({ config: { cdc_mode: 'polling', port: 5433, watermark: { column: 'updated_at' } } });
  });

  it('says what polling lacks', async () => {
    const { problems } = await load(SEED.replace('"wal"', 'polling').replace('  slot_name: "debezium_slot"\n', ''), { PASSWORD: 'x' });
    expect(problems.map((p) => p.message)).toEqual([expect.stringContaining('polling needs a watermark')]);
  });

  it.each([
    ['capture_mode: "wal"', 'capture_mode: wall', 'none of wal, binlog, polling'],
    ['PostgresConnector', 'PostgressConnector', 'is no connector that is translated'],
    ['capture_mode: "wal"', 'slot_nam: x', 'unknown key "slot_nam"'],
  ])('%s → %s is a problem', async (from, to, message) => {
    const { problems } = await load(SEED.replace(from, to), { PASSWORD: 'x' });
    expect(problems.map((p) => p.message)).toEqual([expect.stringContaining(message)]);
  });

  it('never shows the password', async () => {
    const { problems, warnings } = await load(SEED.replace('database.dbname: "inventory"', 'database.password2: geheim'), {
      PASSWORD: 'geheim',
    });
    expect(JSON.stringify([problems, warnings])).not.toContain('geheim');
  });
});

describe('topics of Debezium', () => {
  it('need a name', async () => {
    const { problems } = await load('source: {type: debezium}\ndestination: {type: console}\n');
    expect(problems.map((p) => p.message)).toEqual([expect.stringContaining('neither topics nor a connector are named')]);
  });

  it('are those of a connector, or named', async () => {
    for (const keys of ['topic_prefix: dbserver1', 'topics: [a.b.c]', 'topic: a.b.c, topic_prefix: a, unwrap: {field_prefix: _}']) {
      const { problems } = await load(`source: {type: debezium, ${keys}}\ndestination: {type: console}\n`);
      expect(problems.map(formatIssue)).toEqual([]);
    }
  });

  it('refuse types that are none', async () => {
    const types = '{orders: {a: decimal, b: bits(8), c: int65}}';
    const { problems } = await load(`source: {type: debezium, topic: t, types: ${types}}\ndestination: {type: console}\n`);
    expect(problems.map((p) => p.path)).toEqual(['source.types.orders.a', 'source.types.orders.c']);
  });

  it('refuse keys that go with a connector, and Avro without a registry', async () => {
    const { problems } = await load(
      'source: {type: debezium, topic: t, slot_name: s, message_format: avro}\ndestination: {type: console}\n',
    );
    expect(problems.map((p) => p.path).sort()).toEqual(['source.message_format', 'source.slot_name']);
  });
});
