// The replication stream against a real server: frames, status, bounds, and every way in which a connection ends.

import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/sdk/index.ts';
import { lookAtSlot } from '../../../src/sources/postgresql/replication/slot.ts';
import { eventually } from '../../helpers/eventually.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { messages, never, readUntil, World, withoutEmpty } from './harness.ts';

const missing = (await skipReason()) !== null;
const count = (text: string, letter: string): number => text.split(letter).length - 1;

describe.skipIf(missing)('replication stream', () => {
  it('yields the messages of transactions in the order of their commits', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream();
    await world.db.query("INSERT INTO items SELECT n, 'x' FROM generate_series(1, 3) AS n");
    await world.db.query('UPDATE items SET name = NULL WHERE id = 2');
    await world.db.query('DELETE FROM items WHERE id = 1');
    expect(await readUntil(stream, (kinds) => count(kinds, 'C') === 3)).toBe('BRIIICBUCBDC');
    expect(stream.received).toBeGreaterThan(0n);
  });

  it('passes logical messages, inside and outside of transactions', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream();
    await world.db.query("SELECT pg_logical_emit_message(true, 'a', 'b')");
    await world.db.query("SELECT pg_logical_emit_message(false, 'a', 'b')");
    // A message outside of a transaction is sent once the log is flushed up to it.
    await world.db.query("INSERT INTO items VALUES (1, 'x')");
    expect(await readUntil(stream, (kinds) => count(kinds, 'C') === 2)).toBe('BMCMBRIC');
  });

  it('takes names that must be quoted', async () => {
    await using world = await World.create();
    await world.createSlot();
    await world.db.query('CREATE PUBLICATION "it\'s, ""mine""" FOR TABLE items');
    const stream = await world.stream({ publications: ['it\'s, "mine"', world.name] });
    await world.db.query("INSERT INTO items VALUES (1, 'x')");
    expect(withoutEmpty(await readUntil(stream, (kinds) => kinds.includes('IC')))).toBe('BRIC');
  });

  it('moves the slot to what was confirmed, and never further', async () => {
    await using world = await World.create();
    await world.createSlot();
    const slot = () => world.connections.use(null, (session) => lookAtSlot(session, world.name));
    const before = (await slot())?.confirmedLsn ?? 0n;
    const stream = await world.stream();
    await world.db.query("INSERT INTO items VALUES (1, 'x')");
    await readUntil(stream, (kinds) => kinds.includes('C'));
    const end = stream.received;
    await systemClock.sleep(300);
    expect((await slot())?.confirmedLsn).toBe(before);
    stream.confirm(end);
    await eventually(async () => (await slot())?.confirmedLsn === end);
    stream.confirm(1n);
    expect(stream.confirmed).toBe(end);
    await stream.close();
    expect((await slot())?.confirmedLsn).toBe(end);
    expect((await slot())?.activePid).toBeNull();
  });

  it('sends again from the place it is told, and skips what was committed before', async () => {
    await using world = await World.create();
    await world.createSlot();
    const first = await world.stream();
    for (const id of [1, 2, 3]) await world.db.query('INSERT INTO items VALUES ($1)', [id]);
    const commits: bigint[] = [];
    while (commits.length < 3) {
      const frames = await first.next(never);
      // Commit: flags, LSN of the record, its end. https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
      for (const { kind, body } of frames === null ? [] : messages(frames)) if (kind === 'C') commits.push(body.readBigUInt64BE(2));
    }
    await first.close();
    const again = await world.stream({ from: commits[1] as bigint });
    expect(await readUntil(again, (kinds) => count(kinds, 'C') === 2)).toBe('BRICBIC');
  });

  it('answers with the end of the log when asked for a keepalive', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream();
    await stream.next(never);
    const [row] = await world.db.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn() - $1 AS lsn', ['0/0']);
    stream.requestKeepalive();
    while (stream.received < BigInt(row?.lsn ?? 0)) await stream.next(never);
    expect(stream.received).toBeGreaterThanOrEqual(BigInt(row?.lsn ?? 0));
  });

  it('ends quietly when it is aborted or closed while waiting', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream();
    const stop = new AbortController();
    const drained = async (): Promise<null> => {
      for (;;) if ((await stream.next(stop.signal)) === null) return null;
    };
    const waiting = drained();
    stop.abort();
    expect(await waiting).toBeNull();
    const closing = stream.next(never);
    await stream.close();
    await closing;
    expect(await stream.next(never)).toBeNull();
  });

  it('stays connected while nobody reads, longer than wal_sender_timeout', async () => {
    await using world = await World.create();
    await world.createSlot();
    await world.db.query(`ALTER ROLE current_user IN DATABASE ${world.db.name} SET wal_sender_timeout = '1s'`);
    const stream = await world.stream({ maxBytes: 64 << 10 });
    await world.db.query("INSERT INTO items SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) AS n");
    await systemClock.sleep(3500);
    const kinds = await readUntil(stream, (k) => k.includes('IC'));
    expect(count(kinds, 'I')).toBe(20_000);
  });

  it('stops reading at its bound, and goes on as frames are taken', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream({ maxBytes: 256 << 10 });
    await world.db.query("INSERT INTO items SELECT n, repeat('x', 1000) FROM generate_series(1, 30000) AS n");
    const before = process.memoryUsage().arrayBuffers;
    await systemClock.sleep(1000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
    const waiting = await world.db.query(
      "SELECT 1 FROM pg_stat_replication WHERE application_name = 'cdc-run test' AND state = 'streaming'",
    );
    expect(waiting.length).toBeGreaterThan(0);
    const kinds = await readUntil(stream, (k) => k.includes('IC'));
    expect(count(kinds, 'I')).toBe(30_000);
  });

  it('passes a value that is larger than its bound and its arenas', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream({ maxBytes: 64 << 10 });
    await world.db.query("INSERT INTO items VALUES (1, repeat('x', 20000000)), (2, 'after')");
    let size = 0,
      kinds = '';
    while (!kinds.includes('IC')) {
      const frames = await stream.next(never);
      for (const { kind, body } of frames === null ? [] : messages(frames)) {
        kinds += kind;
        size = Math.max(size, body.length);
      }
    }
    expect(withoutEmpty(kinds)).toBe('BRIIC');
    expect(size).toBeGreaterThan(20_000_000);
  });
});
