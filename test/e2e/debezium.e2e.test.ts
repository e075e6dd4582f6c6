// From Debezium to a pipeline: files that are translated, and a connector's properties that run against a real PostgreSQL, also
// where Debezium has stopped.

import { cpSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { Workspace } from './process.ts';

const missing = (await skipReason()) !== null;
const FIXTURES = resolve('test/fixtures/debezium');

describe('cdc-run migrate', () => {
  it('writes a pipeline that validate takes, and tells what differs', async () => {
    using work = new Workspace();
    cpSync(FIXTURES, work.path('conf'), { recursive: true });
    const args = ['migrate', 'conf/server-kafka.properties', '-o', 'pipelines/tutorial.yaml'];
    const migrated = await work.start(args).ended;
    expect(migrated.code, migrated.err).toBe(0);
    expect(migrated.err).toContain('wrote pipelines/tutorial.yaml');
    expect(migrated.err).toContain('! offset.storage.file.filename: has no counterpart');
    expect(migrated.err).toContain('${DATABASE_PASSWORD} comes from the environment');
    const text = work.read('pipelines/tutorial.yaml');
    expect(text).toContain('type: postgresql');
    expect(`${text}${migrated.err}${migrated.out}`).not.toContain('geheim');
    const validated = await work.start(['validate', 'pipelines/tutorial.yaml'], { DATABASE_PASSWORD: 'x', KAFKA_PASSWORD: 'y' }).ended;
    expect(validated, validated.err).toMatchObject({ code: 0, out: expect.stringContaining('tutorial: postgresql → kafka') });

    expect(await work.start(args).ended).toMatchObject({ code: 2, err: expect.stringContaining('is there already') });
    expect((await work.start([...args, '--force']).ended).code).toBe(0);
  });

  it('prints the pipeline to standard output, and answers 4 when something is to be decided', async () => {
    using work = new Workspace();
    const { code, out, err } = await work.start(['migrate', resolve(FIXTURES, 'server-kinesis.properties')]).ended;
    expect({ code, err }).toEqual({ code: 4, err: expect.stringContaining('✖ debezium.sink.type: the sink "kinesis" has no counterpart') });
    work.write('p.yaml', out);
    expect((await work.start(['validate', 'p.yaml']).ended).code).toBe(0);
    const json = await work.start(['migrate', resolve(FIXTURES, 'server-kinesis.properties'), '--json']).ended;
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      differences: [{ property: 'debezium.sink.type', level: 'error' }, expect.anything()],
    });
  });

  it('refuses what is no file of Debezium', async () => {
    using work = new Workspace();
    work.write('x.properties', 'a=b\n');
    expect(await work.start(['migrate', 'x.properties']).ended).toMatchObject({
      code: 2,
      err: expect.stringContaining('is no file of Debezium'),
    });
    expect(await work.start(['migrate', 'none.json']).ended).toMatchObject({ code: 2, err: expect.stringContaining('cannot be read') });
  });
});

/** A database as Debezium leaves it: its publication, and its slot. */
async function inventory(): Promise<TestDatabase> {
  const db = await createDatabase();
  await db.query('CREATE TABLE customers (id int PRIMARY KEY, name text)');
  await db.query('CREATE TABLE secrets (id int PRIMARY KEY)');
  await db.query("INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace')");
  await db.query('INSERT INTO secrets VALUES (1)');
  return db;
}

function pipelineOf(db: TestDatabase, connector: string, rest: string): string {
  const url = new URL(db.url);
  return `source:
  type: debezium
  connector_config:
    name: postgres-connector
    connector.class: io.debezium.connector.postgresql.PostgresConnector
    database.hostname: ${url.hostname}
    database.port: "${url.port}"
    database.user: ${decodeURIComponent(url.username)}
    database.password: "\${PASSWORD}"
    database.dbname: ${db.name}
    database.server.name: dbserver1
    table.include.list: public\\.customers
    max.queue.size: 8192
${connector}  capture_mode: wal
  slot_name: ${db.name}
destination:
  type: file
  path: out.ndjson
  envelope: {type: debezium, compatible: true}
${rest}`;
}

const passwordOf = (db: TestDatabase): Record<string, string> => ({ PASSWORD: decodeURIComponent(new URL(db.url).password) });
const eventsOf = (work: Workspace): { op: string; after: { id: number }; source: { name: string } }[] =>
  work.lines('out.ndjson').map((line) => JSON.parse(line) as { op: string; after: { id: number }; source: { name: string } });

describe.skipIf(missing)('connector_config of PostgreSQL', () => {
  it('reads what is there, then changes, with the name that records of Debezium have', async () => {
    await using db = await inventory();
    using work = new Workspace();
    try {
      work.write('p.yaml', pipelineOf(db, '', ''));
      const first = await work.start(['run', 'p.yaml', '--until-caught-up'], passwordOf(db)).ended;
      expect(first.code, first.err).toBe(0);
      await db.query(
        "INSERT INTO customers VALUES (3, 'Linus'); UPDATE customers SET name = 'Ada L.' WHERE id = 1; INSERT INTO secrets VALUES (2)",
      );
      const second = await work.start(['run', 'p.yaml', '--until-caught-up'], passwordOf(db)).ended;
      expect(second.code, second.err).toBe(0);
      expect(eventsOf(work).map((e) => `${e.op}${e.after.id}`)).toEqual(['r1', 'r2', 'c3', 'u1']);
      expect(new Set(eventsOf(work).map((e) => e.source.name))).toEqual(new Set(['dbserver1']));
      const plan = await work.start(['plan', 'p.yaml'], passwordOf(db)).ended;
      expect(`${plan.out}${plan.err}`).toContain('p.yaml:13:5 CONFIG_NO_EFFECT source.connector_config["max.queue.size"]');
    } finally {
      await dropSlots(db);
    }
  });

  it("goes on at Debezium's slot where Debezium has stopped: no row twice, none missing", async () => {
    await using db = await inventory();
    using work = new Workspace();
    try {
      await db.query('CREATE PUBLICATION dbz_publication FOR ALL TABLES');
      await db.query(`SELECT pg_create_logical_replication_slot('${db.name}', 'pgoutput')`);
      await db.query("INSERT INTO customers VALUES (3, 'read by Debezium')");
      await db.query(`SELECT pg_replication_slot_advance('${db.name}', pg_current_wal_lsn())`);
      await db.query("INSERT INTO customers VALUES (4, 'while nobody reads')");
      work.write('p.yaml', pipelineOf(db, '    snapshot.mode: no_data\n', '  start: now\n'));
      const refused = await work.start(['run', 'p.yaml', '--until-caught-up'], passwordOf(db)).ended;
      expect(refused, 'a slot that others have moved is not taken by mistake').toMatchObject({
        code: 1,
        err: expect.stringContaining('STATE_LOST'),
      });
      const taken = await work.start(['run', 'p.yaml', '--until-caught-up', '--rejoin', 'file'], passwordOf(db)).ended;
      expect(taken.code, taken.err).toBe(0);
      await db.query("INSERT INTO customers VALUES (5, 'later')");
      const later = await work.start(['run', 'p.yaml', '--until-caught-up'], passwordOf(db)).ended;
      expect(later.code, later.err).toBe(0);
      expect(eventsOf(work).map((e) => `${e.op}${e.after.id}`)).toEqual(['c4', 'c5']);
    } finally {
      await dropSlots(db);
    }
  });
});
