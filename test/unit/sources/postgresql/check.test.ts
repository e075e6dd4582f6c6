import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../../src/sdk/index.ts';
import { type CheckOptions, logFindings, roleFindings, serverFindings, slotFindings } from '../../../../src/sources/postgresql/check.ts';
import { tableFindings } from '../../../../src/sources/postgresql/check-tables.ts';
import type { Queries } from '../../../../src/sources/postgresql/queries.ts';
import type { TextRow } from '../../../../src/sources/postgresql/replication/socket.ts';
import { captured, type FoundTable, withRows } from '../../../../src/sources/postgresql/tables.ts';

const options: CheckOptions = {
  server: 'db:5432/shop',
  endpoint: { sslMode: 'disable', applicationName: 'x' },
  mode: 'wal',
  patterns: ['public.*'],
  pipeline: 'orders',
  slot: 'cdc_run_orders',
  publication: { name: 'cdc_run_orders', create: true },
  failover: false,
  heartbeat: false,
  truncate: true,
  readsRows: true,
};
const server: TextRow = {
  version: '15.18',
  number: '150018',
  database: 'shop',
  standby: 'f',
  wal_level: 'logical',
  max_slots: '10',
  max_senders: '10',
  keep_size: '50GB',
  slots: '3',
  senders: '2',
  sender_timeout_ms: '60000',
  role: 'cdc',
  superuser: 'f',
  replication: 't',
  groups: null,
  is_rds: null,
  may_create: 't',
  encoding: 'UTF8',
};
const answering = (rows: readonly TextRow[]): Queries => ({ query: async () => ({ rows, count: rows.length }) });
const brief = (found: Iterable<Finding>): string[] => [...found].map((f) => `${f.level} ${f.check}`);
const fixOf = (found: Iterable<Finding>, check: string): string => [...found].find((f) => f.check === check && f.level !== 'ok')?.fix ?? '';

describe('the server', () => {
  it.each<[string, TextRow, Partial<CheckOptions>, string[]]>([
    ['as it should be', {}, {}, ['ok wal_level', 'ok max_slot_wal_keep_size']],
    ['without logical decoding', { wal_level: 'replica' }, {}, ['error wal_level', 'ok max_slot_wal_keep_size']],
    ['that keeps log without a limit', { keep_size: '-1' }, {}, ['ok wal_level', 'warning max_slot_wal_keep_size']],
    ['that is a standby of 15', { standby: 't' }, {}, ['ok wal_level', 'error standby', 'ok max_slot_wal_keep_size']],
    ['that is a standby of 16', { standby: 't', number: '160000' }, {}, ['ok wal_level', 'warning standby', 'ok max_slot_wal_keep_size']],
    ['asked for failover too early', {}, { failover: true }, ['ok wal_level', 'error failover', 'ok max_slot_wal_keep_size']],
    ...(
      [
        ['asked for failover', { standby_slots: 'west' }, 'ok failover'],
        ['asked for failover, ahead of its standbys', { standby_slots: '', physical_slots: 'west' }, 'warning failover'],
        ['asked for failover at a standby', { standby: 't' }, 'error failover'],
      ] as const
    ).map(([name, row, found]): [string, TextRow, Partial<CheckOptions>, string[]] => [
      name,
      { number: '170000', ...row },
      { failover: true },
      ['ok wal_level', ...('standby' in row ? ['warning standby'] : []), found, 'ok max_slot_wal_keep_size'],
    ]),
    ['that never misses us', { sender_timeout_ms: '0' }, {}, ['ok wal_level', 'ok max_slot_wal_keep_size', 'warning wal_sender_timeout']],
  ])('%s', (_, row, more, expected) => {
    expect(brief(logFindings({ ...server, ...row }, { ...options, ...more }))).toEqual(expected);
  });

  it('says what to run, also where the operator of the cloud does it', () => {
    expect(fixOf(logFindings({ ...server, wal_level: 'replica' }, options), 'wal_level')).toBe(
      'Run: ALTER SYSTEM SET wal_level = logical; and restart the server.',
    );
    expect(fixOf(logFindings({ ...server, wal_level: 'replica', is_rds: 't' }, options), 'wal_level')).toMatch(
      /rds\.logical_replication = 1/,
    );
  });

  it('is too old before 14, and has texts that cannot be read without an encoding', () => {
    expect(brief(serverFindings({ ...server, number: '130011' }, options))).toEqual(['ok reachable', 'error version']);
    expect(brief(serverFindings({ ...server, encoding: 'SQL_ASCII' }, options))).toEqual(['ok reachable', 'warning encoding']);
  });
});

describe('the role', () => {
  it.each<[string, TextRow, string | null]>([
    ['replicates', {}, null],
    ['is a superuser', { replication: 'f', superuser: 't' }, null],
    ['is a member of rds_replication', { replication: 'f', groups: 'rds_replication' }, null],
    ['may nothing', { replication: 'f' }, 'Run: ALTER ROLE "cdc" REPLICATION;'],
    ['may nothing on RDS', { replication: 'f', is_rds: 't' }, 'Run: GRANT rds_replication TO "cdc";'],
  ])('%s', (_, row, fix) => {
    const found = [...roleFindings({ ...server, ...row })];
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject(fix === null ? { level: 'ok' } : { level: 'error', code: 'SOURCE_FORBIDDEN', fix });
  });
});

describe('the slot', () => {
  const row = {
    slot_name: 'cdc_run_orders',
    plugin: 'pgoutput',
    database: 'shop',
    restart_lsn: '0/1',
    confirmed_flush_lsn: '0/1',
    wal_status: 'reserved',
  };
  it.each<[string, TextRow[], TextRow, string[]]>([
    ['is there', [row], {}, ['ok slot']],
    ['is there although all are taken', [row], { slots: '10' }, ['ok slot']],
    ['is in use although all walsenders are', [{ ...row, active_pid: '7' }], { senders: '10' }, ['ok slot']],
    ['will be made', [], {}, ['ok slot']],
    ['finds no place', [], { slots: '10' }, ['error slots']],
    ['finds nobody to send', [], { senders: '10' }, ['ok slot', 'error senders']],
    ['is about to be lost', [{ ...row, wal_status: 'unreserved' }], {}, ['ok slot', 'warning slot']],
    ['is lost', [{ ...row, wal_status: 'lost' }], {}, ['error slot']],
    ['is of another plugin', [{ ...row, plugin: 'test_decoding' }], {}, ['error slot']],
  ])('%s', async (_, rows, more, expected) => {
    const found = await slotFindings(answering(rows), { ...server, ...more }, options);
    expect(brief(found)).toEqual(expected);
    for (const f of found) if (f.level !== 'ok') expect(f.fix).toBeTruthy();
  });
});

const table = (name: string, more: Partial<FoundTable> = {}): FoundTable => ({
  schema: 'public',
  table: name,
  isPartitioned: false,
  root: null,
  identity: 'key',
  hasPrimaryKey: true,
  isUnlogged: false,
  isReadable: true,
  isOwned: true,
  hasRowSecurity: false,
  generatedColumns: [],
  estimatedRows: 10,
  ...more,
});

describe('the tables', () => {
  const found = (tables: FoundTable[], more: Partial<CheckOptions> = {}): Finding[] => {
    const all = { ...options, ...more };
    return [...tableFindings(tables, captured(tables, all.patterns), all)];
  };

  it.each<[string, FoundTable[], Partial<CheckOptions>, string[]]>([
    ['are fine', [table('a')], {}, ['ok tables', 'ok replica_identity']],
    ['are missing', [table('a')], { patterns: ['public.b', 'a'] }, ['error tables', 'ok tables', 'ok replica_identity']],
    ['cannot be read', [table('a', { isReadable: false })], {}, ['ok tables', 'error select', 'ok replica_identity']],
    ['need not be read', [table('a', { isReadable: false })], { readsRows: false }, ['ok tables', 'ok replica_identity']],
    ['hide rows', [table('a', { hasRowSecurity: true })], {}, ['ok tables', 'error row_security', 'ok replica_identity']],
    ['have no identity', [table('a', { identity: 'none', hasPrimaryKey: false })], {}, ['ok tables', 'error replica_identity']],
    ['have no key', [table('a', { identity: 'full', hasPrimaryKey: false })], {}, ['ok tables', 'warning key', 'ok replica_identity']],
    ['are identified by an index', [table('a', { identity: 'index' })], {}, ['ok tables', 'ok replica_identity', 'ok replica_identity']],
    ['are unlogged', [table('a', { isUnlogged: true })], {}, ['ok tables', 'ok replica_identity', 'error unlogged']],
    ['compute columns', [table('a', { generatedColumns: ['b'] })], {}, ['ok tables', 'ok replica_identity', 'warning generated_columns']],
    [
      'are polled',
      [table('a', { identity: 'none', isReadable: false })],
      { mode: 'polling', readsRows: false },
      ['ok tables', 'error select'],
    ],
  ])('%s', (_, tables, more, expected) => {
    expect(brief(found(tables, more))).toEqual(expected);
  });

  it('say what to run', () => {
    const fix = fixOf(found([table('we"ird', { identity: 'none' }), table('b', { identity: 'none' })]), 'replica_identity');
    expect(fix).toContain('ALTER TABLE "public"."we""ird" REPLICA IDENTITY FULL; ALTER TABLE "public"."b" REPLICA IDENTITY FULL;');
    expect(found(Array.from({ length: 50 }, (_, i) => table(`t${i}`)))[0]?.message).toMatch(/^50 table\(s\): .* and 40 more$/);
  });

  it('that are partitions go with their root, and by themselves when only they are meant', () => {
    const root = table('orders', { isPartitioned: true }),
      leaf = table('orders_2024', { root, identity: 'none' });
    const all = [root, leaf, table('other')];
    expect(captured(all, ['public.*']).map((t) => t.table)).toEqual(['orders', 'other']);
    expect(captured(all, ['orders_*']).map((t) => t.table)).toEqual(['orders_2024']);
    expect(withRows(all, [root]).map((t) => t.table)).toEqual(['orders_2024']);
    expect(fixOf(found(all), 'replica_identity')).toContain('"public"."orders_2024"');
  });
});
