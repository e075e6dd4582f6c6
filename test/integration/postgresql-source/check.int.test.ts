// Publication, checks and lag against a real server: the texts of SQL are right, and the catalog says what we think it says.

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../src/sdk/index.ts';
import { type CheckOptions, findings } from '../../../src/sources/postgresql/check.ts';
import type { Session } from '../../../src/sources/postgresql/connection.ts';
import { slotLag } from '../../../src/sources/postgresql/lag.ts';
import {
  applyPublication,
  dropPublication,
  type PublicationRequest,
  planPublication,
  readPublication,
} from '../../../src/sources/postgresql/replication/publication.ts';
import { allTables, captured } from '../../../src/sources/postgresql/tables.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { connectionsOf, loginOf, messages, never, readUntil, World } from './harness.ts';

const missing = (await skipReason()) !== null;

const request = (name: string, tables: PublicationRequest['tables']): PublicationRequest => ({
  name,
  create: true,
  pipeline: 'orders',
  tables,
  truncate: true,
});

const optionsOf = (world: World, more: Partial<CheckOptions> = {}): CheckOptions => ({
  server: 'the test server',
  endpoint: world.login.endpoint,
  mode: 'wal',
  patterns: ['public.*'],
  pipeline: 'orders',
  slot: world.name,
  publication: { name: `${world.name}_own`, create: true },
  failover: false,
  heartbeat: true,
  truncate: true,
  readsRows: true,
  ...more,
});

async function check(session: Session, options: CheckOptions): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of findings(session, options)) found.push(finding);
  return found;
}

const SCHEMA = `
CREATE TABLE parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_2024 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE "We""ird.Name" (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE keyless (x int);
CREATE TABLE named (id int NOT NULL, x int);
CREATE UNIQUE INDEX named_id ON named (id);
ALTER TABLE named REPLICA IDENTITY USING INDEX named_id;
CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
CREATE SCHEMA other;
CREATE TABLE other.t (id int PRIMARY KEY)`;

describe.skipIf(missing)('tables', () => {
  it('are found with what capture must know of them', async () => {
    await using world = await World.create();
    await world.db.query(SCHEMA);
    const tables = await world.connections.use(null, allTables);
    const brief = tables.map((t) => [
      t.schema,
      t.table,
      t.identity,
      t.isPartitioned,
      t.root?.table ?? null,
      t.isUnlogged,
      t.generatedColumns.join(),
    ]);
    expect(brief).toEqual([
      ['other', 't', 'key', false, null, false, ''],
      ['public', 'We"ird.Name', 'key', false, null, false, 'twice'],
      ['public', 'items', 'key', false, null, false, ''],
      ['public', 'keyless', 'none', false, null, false, ''],
      ['public', 'named', 'index', false, null, false, ''],
      ['public', 'parts', 'key', true, null, false, ''],
      ['public', 'parts_2024', 'key', false, 'parts', false, ''],
      ['public', 'scratch', 'key', false, null, true, ''],
    ]);
    expect(tables.every((t) => t.isReadable && t.isOwned && !t.hasRowSecurity)).toBe(true);
  });
});

describe.skipIf(missing)('publication', () => {
  it('is made once, extended when tables come, and sends partitions by their root', async () => {
    await using world = await World.create();
    await world.db.query(SCHEMA);
    const name = `${world.name} own`;
    await world.connections.use(null, async (session) => {
      const wanted = (patterns: string[]) => allTables(session).then((all) => captured(all, patterns));
      const first = request(name, await wanted(['items', 'parts']));
      await applyPublication(session, planPublication(null, first));
      const made = await readPublication(session, name);
      expect(made).toMatchObject({ isOurs: true, isOwned: true, allTables: false, viaRoot: true, missingOperations: [] });
      expect(made?.tables.map((t) => t.table)).toEqual(expect.arrayContaining(['items', 'parts']));
      expect(planPublication(made, first)).toEqual({ statements: [], problems: [] });
      const second = request(name, await wanted(['items', 'parts', 'We"ird\\.Name']));
      await applyPublication(session, planPublication(made, second));
      expect(planPublication(await readPublication(session, name), second)).toEqual({ statements: [], problems: [] });
      // Somebody else's: the one that the test has made.
      const foreign = await readPublication(session, world.name);
      expect(foreign).toMatchObject({ isOurs: false, viaRoot: false });
      expect(planPublication(foreign, request(world.name, second.tables))).toMatchObject({ statements: [] });
    });
    await world.createSlot();
    const stream = await world.stream({ publications: [name] });
    await world.db.query("INSERT INTO parts VALUES (1, '2024-06-01')");
    const inserts: string[] = [];
    for (let ended = false; !ended; ) {
      const next = await stream.next(never);
      for (const { kind, body } of next === null ? [] : messages(next)) {
        ended ||= kind === 'C';
        // Insert: oid. The Relation message of the partition comes, too, behind that of its root.
        if (kind === 'I') inserts.push(String(body.readUInt32BE(1)));
      }
    }
    expect(inserts).toEqual([(await world.db.query("SELECT 'parts'::regclass::oid::text AS oid"))[0]?.['oid']]);
    await stream.close();
    await world.connections.use(null, async (session) => {
      await dropPublication(session, world.name);
      await dropPublication(session, name);
      expect(await readPublication(session, world.name)).not.toBeNull();
      expect(await readPublication(session, name)).toBeNull();
    });
  });

  it('that is gone when the stream needs it is an error of configuration', async () => {
    await using world = await World.create();
    await world.createSlot();
    const stream = await world.stream({ publications: ['no_such_publication'] });
    await world.db.query('INSERT INTO items VALUES (1)');
    await expect(readUntil(stream, (kinds) => kinds.includes('C'))).rejects.toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
      retriable: false,
    });
  });
});

describe.skipIf(missing)('checks', () => {
  it('find nothing wrong where nothing is, and change nothing', async () => {
    await using world = await World.create();
    const found = await world.connections.use(null, (session) => check(session, optionsOf(world)));
    expect(found.filter((f) => f.level === 'error')).toEqual([]);
    expect(found.map((f) => f.check)).toEqual(
      expect.arrayContaining(['reachable', 'tables', 'wal_level', 'role', 'slot', 'publication', 'heartbeat']),
    );
    expect(await world.connections.use(null, (session) => readPublication(session, `${world.name}_own`))).toBeNull();
  });

  it('name all that is missing at once, for a role that may nothing', async () => {
    await using world = await World.create();
    await world.db.query(SCHEMA);
    await world.db.query('ALTER TABLE items ENABLE ROW LEVEL SECURITY');
    const role = `cdc_test_${randomBytes(6).toString('hex')}`;
    await world.db.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
    try {
      await world.db.query(`GRANT SELECT ON items TO ${role}`);
      const url = new URL(world.db.url);
      url.username = role;
      url.password = 'x';
      const connections = connectionsOf(loginOf({ url: url.href }));
      const options = optionsOf(world, { patterns: ['public.*', 'nowhere.*'] });
      const found = await connections.use(null, (session) => check(session, options));
      await connections.close();
      const errors = found.filter((f) => f.level === 'error');
      expect([...new Set(errors.map((f) => f.check))].sort()).toEqual(
        ['publication', 'replica_identity', 'role', 'row_security', 'select', 'tables', 'unlogged'].sort(),
      );
      for (const { fix } of errors) expect(fix).toBeTruthy();
      expect(found.find((f) => f.check === 'role')?.fix).toBe(`Run: ALTER ROLE "${role}" REPLICATION;`);
      // What a finding says to run is SQL that runs.
      const identity = errors.find((f) => f.check === 'replica_identity')?.fix ?? '';
      await world.db.query(/^Run: (.*?;) Better/.exec(identity)?.[1] ?? 'no statement');
      await world.db.query(/^Run: (.*)$/.exec(errors.find((f) => f.check === 'unlogged')?.fix ?? '')?.[1] ?? 'no statement');
      const again = await world.connections.use(null, (session) => check(session, optionsOf(world)));
      expect(again.filter((f) => f.level === 'error')).toEqual([]);
      await world.db.query(`REVOKE ALL ON items FROM ${role}`);
    } finally {
      await world.db.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

describe.skipIf(missing)('lag', () => {
  it('tells what was written and not confirmed, and what is kept', async () => {
    await using world = await World.create();
    const lag = () => world.connections.use(null, (session) => slotLag(session, world.name));
    expect(await lag()).toBeNull();
    await world.createSlot();
    const before = (await lag())?.bytesBehind ?? 0n;
    await world.db.query("INSERT INTO items SELECT n, repeat('x', 1000) FROM generate_series(1, 1000) AS n");
    const after = await lag();
    expect(after?.bytesBehind).toBeGreaterThan(before + 1_000_000n);
    expect(after?.retainedBytes).toBeGreaterThanOrEqual(after?.bytesBehind ?? 0n);
    expect(after?.slot).toMatchObject({ walStatus: 'reserved' });
    expect(after?.currentLsn).toBeGreaterThan(after?.slot.confirmedLsn ?? 0n);
  });
});
