import { expect, it } from 'vitest';
import { isSecretProperty, Values } from '../../../src/debezium/secrets.ts';

it.each([
  ['database.password', 'dbz', '${DATABASE_PASSWORD}'],
  ['database.password', '${env:PG_PASSWORD}', '${PG_PASSWORD}'],
  ['database.password', '${PG_PASSWORD}', '${PG_PASSWORD}'],
  ['database.password', '${PG_PASSWORD:hunter2}', '${PG_PASSWORD}'],
  ['database.password', '${file:/opt/s.properties:pg.password}', '${PG_PASSWORD}'],
  ['database.hostname', '${PG_HOST:localhost}', '${PG_HOST:-localhost}'],
  ['database.hostname', 'db.${DOMAIN}', 'db.${DOMAIN}'],
  ['database.hostname', 'db', 'db'],
  ['x', 'a${b', 'a$${b'],
  ['database.password', '', ''],
])('%s=%s → %s', (property, value, expected) => {
  expect(new Values().of(property, value)).toBe(expected);
});

it.each(['database.password', 'sasl.jaas.config', 'api.key', 'client_secret', 'aws.secret-access-key', 'auth.token'])(
  '%s is a secret',
  (name) => {
    expect(isSecretProperty(name)).toBe(true);
  },
);
it.each(['database.user', 'key.converter', 'message.key.columns', 'tokenizer'])('%s is none', (name) => {
  expect(isSecretProperty(name)).toBe(false);
});
