import { describe, expect, it } from 'vitest';
import { translateConnector } from '../../../src/debezium/connector.ts';
import type { Note, Translation } from '../../../src/debezium/translation.ts';

const POSTGRES = 'io.debezium.connector.postgresql.PostgresConnector',
  MYSQL = 'io.debezium.connector.mysql.MySqlConnector',
  MARIADB = 'io.debezium.connector.mariadb.MariaDbConnector';

function translated(connector: string, properties: object, beside: Parameters<typeof translateConnector>[1] = { keys: {} }): Translation {
  const result = translateConnector({ 'connector.class': connector, ...properties }, beside);
  if (!('notes' in result)) throw new Error(result.message);
  return result;
}
const notes = (t: Translation, level: Note['level']): string[] => t.notes.filter((n) => n.level === level).map((n) => n.property);

describe('a connector of PostgreSQL', () => {
  it('becomes our source, with the names that Debezium gives slot and publication', () => {
    const {
      type,
      name,
      keys,
      notes: all,
    } = translated(POSTGRES, {
      name: 'inventory-connector',
      'database.hostname': 'db',
      'database.port': '5432',
      'database.user': 'cdc',
      'database.password': 'secret',
      'database.dbname': 'inventory',
      'topic.prefix': 'dbserver1',
      'plugin.name': 'pgoutput',
    });
    expect(type).toBe('postgresql');
    expect(name).toBe('dbserver1');
    expect(all).toEqual([]);
    expect(keys).toEqual({
      host: 'db',
      port: 5432,
      username: 'cdc',
      password: 'secret',
      database: 'inventory',
      tables: ['*.*'],
      slot_name: 'debezium',
      publication: { name: 'dbz_publication', create: true },
      // Debezium leaves truncates out unless it is told otherwise.
      on_truncate: 'ignore',
    });
  });

  it.each<[object, object]>([
    [{ 'table.include.list': 'public.customers, public\\.orders' }, { tables: ['public.customers', 'public.orders'] }],
    [{ 'schema.include.list': 'public,sales' }, { tables: ['public.*', 'sales.*'] }],
    [
      { 'slot.name': 'mine', 'publication.name': 'pub' },
      { slot_name: 'mine', publication: { name: 'pub', create: true } },
    ],
    [{ 'publication.autocreate.mode': 'disabled' }, { publication: { name: 'dbz_publication', create: false } }],
    [{ 'snapshot.mode': 'no_data' }, { snapshot_mode: 'never' }],
    [{ 'skipped.operations': 'none' }, { on_truncate: 'emit' }],
    [
      { 'database.sslmode': 'verify-full', 'database.sslrootcert': 'ca.pem' },
      { ssl_mode: 'verify-full', ssl: { ca: 'ca.pem' } },
    ],
    [{ 'column.exclude.list': 'public.customers.email' }, { columns: { exclude: ['public.customers.email'] } }],
    [{ 'snapshot.max.threads': 4, 'incremental.snapshot.chunk.size': 1024 }, { snapshot: { workers: 4, chunk_rows: 1024 } }],
    [{ 'message.prefix.include.list': 'outbox.*' }, { logical_messages: { include: ['outbox*'] } }],
    [{ 'heartbeat.interval.ms': '60000', 'heartbeat.action.query': 'INSERT …' }, { heartbeat: { interval: '60000ms' } }],
    [{ 'status.update.interval.ms': 5000 }, { status_interval: '5000ms' }],
    [{ 'slot.failover': 'true' }, { failover: true }],
  ])('%j', (properties, keys) => {
    const t = translated(POSTGRES, properties);
    expect(t.keys).toMatchObject(keys);
    expect(notes(t, 'error')).toEqual([]);
  });

  it.each<[object, string]>([
    [{ 'table.exclude.list': 'public.secrets' }, 'table.exclude.list'],
    [{ 'schema.exclude.list': 'audit' }, 'schema.exclude.list'],
    [{ 'table.include.list': 'public\\.o\\d+' }, 'table.include.list'],
    [{ 'table.include.list': 'a.t,b.t', 'schema.include.list': 'a' }, 'schema.include.list'],
    [{ 'column.mask.with.10.chars': 'public.customers.email' }, 'column.mask.with.10.chars'],
    [{ 'skipped.operations': 'd' }, 'skipped.operations'],
    [{ transforms: 'unwrap', 'transforms.unwrap.type': 'x' }, 'transforms'],
    [{ 'snapshot.mode': 'always' }, 'snapshot.mode'],
    [{ 'database.port': 'abc' }, 'database.port'],
    [{ 'message.key.columns': 'public.t:a' }, 'message.key.columns'],
    [{ 'database.initial.statements': 'SET x' }, 'database.initial.statements'],
  ])('%j would give other data: an error', (properties, property) => {
    expect(notes(translated(POSTGRES, properties), 'error')).toContain(property);
  });

  it.each([
    'max.queue.size',
    'signal.kafka.topic',
    'no.such.property',
    'decimal.handling.mode',
    'offset.storage',
    'errors.max.retries',
    'xmin.fetch.interval.ms',
  ])('%s is named', (property) => {
    expect(notes(translated(POSTGRES, { [property]: '7' }), 'warning')).toEqual([property]);
  });

  it('knows what the settings mean for the records', () => {
    const { envelope } = translated(POSTGRES, {
      'decimal.handling.mode': 'string',
      'tombstones.on.delete': 'false',
      'value.converter.schemas.enable': 'true',
    });
    expect(envelope).toEqual({ decimal_handling_mode: 'string', tombstones_on_delete: false, schemas: true });
  });

  it('lets keys of our own come first', () => {
    const t = translated(
      POSTGRES,
      { 'table.exclude.list': 'a.b', 'slot.name': 'theirs' },
      { keys: { tables: ['a.c'], slot_name: 'ours' } },
    );
    expect(t.keys).toMatchObject({ tables: ['a.c'], slot_name: 'ours' });
    expect(notes(t, 'error')).toEqual([]);
    expect(t.origins.has('slot_name')).toBe(false);
  });

  it('asks for rows with capture_mode polling, without slot and publication', () => {
    const t = translated(POSTGRES, { 'slot.failover': 'true' }, { captureMode: 'polling', keys: { watermark: { column: 'updated_at' } } });
    expect(t.keys).toEqual({ cdc_mode: 'polling', tables: ['*.*'], watermark: { column: 'updated_at' } });
    expect(notes(t, 'warning')).toEqual(['slot.failover']);
  });
});

describe('a connector of MySQL or MariaDB', () => {
  it.each([MYSQL, MARIADB])('%s becomes our source', (connector) => {
    const t = translated(connector, {
      'database.hostname': 'db',
      'database.server.id': '184054',
      'database.include.list': 'inventory',
      'database.ssl.mode': connector === MYSQL ? 'verify_identity' : 'verify-full',
      'topic.prefix': 'fulfillment',
      'schema.history.internal.kafka.topic': 'schemahistory',
      'include.schema.changes': 'true',
    });
    expect(t.type).toBe('mysql');
    expect(t.keys).toEqual({ host: 'db', server_id: 184054, tables: ['inventory.*'], ssl_mode: 'verify-full', on_truncate: 'ignore' });
    expect(notes(t, 'warning')).toEqual(['schema.history.internal.kafka.topic']);
  });

  it.each<[object, string]>([
    [{ 'gtid.source.includes': 'a' }, 'gtid.source.includes'],
    [{ 'database.ssl.keystore': 'k.jks' }, 'database.ssl.keystore'],
    [{ 'database.exclude.list': 'x' }, 'database.exclude.list'],
  ])('%j would do something else: an error', (properties, property) => {
    expect(notes(translated(MYSQL, properties), 'error')).toEqual([property]);
  });
});

it.each([{}, { 'connector.class': 'io.debezium.connector.oracle.OracleConnector' }])('%j cannot be translated', (config) => {
  expect(translateConnector(config)).toMatchObject({ level: 'error', property: 'connector.class' });
});
