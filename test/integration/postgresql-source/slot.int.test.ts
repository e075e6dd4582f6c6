// Slots: made, looked at, judged, dropped; and what a stream says about one that cannot serve.

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/sdk/index.ts';
import { formatLsn } from '../../../src/sources/postgresql/lsn.ts';
import { identify } from '../../../src/sources/postgresql/replication/history.ts';
import { openConnection } from '../../../src/sources/postgresql/replication/open.ts';
import { createSlot, dropSlot, lookAtSlot, slotProblem } from '../../../src/sources/postgresql/replication/slot.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { never, World } from './harness.ts';

const missing = (await skipReason()) !== null;

describe.skipIf(missing)('replication slot', () => {
  it('is made with a snapshot that others can read while the connection is held', async () => {
    await using world = await World.create();
    await world.db.query("INSERT INTO items VALUES (1, 'before')");
    world.owns(world.name);
    const connection = await openConnection(world.login, world.settings().place, null);
    const slot = await createSlot(connection, { name: world.name, failover: false, exportSnapshot: true }, null);
    await world.db.query("INSERT INTO items VALUES (2, 'after')");
    const names = await world.connections.use(null, (session) =>
      session.inSnapshot(slot.snapshot, async () => (await session.query('SELECT name FROM items')).rows),
    );
    expect(names).toEqual([{ name: 'before' }]);
    await connection.close();
    const state = await world.connections.use(null, (session) => lookAtSlot(session, world.name));
    expect(state).toMatchObject({ plugin: 'pgoutput', database: world.db.name, temporary: false, activePid: null, walStatus: 'reserved' });
    expect(state?.confirmedLsn).toBe(slot.consistentPoint);
    expect(slotProblem(state, { name: world.name, database: world.db.name, from: null, where: 'x' })).toBeNull();
    // Made again: another one of us was faster, the next try finds it.
    await expect(world.createSlot()).rejects.toMatchObject({ code: '42710' });
  });

  it('waits for old transactions, and gives up when aborted', async () => {
    await using world = await World.create();
    const open = await world.db.connect();
    await open.query('BEGIN');
    await open.query("INSERT INTO items VALUES (1, 'x')");
    const connection = await openConnection(world.login, world.settings().place, null);
    const stop = new AbortController();
    world.owns(world.name);
    const making = createSlot(connection, { name: world.name, failover: false, exportSnapshot: false }, stop.signal);
    await systemClock.sleep(200);
    stop.abort(new Error('stopped'));
    await expect(making).rejects.toThrow('stopped');
    await open.query('ROLLBACK');
  });

  it('that is in use is waited for, and taken once it is free', async () => {
    await using world = await World.create();
    await world.createSlot();
    const first = await world.stream();
    const second = world.stream({}, world.login, 20_000);
    await systemClock.sleep(700);
    await first.close();
    expect(await (await second).next(never)).not.toBeNull();
  });

  it('that stays in use is an error, and says who has it', async () => {
    await using world = await World.create();
    await world.createSlot();
    await world.stream();
    const [row] = await world.db.query<{ pid: number }>('SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1', [
      world.name,
    ]);
    const error = await world.stream({}, world.login, 600).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'SOURCE_IN_USE', retriable: false });
    expect(String(error)).toContain(String(row?.pid));
  });

  it('that is not there, or made by somebody else, is told apart', async () => {
    await using world = await World.create();
    await expect(world.stream()).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
    const other = `cdc_test_${randomBytes(6).toString('hex')}`;
    world.owns(other);
    await world.db.query("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", [other]);
    const state = await world.connections.use(null, (session) => lookAtSlot(session, other));
    expect(slotProblem(state, { name: other, database: world.db.name, from: null, where: 'x' })).toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
    });
  });

  it('that somebody has read past our position is lost to us', async () => {
    await using world = await World.create();
    const { consistentPoint } = await world.createSlot();
    await world.db.query("INSERT INTO items VALUES (1, 'x')");
    await world.db.query('SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())', [world.name]);
    const state = await world.connections.use(null, (session) => lookAtSlot(session, world.name));
    const at = { name: world.name, database: world.db.name, where: 'x' };
    expect(slotProblem(state, { ...at, from: consistentPoint })).toMatchObject({ code: 'SOURCE_POSITION_GONE' });
    expect(slotProblem(state, { ...at, from: state?.confirmedLsn ?? 0n })).toBeNull();
  });

  it('is dropped as soon as its stream lets go of it, and twice is once', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream();
    const dropping = world.connections.use(null, (session) => dropSlot(session, world.name, systemClock));
    await systemClock.sleep(300);
    await stream.close();
    await dropping;
    await world.connections.use(null, (session) => dropSlot(session, world.name, systemClock));
    expect(await world.connections.use(null, (session) => lookAtSlot(session, world.name))).toBeNull();
  });

  it('knows the system and its timeline', async () => {
    await using world = await World.create();
    const connection = await openConnection(world.login, world.settings().place, null);
    const identity = await identify(connection);
    await connection.close();
    const [row] = await world.db.query<{ id: string; timeline: number }>(
      'SELECT system_identifier::text AS id, timeline_id AS timeline FROM pg_control_system(), pg_control_checkpoint()',
    );
    expect(identity).toMatchObject({ systemId: row?.id, timeline: row?.timeline });
    expect(formatLsn(identity.lsn)).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  });
});
