import { describe, expect, it } from 'vitest';
import type { Position } from '../../../../src/sdk/index.ts';
import { type SlotSample, timeToLossMs } from '../../../../src/sources/postgresql/lag.ts';
import { reachOf } from '../../../../src/sources/postgresql/position.ts';
import { historyProblem, parseTimelineHistory } from '../../../../src/sources/postgresql/replication/history.ts';
import {
  type PublicationRequest,
  type PublicationState,
  planPublication,
} from '../../../../src/sources/postgresql/replication/publication.ts';
import { ShutdownWatch } from '../../../../src/sources/postgresql/replication/shutdown-watch.ts';
import { createSlotCommand, lossOf, type SlotState, slotProblem, slotState } from '../../../../src/sources/postgresql/replication/slot.ts';
import { startCommand } from '../../../../src/sources/postgresql/replication/start-command.ts';
import { GOODBYE, lsnAt, queryMessage, statusUpdate, wantsReply } from '../../../../src/sources/postgresql/replication/status.ts';

describe('commands', () => {
  it.each([
    [{ name: 'cdc', failover: false, exportSnapshot: true }, 'CREATE_REPLICATION_SLOT "cdc" LOGICAL pgoutput EXPORT_SNAPSHOT'],
    [{ name: 'cdc', failover: false, exportSnapshot: false }, 'CREATE_REPLICATION_SLOT "cdc" LOGICAL pgoutput NOEXPORT_SNAPSHOT'],
    [
      { name: 'cdc', failover: true, exportSnapshot: true },
      `CREATE_REPLICATION_SLOT "cdc" LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER true)`,
    ],
  ])('%o → %s', (request, command) => {
    expect(createSlotCommand(request)).toBe(command);
  });

  it('quote names of publications for both readers: the list, and the text it stands in', () => {
    expect(startCommand('cdc', ['a', 'it\'s "b"'], 0x16b374d848n)).toBe(
      `START_REPLICATION SLOT "cdc" LOGICAL 16/B374D848 (proto_version '1', publication_names '"a","it''s ""b"""', messages 'true')`,
    );
  });

  it('are laid out as the protocol has them', () => {
    expect(queryMessage('AB').toString('hex')).toBe('5100000007414200');
    expect(GOODBYE.toString('hex')).toBe('63000000045800000004');
    const status = statusUpdate(0x102n, 0x101n, 946_684_800_001, true);
    expect(status.toString('hex')).toBe(
      ['64', '00000026', '72', '0000000000000102', '0000000000000101', '0000000000000101', '00000000000003e8', '01'].join(''),
    );
  });

  it('keepalives tell the end of the log, and whether they want an answer', () => {
    const keepalive = Buffer.from('6b00000016b374d8480000000000000000', 'hex');
    const asking = Buffer.concat([keepalive, Buffer.from([1])]);
    expect(lsnAt(asking, 0)).toBe(0x16b374d848n);
    expect(wantsReply(asking, 0, asking.length)).toBe(true);
    expect(wantsReply(Buffer.concat([keepalive, Buffer.from([0])]), 0, 18)).toBe(false);
    expect(wantsReply(keepalive, 0, keepalive.length)).toBe(false);
  });
});

const slot = (more: Partial<SlotState> = {}): SlotState => ({
  name: 'cdc',
  plugin: 'pgoutput',
  database: 'shop',
  temporary: false,
  activePid: null,
  restartLsn: 90n,
  confirmedLsn: 100n,
  walStatus: 'reserved',
  safeWalSize: null,
  invalidationReason: null,
  failover: null,
  synced: false,
  ...more,
});

describe('a slot', () => {
  it.each<[string, SlotState | null, bigint | null, string | null]>([
    ['fresh', slot(), null, null],
    ['at our position', slot(), 100n, null],
    ['before our position', slot(), 200n, null],
    ['that is missing at the first start', null, null, null],
    ['that is missing later', null, 100n, 'SOURCE_POSITION_GONE'],
    ['past our position', slot(), 99n, 'SOURCE_POSITION_GONE'],
    ['lost', slot({ walStatus: 'lost' }), 100n, 'SOURCE_POSITION_GONE'],
    ['invalidated', slot({ invalidationReason: 'idle_timeout' }), null, 'SOURCE_POSITION_GONE'],
    ['without log', slot({ restartLsn: null }), 100n, 'SOURCE_POSITION_GONE'],
    ['about to be lost', slot({ walStatus: 'unreserved' }), 100n, null],
    ['of another plugin', slot({ plugin: 'wal2json' }), 100n, 'SOURCE_MISCONFIGURED'],
    ['that is physical', slot({ plugin: null, database: null }), null, 'SOURCE_MISCONFIGURED'],
    ['of another database', slot({ database: 'other' }), 100n, 'SOURCE_MISCONFIGURED'],
    ['that is a copy on a standby', slot({ synced: true }), 100n, 'SOURCE_UNREACHABLE'],
  ])('%s', (_, state, from, code) => {
    expect(slotProblem(state, { name: 'cdc', database: 'shop', from, where: 'source "orders"' })?.code ?? null).toBe(code);
  });

  it('is read from the view of any version', () => {
    const row = {
      slot_name: 'cdc',
      plugin: 'pgoutput',
      database: 'shop',
      temporary: 'f',
      active_pid: '7',
      restart_lsn: '0/5A',
      confirmed_flush_lsn: '0/64',
    };
    expect(slotState({ ...row, wal_status: 'extended', safe_wal_size: '1000' })).toEqual(
      slot({ activePid: 7, walStatus: 'extended', safeWalSize: 1000n }),
    );
    expect(lossOf(slotState({ ...row, conflicting: 't' }))).toMatch(/conflict/);
    expect(slotState({ ...row, failover: 't', synced: 't', standby: 't', invalidation_reason: 'wal_removed' })).toMatchObject({
      failover: true,
      synced: true,
      invalidationReason: 'wal_removed',
    });
    expect(slotState({ ...row, failover: 't', synced: 't', standby: 'f' }), 'at a standby that was promoted').toMatchObject({
      synced: false,
    });
  });
});

const ORDERS = { schema: 'public', table: 'orders', isPartitioned: false };
const PARTS = { schema: 'sales', table: 'we"ird', isPartitioned: true };
const request = (more: Partial<PublicationRequest> = {}): PublicationRequest => ({
  name: 'cdc',
  create: true,
  pipeline: "bob's",
  tables: [ORDERS],
  truncate: true,
  ...more,
});
const publication = (more: Partial<PublicationState> = {}): PublicationState => ({
  name: 'cdc',
  owner: 'alice',
  isOwned: true,
  isOurs: true,
  allTables: false,
  missingOperations: [],
  viaRoot: true,
  tables: [{ schema: 'public', table: 'orders', rowFilter: null, columns: null }],
  ...more,
});

describe('a publication', () => {
  it('is made with its mark', () => {
    expect(planPublication(null, request({ tables: [ORDERS, PARTS] }))).toEqual({
      statements: [
        `CREATE PUBLICATION "cdc" FOR TABLE "public"."orders", "sales"."we""ird" WITH (publish_via_partition_root = true)`,
        `COMMENT ON PUBLICATION "cdc" IS 'Made by cdc-run for the pipeline bob''s.'`,
      ],
      problems: [],
    });
    expect(planPublication(null, request({ tables: [] })).statements[0]).toBe(
      'CREATE PUBLICATION "cdc" WITH (publish_via_partition_root = true)',
    );
  });

  it('that is missing and must be there is a problem, with what makes it', () => {
    const { statements, problems } = planPublication(null, request({ create: false }));
    expect(statements).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.fix).toContain('CREATE PUBLICATION "cdc" FOR TABLE "public"."orders"');
  });

  const BARE = { viaRoot: false, missingOperations: ['update', 'truncate'], tables: [] };
  const CHANGES = [
    `ALTER PUBLICATION "cdc" SET (publish = 'insert, update, delete, truncate')`,
    'ALTER PUBLICATION "cdc" ADD TABLE "public"."orders"',
  ];
  it.each<[string, Partial<PublicationState>, Partial<PublicationRequest>, string[], number]>([
    ['that holds all is left alone', {}, {}, [], 0],
    ['for all tables, too', { allTables: true, tables: [], isOurs: false }, {}, [], 0],
    ['of our own is extended', BARE, {}, CHANGES, 0],
    ['of our own is left alone when told so', BARE, { create: false }, [], 2],
    ['of somebody else is never touched', { ...BARE, isOurs: false }, {}, [], 2],
    ['of our own in the hands of another role is not touched', { ...BARE, isOwned: false }, {}, [], 2],
    ['without truncates is enough when they are ignored', { missingOperations: ['truncate'] }, { truncate: false }, [], 0],
    [
      'of our own gets partitions under the name of their root',
      { viaRoot: false },
      { tables: [ORDERS, PARTS] },
      ['ALTER PUBLICATION "cdc" SET (publish_via_partition_root = true)'],
      0,
    ],
  ])('%s', (_, state, more, statements, problems) => {
    const plan = planPublication(publication(state), request(more));
    expect(plan.statements).toEqual(statements);
    expect(plan.problems).toHaveLength(problems);
    for (const problem of plan.problems) expect(problem.fix).toMatch(/^Run as alice: ALTER PUBLICATION/);
  });
});

describe('the history of the server', () => {
  const history = parseTimelineHistory('# comment\n1\t0/3000000\tno recovery target specified\n\n2\t0/5000000\tx\n');
  const now = { systemId: '7', timeline: 3, lsn: 0x6000000n };

  it('is read from its file', () => {
    expect(history).toEqual([
      { timeline: 1, at: 0x3000000n },
      { timeline: 2, at: 0x5000000n },
    ]);
    expect(parseTimelineHistory('')).toEqual([]);
  });

  it.each([
    ['the same timeline', { systemId: '7', timeline: 3, lsn: 0x5500000n }, null],
    ['behind the end of the log', { systemId: '7', timeline: 3, lsn: 0x6000001n }, 'SOURCE_HISTORY_DIVERGED'],
    ['an older timeline, before it was left', { systemId: '7', timeline: 1, lsn: 0x3000000n }, null],
    ['an older timeline, behind where it was left', { systemId: '7', timeline: 1, lsn: 0x3000001n }, 'SOURCE_HISTORY_DIVERGED'],
    ['a newer timeline', { systemId: '7', timeline: 4, lsn: 1n }, 'SOURCE_HISTORY_DIVERGED'],
    ['another system', { systemId: '8', timeline: 3, lsn: 1n }, 'SOURCE_HISTORY_DIVERGED'],
  ])('%s', (_, known, code) => {
    expect(historyProblem(known, now, history, 'source "orders"')?.code ?? null).toBe(code);
  });

  it.each([
    [
      'a transaction whose commit is the first record that the server lacks',
      '0000000003000000/0000000002ffff00/000001',
      'SOURCE_HISTORY_DIVERGED',
    ],
    ['all before the place where the timeline was left', '0000000003000000/0000000000000000/000000', null],
    ['a transaction whose commit is there', '0000000002ffffd0/0000000002ffff00/000001', null],
  ])('after %s', (_, position, code) => {
    const known = { systemId: '7', timeline: 1, lsn: reachOf(position as Position) };
    expect(historyProblem(known, now, history, 'x')?.code ?? null).toBe(code);
  });

  it('that does not know our timeline is another one', () => {
    expect(historyProblem({ systemId: '7', timeline: 2, lsn: 1n }, now, [], 'x')).toMatchObject({
      code: 'SOURCE_HISTORY_DIVERGED',
      retriable: false,
    });
  });
});

describe('the time to slot loss', () => {
  const at = (atMs: number, safeWalSize: bigint | null): SlotSample => ({ atMs, safeWalSize });
  it.each<[string, SlotSample, SlotSample, number | null]>([
    ['goes on as before', at(0, 1000n), at(10, 900n), 90],
    ['is never without a limit', at(0, null), at(10, null), null],
    ['is never while the room grows', at(0, 900n), at(10, 1000n), null],
    ['is never while nothing is written', at(0, 900n), at(10, 900n), null],
    ['is now when there is no room', at(0, 900n), at(10, 0n), 0],
    ['is now when it is overdrawn', at(0, 900n), at(10, -5n), 0],
    ['cannot be told from one moment', at(10, 1000n), at(10, 900n), null],
    ['cannot be told when the limit is new', at(0, null), at(10, 900n), null],
  ])('%s', (_, earlier, later, expected) => {
    expect(timeToLossMs(earlier, later)).toBe(expected);
  });
});

describe('a server that wants to stop', () => {
  const answers = (watch: ShutdownWatch, times: readonly number[]): string[] => times.map((ms) => watch.asked(ms));

  it('is answered slower, then left, when it asks again and again', () => {
    const found = answers(
      new ShutdownWatch(60_000),
      Array.from({ length: 80 }, (_, i) => i * 100),
    );
    expect(found.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 'now'));
    expect(found.slice(10, 51)).toEqual(Array.from({ length: 41 }, () => 'later'));
    expect(found[51]).toBe('leave');
  });

  it.each([60_000, 1000])('is not mistaken for one that asks in time, with a timeout of %d ms', (timeoutMs) => {
    const found = answers(
      new ShutdownWatch(timeoutMs),
      Array.from({ length: 100 }, (_, i) => (i * timeoutMs) / 2),
    );
    expect(new Set(found)).toEqual(new Set(['now']));
  });
});
