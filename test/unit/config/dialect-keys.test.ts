// Whatever key a dialect knows has its effect, or is said to have none: a key that is read and forgotten might be one that hides data.

import { describe, expect, it } from 'vitest';
import * as natsToPostgres from '../../../src/config/dialects/nats-to-postgres.ts';
import * as rdsToNats from '../../../src/config/dialects/rds-to-nats.ts';

interface Shape {
  readonly properties?: Record<string, Shape>;
}

/** Values that are not what is meant without the key. */
const VALUES: Record<string, unknown> = { engine: 'mysql', sensitive_fields: ['email'], enabled: false };

function leaves({ properties }: Shape, path: readonly string[] = []): string[][] {
  return properties === undefined ? [[...path]] : Object.entries(properties).flatMap(([key, shape]) => leaves(shape, [...path, key]));
}

function withKey(base: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return base;
  const mapping = (base ?? {}) as Record<string, unknown>;
  return { ...mapping, [key]: rest.length > 0 ? withKey(mapping[key], rest) : (VALUES[key] ?? 'changed') };
}

const flow = (natsToPostgres.schema as Shape).properties as Record<string, Shape & { anyOf?: Shape[] }>;
const CASES = [
  {
    dialect: 'a handler from RDS to NATS',
    translate: rdsToNats.translate,
    base: { rds: {}, nats: {}, monitoring: { prometheus: {} } },
    keys: leaves(rdsToNats.schema as Shape),
  },
  {
    dialect: 'a synchroniser from NATS to PostgreSQL',
    translate: natsToPostgres.translate,
    base: { nats: {}, postgres: {} },
    keys: ['name', 'nats', 'pipeline', 'postgres'].flatMap((key) => leaves(flow[key]?.anyOf?.[0] ?? (flow[key] as Shape), [key])),
  },
];

describe.each(CASES)('$dialect', ({ translate, base, keys }) => {
  const of = (value: unknown) => translate(value).map((t) => [t.value, t.ignored]);

  it.each(keys.map((path) => [path.join('.'), path] as const))('does not forget %s', (_, path) => {
    expect(of(withKey(base, path))).not.toEqual(of(base));
  });
});

it('does not forget that metrics are not wanted where the server is there all the same', () => {
  const { ignored } =
    rdsToNats.translate({ rds: {}, nats: {}, server: { port: 8080 }, monitoring: { prometheus: { enabled: false } } })[0] ?? {};
  expect(ignored?.map(([path]) => path.join('.'))).toEqual(['monitoring.prometheus.enabled']);
});
