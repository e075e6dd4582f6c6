// Secrets do not show: in described pipelines, in texts, in values that no schema knows.

import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../../src/config/describe.ts';
import { parsePipelineText } from '../../../src/config/load.ts';
import { hideCredentials, redact } from '../../../src/config/redact.ts';
import { Keys, Secret, Type } from '../../../src/sdk/index.ts';

describe('hideCredentials', () => {
  it.each([
    ['postgresql://u:p@h/db', 'postgresql://u:***@h/db'],
    ['postgresql://u:p@ss/w:rd@h/db', 'postgresql://u:***@h/db'],
    ['postgresql://u@h/db', 'postgresql://u@h/db'],
    ['postgresql://h:5432/db', 'postgresql://h:5432/db'],
    ['postgresql://h/db?password=x&sslmode=require', 'postgresql://h/db?password=***&sslmode=require'],
    ['Server=h;Password=p;Database=d', 'Server=h;Password=***;Database=d'],
    ['plain text', 'plain text'],
  ])('%s → %s', (text, hidden) => {
    expect(hideCredentials(text)).toBe(hidden);
  });
});

describe('redact', () => {
  const schema = Keys({
    user: Type.String(),
    password: Secret({ description: 'Password.' }),
    hosts: Type.Array(Keys({ url: Type.String(), token: Secret({ description: 'Token.' }) })),
    either: Type.Union([Type.Boolean(), Keys({ key: Secret({ description: 'Key.' }) })]),
    open: Type.Object({}, { additionalProperties: true }),
  });

  it('hides what the schema marks, at any depth, and what an open mapping calls a secret', () => {
    expect(
      redact(
        {
          user: 'me',
          password: 'p',
          hosts: [{ url: 'kafka://u:p@h', token: 't' }],
          either: { key: 'k' },
          open: { 'database.password': 'p', 'database.port': 5432, nested: { api_key: 'k' } },
        },
        schema,
      ),
    ).toEqual({
      user: 'me',
      password: '***',
      hosts: [{ url: 'kafka://u:***@h', token: '***' }],
      either: { key: '***' },
      open: { 'database.password': '***', 'database.port': 5432, nested: { api_key: '***' } },
    });
  });

  it('leaves the original alone', () => {
    const value = { password: 'p' };
    redact(value, schema);
    expect(value).toEqual({ password: 'p' });
  });
});

describe('describeConfig', () => {
  it('shows the whole pipeline without a secret', async () => {
    const text = `
source: {type: debezium, connector_config: {connector.class: io.debezium.connector.postgresql.PostgresConnector, database.hostname: h, database.user: u, database.password: hunter2, database.port: 5432, database.dbname: d, topic.prefix: t, plugin.name: pgoutput}}
destinations: [{type: kafka, bootstrap_servers: "h:9092", topic: t, sasl_mechanism: PLAIN, sasl_username: u, sasl_password: "\${P}"}, {type: rabbitmq, url: "amqp://u:hunter3@h", queue: q}]
plugins: {middleware: [{type: gdpr_compliance, params: {salt: hunter4}}]}
health_checks: {token: hunter5}
`;
    const {
      pipelines: [pipeline],
    } = await parsePipelineText(text, { file: 'p.yaml', baseDir: '/', env: { P: 'hunter6' } });
    if (pipeline === undefined) throw new Error('not loaded');
    const described = await describeConfig(pipeline);
    expect(JSON.stringify(described)).not.toContain('hunter');
    expect(described).toMatchObject({
      name: 'p',
      sources: [{ type: 'postgresql', config: { password: '***', port: 5432 } }],
      destinations: [{ config: { sasl_password: '***' } }, { config: { url: '***' } }],
      health: { token: '***' },
    });
  });
});
