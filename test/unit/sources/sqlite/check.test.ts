// Preflight: everything at once, with a fix each, and nothing created.

import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../../../src/sdk/index.ts';
import type { SqliteSourceConfig } from '../../../../src/sources/sqlite/config.ts';
import { type Db, NOTHING, World } from './harness.ts';

let world: World;
let db: Db;
beforeEach(() => {
  world = new World();
  db = world.db();
});
afterEach(() => {
  world.close();
});

async function check(config: Partial<SqliteSourceConfig> = {}): Promise<Finding[]> {
  const source = await world.source(config),
    findings: Finding[] = [];
  for await (const finding of source.check()) findings.push(finding);
  await source.close();
  return findings;
}
const brief = (findings: Finding[]): string[] => findings.map((f) => `${f.level} ${f.check}`);
const polling = { cdc_mode: 'polling', watermark: { column: 'changed', type: 'integer', settle: 0 } } as const;

describe('check', () => {
  it('is content with a database in WAL and tables with keys, and creates nothing', async () => {
    db.exec('PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY)');
    const findings = await check();
    expect(brief(findings)).toEqual(['ok file', 'ok tables', 'ok triggers', 'ok journal_mode']);
    expect(findings.find((f) => f.check === 'triggers')?.message).toContain('"t" is not captured');
    expect(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%cdc%'").pluck().get()).toBe(0);
    await world.run();
    expect((await check()).find((f) => f.check === 'triggers')?.message).toBe('The triggers are in place.');
  });

  it('names what is missing, what is odd, and what to do', async () => {
    db.exec(`CREATE TABLE t (v); CREATE TABLE wide (${Array.from({ length: 1000 }, (_, i) => `c${i}`).join(', ')})`);
    const findings = await check({ tables: ['*', 'nothing', 'no_*'], install_triggers: false });
    expect(brief(findings)).toEqual([
      'ok file',
      'error tables',
      'error tables',
      'warning key',
      'error tables',
      'ok tables',
      'error triggers',
      'warning journal_mode',
    ]);
    expect(findings.filter((f) => f.level !== 'ok').every((f) => f.fix !== undefined)).toBe(true);
  });

  it('says that the triggers are out of date, or gone', async () => {
    db.exec('CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY)');
    await world.run();
    db.exec('ALTER TABLE a ADD COLUMN v; DROP TRIGGER _cdc_run_2_ai');
    expect((await check()).find((f) => f.check === 'triggers')?.message).toBe(
      'To be created at the start: triggers of "a" are out of date, triggers of "b" are missing.',
    );
  });

  it('warns of pipelines that have not read for long', async () => {
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY)');
    await world.run(NOTHING, { name: "old's" });
    world.clock.ms += 8 * 86_400_000;
    const findings = await check();
    expect(findings.find((f) => f.check === 'consumers')).toMatchObject({
      level: 'warning',
      fix: expect.stringContaining("WHERE name = 'p/old''s'"),
    });
  });

  it.each<[string, () => string, string]>([
    ['no file', () => `${world.path}.none`, 'SOURCE_UNREACHABLE'],
    [
      'a folder',
      () => {
        mkdirSync(`${world.path}.d`);
        return `${world.path}.d`;
      },
      'SOURCE_UNREACHABLE',
    ],
    [
      'no database',
      () => {
        writeFileSync(`${world.path}.txt`, 'x'.repeat(1000));
        return `${world.path}.txt`;
      },
      'SOURCE_DATA_INVALID',
    ],
  ])('tells %s', async (_, path, code) => {
    expect((await check({ path: path() })).at(-1)).toMatchObject({ level: 'error', code });
  });

  it('looks for the watermark and its index when polling', async () => {
    db.exec(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, changed); CREATE TABLE u (id INTEGER PRIMARY KEY); CREATE TABLE v (changed INTEGER PRIMARY KEY); CREATE TABLE w (id, changed); CREATE INDEX i ON w (changed, id)',
    );
    const findings = await check(polling);
    expect(findings.filter((f) => f.check === 'watermark').map((f) => [f.level, f.message])).toEqual([
      ['warning', '"t.changed" has no index: every look reads the whole table.'],
      ['error', '"u" has no column "changed".'],
    ]);
  });

  it.each([
    ['SELECT id, changed FROM t WHERE changed > :last_sync', 'ok', 'id, changed'],
    ['DELETE FROM t', 'error', 'no SELECT'],
    ['SELECT nope FROM t', 'error', 'no such column'],
  ])('prepares the query "%s"', async (query, level, message) => {
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, changed)');
    const finding = (await check({ ...polling, tables: ['t'], query, watermark: { ...polling.watermark, key: ['id'] } })).at(-1);
    expect(finding).toMatchObject({ level, message: expect.stringContaining(message) });
  });
});
