import { describe, expect, it } from 'vitest';
import { checkSchema, isSimple } from '../../../../src/config/check-schema.ts';
import { configSchema, type PostgresqlSourceConfig, tablePatterns, validate } from '../../../../src/sources/postgresql/config.ts';
import { publicationOf } from '../../../../src/sources/postgresql/config-wal.ts';

/** With defaults; durations and sizes stay as written. */
function configOf(keys: Record<string, unknown>): PostgresqlSourceConfig {
  const value = structuredClone(keys);
  expect(checkSchema(configSchema as object, value, [])).toEqual([]);
  return value as unknown as PostgresqlSourceConfig;
}

const pathsOf = (keys: Record<string, unknown>): string[] => validate(configOf(keys)).map((p) => p.path.join('.'));

describe('keys', () => {
  it('have a description and an example each', () => {
    expect(isSimple(configSchema)).toBe(true);
    const without: string[] = [];
    const walk = (properties: Record<string, unknown>, path: string): void => {
      for (const [key, value] of Object.entries(properties)) {
        const { description, examples, properties: inner } = value as Record<string, unknown>;
        if (typeof description !== 'string') without.push(`${path}${key}: description`);
        if (inner !== undefined) walk(inner as Record<string, unknown>, `${path}${key}.`);
        else if (!Array.isArray(examples)) without.push(`${path}${key}: example`);
      }
    };
    walk(configSchema.properties, '');
    expect(without).toEqual([]);
  });

  it('have defaults that capture a database as it is', () => {
    const config = configOf({ url: 'postgresql://localhost/shop' });
    expect(config).toMatchObject({
      columns: { include: ['*'], exclude: [] },
      snapshot_mode: 'initial',
      snapshot: { tables: ['*.*'], where: {}, chunk_rows: 20_000, workers: 2, on_error: 'pause' },
      slot_drop_on_stop: false,
      failover: false,
      logical_messages: { include: ['*'], exclude: [] },
      on_truncate: 'emit',
    });
    expect(config.heartbeat).toBeUndefined();
    expect(tablePatterns(config)).toEqual(['public.*']);
    expect(publicationOf(config, 'cdc_run_orders')).toEqual({ name: 'cdc_run_orders', create: true });
    expect(validate(config)).toEqual([]);
  });

  it.each([
    ['cdc_orders', { name: 'cdc_orders', create: true }],
    [
      { name: 'cdc_orders', create: false },
      { name: 'cdc_orders', create: false },
    ],
    [{ create: false }, { name: 'own', create: false }],
  ])('publication: %o', (publication, expected) => {
    expect(publicationOf(configOf({ publication }), 'own')).toEqual(expected);
  });

  it('of the design documents are taken', () => {
    // Seed 001: several sources, event sourcing, Debezium's names.
    expect(pathsOf({ host: 'user-db.company.com', database: 'users', table: 'user_profiles' })).toEqual([]);
    expect(tablePatterns(configOf({ table: 'user_profiles' }))).toEqual(['user_profiles']);
    expect(pathsOf({ connection_pool: { min_connections: 2, max_connections: 10, connection_timeout: 30, idle_timeout: 300 } })).toEqual(
      [],
    );
    const query = 'SELECT event_id, created_at FROM event_store WHERE created_at > :last_sync';
    const watermark = { column: 'created_at', type: 'timestamp', key: 'event_id' };
    expect(pathsOf({ cdc_mode: 'polling', table: 'event_store', query, watermark })).toEqual([]);
    // Neither a mode nor a watermark: the query has both.
    expect(pathsOf({ table: 'event_store', query })).toEqual([]);
  });
});

describe('validate', () => {
  it.each([
    [{ table: 'a', tables: ['b'] }, ['table']],
    [{ slot_name: 'Orders' }, ['slot_name']],
    [{ slot_name: 'a'.repeat(64) }, ['slot_name']],
    [{ publication: 'ü'.repeat(40) }, ['publication']],
    [{ url: 'postgresql://db', host: 'db' }, ['host']],
    [{ user: 'a', username: 'b' }, ['user']],
    [{ watermark: { column: 'x' } }, []],
    [{ watermark: { column: 'x' }, slot_name: 'x' }, ['slot_name']],
    [{ cdc_mode: 'wal', watermark: { column: 'x' }, query: 'SELECT 1' }, ['watermark', 'query']],
    [{ query: 'SELECT 1' }, ['watermark']],
    [{ cdc_mode: 'polling' }, ['watermark']],
    [{ cdc_mode: 'polling', watermark: { column: 'x' }, slot_name: 'x', heartbeat: { interval: '5m' } }, ['slot_name', 'heartbeat']],
    [{ cdc_mode: 'polling', watermark: { column: 'x' }, query: 'SELECT 1' }, ['table']],
    [{ watermark: { column: 'x' }, table: 'a', query: 'SELECT x FROM a ORDER BY x LIMIT 10' }, ['query']],
    [{ cdc_mode: 'polling', watermark: { column: 'x', key: ['id'] }, query: 'SELECT 1', tables: ['a*'] }, ['table']],
    [{ cdc_mode: 'polling', watermark: { column: 'x' } }, []],
    [{ slot_name: 'cdc_orders', publication: 'cdc', tables: ['public.*'] }, []],
  ])('%o → %o', (keys, paths) => {
    expect(pathsOf(keys)).toEqual(paths);
  });
});
