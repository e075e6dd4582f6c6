import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { CdcError } from '../../../src/sdk/index.ts';
import { classifyStateError } from '../../../src/state/errors.ts';
import { STATE_FILE_VERSION } from '../../../src/state/migrations.ts';
import { openStateFile } from '../../../src/state/sqlite-file.ts';
import { openSqliteStateStore, SqliteStateStore } from '../../../src/state/sqlite-store.ts';
import { A, laneAt } from './store-suite.ts';

async function folder(): Promise<{ path: string; dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'cdc-state-'));
  return {
    dir,
    path: join(dir, 'state.db'),
    async [Symbol.asyncDispose]() {
      await rm(dir, { recursive: true });
    },
  };
}

async function filled(path: string): Promise<void> {
  const store = await openSqliteStateStore(path);
  await store.acquire('orders', A, 0, 1000);
  await store.save('orders', A, 1000, {
    used: true,
    epoch: 3,
    lanes: { bus: laneAt(5) },
    transformer: { point: laneAt(5).joinedAt, state: new Uint8Array(9) },
    checkpoint: { atMs: 1, keep: 2 },
    delivered: [{ bucket: 1, lastMs: 1, ids: new Uint8Array(16) }],
  });
  await store.setPluginValue('orders', A, 'audit', 'k', new Uint8Array([1, 2, 3]));
  await store.beginRun('orders', A, 1);
  await store.close();
}

describe('opening', () => {
  it('makes the folder and a file that only its owner may read, with its write-ahead log', async () => {
    await using f = await folder();
    const path = join(f.dir, 'a', 'b', 'state.db');
    const store = await openSqliteStateStore(path);
    await store.acquire('orders', A, 0, 1);
    for (const file of [path, `${path}-wal`]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(f.dir, 'a')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(f.dir, 'a', 'b')).filter((name) => name.includes('.new-'))).toEqual([]);
    await store.close();
  });

  it('lets several stores of one file see each other, also when they open it for the first time together', async () => {
    await using f = await folder();
    const stores = await Promise.all([1, 2, 3].map(() => openSqliteStateStore(f.path)));
    await stores[0]?.acquire('orders', A, 0, 1000);
    for (const store of stores) expect(await store.acquire('orders', 'b', 1, 2)).toEqual({ owner: A, untilMs: 1000 });
    for (const store of stores) await store.close();
  });

  it('commits with full synchronisation and a small cache', async () => {
    await using f = await folder();
    const db = await openStateFile(f.path);
    expect(['synchronous', 'journal_mode', 'cache_size'].map((p) => db.pragma(p, { simple: true }))).toEqual([2, 'wal', -256]);
    db.close();
  });

  const refused: [string, string, RegExp, (path: string) => void][] = [
    [
      'a file that is not a database',
      'STATE_CORRUPT',
      /damaged/,
      (p) => writeFileSync(p, 'hello, this is not a database at all'.repeat(20)),
    ],
    ['an empty file', 'STATE_CORRUPT', /is empty/, (p) => writeFileSync(p, '')],
    ['a database of another program', 'STATE_UNAVAILABLE', /another program/, (p) => new Database(p).exec('create table t (x)').close()],
    [
      'a file of a newer version',
      'STATE_VERSION',
      /version 99/,
      (p) => {
        const db = new Database(p);
        db.pragma('application_id = 0x43444372');
        db.pragma('user_version = 99');
        db.close();
      },
    ],
    ['a folder', 'STATE_UNAVAILABLE', /not a file/, (p) => mkdirSync(p)],
    [
      'a path below a file',
      'STATE_UNAVAILABLE',
      /cannot be used/,
      (p) => {
        rmSync(p, { force: true });
        writeFileSync(join(p, '..', 'x'), '');
      },
    ],
  ];
  it.each(refused)('refuses %s and leaves it as it is', async (what, code, message, make) => {
    await using f = await folder();
    make(f.path);
    const path = what === 'a path below a file' ? join(f.dir, 'x', 'state.db') : f.path;
    const before = existsSync(path) && statSync(path).isFile() ? readFileSync(path) : null;
    const error: unknown = await openSqliteStateStore(path).then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(CdcError);
    expect(error).toMatchObject({ code, retriable: false, fix: expect.stringMatching(/\.$/), message: expect.stringMatching(message) });
    if (before !== null) expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('writes the version into the file', async () => {
    await using f = await folder();
    await filled(f.path);
    const db = new Database(f.path, { readonly: true });
    expect(db.pragma('user_version', { simple: true })).toBe(STATE_FILE_VERSION);
    db.close();
  });
});

describe('a file of an older version', () => {
  it('is brought to this one with all that is in it', async () => {
    await using f = await folder();
    await filled(f.path);
    const old = new Database(f.path);
    old.exec('drop table checkpoint; drop table delivered; pragma user_version = 1').close();
    const store = await openSqliteStateStore(f.path);
    expect(await store.load('orders')).toMatchObject({ used: true, epoch: 3, intent: null, lanes: { bus: laneAt(5) } });
    await store.save('orders', A, 1000, {
      checkpoint: { atMs: 1, keep: 2 },
      delivered: [{ bucket: 1, lastMs: 1, ids: new Uint8Array(16) }],
    });
    expect([await store.checkpoints('orders'), await store.delivered('orders')].map((found) => found.length)).toEqual([1, 1]);
    await store.close();
  });
});

describe('damage', () => {
  const reads = async (path: string): Promise<void> => {
    const store = await openSqliteStateStore(path);
    try {
      await store.load('orders');
      await store.getPluginValue('orders', 'audit', 'k');
      await store.runs('orders', 10);
      await store.checkpoints('orders');
      await store.delivered('orders');
    } finally {
      await store.close();
    }
  };
  const edits: [string, string, RegExp][] = [
    [
      'a changed point',
      `update lane set state = replace(state, '0005', '0006')`,
      /point of lane "bus" of pipeline "orders" does not match/,
    ],
    ['a point under another lane', `update lane set name = 'other'`, /lane "other"/],
    ['a point that is not one', `update lane set state = '{}'`, /lane "bus"/],
    ['a changed epoch', `update pipeline set head = replace(head, '3', '4')`, /head of pipeline "orders"/],
    ['a changed transformer state', `update transformer set state = x'000000000000000001'`, /transformer state/],
    ['a changed plugin value', `update plugin_value set value = x'010204'`, /stored value "k" of plugin "audit"/],
    ['a changed checkpoint', `update checkpoint set lanes = replace(lanes, '0005', '0006')`, /checkpoint 1 of pipeline "orders"/],
    ['changed ids of delivered messages', `update delivered set ids = x'00'`, /delivered ids 1 of pipeline "orders"/],
    ['an unreadable run', `update run set summary = '{'`, /a run of/],
    ['a missing table', 'drop table lane', /no such table/],
  ];
  it.each(edits)('%s is STATE_CORRUPT', async (_title, sql, message) => {
    await using f = await folder();
    await filled(f.path);
    await reads(f.path);
    new Database(f.path).exec(sql).close();
    await expect(reads(f.path)).rejects.toMatchObject({ code: 'STATE_CORRUPT', retriable: false, message: expect.stringMatching(message) });
  });

  it('of pages is found at the next opening after a crash', async () => {
    await using f = await folder();
    await filled(f.path);
    const store = await openSqliteStateStore(f.path);
    await store.acquire('orders', A, 0, 5000);
    // As after a kill: the file with a log that nobody has folded in. Then the second page loses its bytes.
    const copy = join(f.dir, 'copy.db');
    copyFileSync(f.path, copy);
    copyFileSync(`${f.path}-wal`, `${copy}-wal`);
    await store.close();
    const handle = openSync(copy, 'r+');
    for (let page = 2; page <= 5; page++) writeSync(handle, Buffer.alloc(300, 0xaa), 0, 300, page * 4096);
    closeSync(handle);
    await expect(openSqliteStateStore(copy)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('of a cut file is STATE_CORRUPT', async () => {
    await using f = await folder();
    await filled(f.path);
    truncateSync(f.path, 4096);
    await expect(reads(f.path)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('is not written over when only the head is asked for a change', async () => {
    await using f = await folder();
    await filled(f.path);
    new Database(f.path).exec(`update pipeline set head = replace(head, '3', '4')`).close();
    const store = await openSqliteStateStore(f.path);
    await expect(store.save('orders', A, 1, { used: true })).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
    await store.close();
  });
});

describe('faults', () => {
  it('says that the file was removed instead of writing into nowhere', async () => {
    await using f = await folder();
    const store = await openSqliteStateStore(f.path);
    await store.acquire('orders', A, 0, 1000);
    rmSync(f.path);
    await expect(store.save('orders', A, 1000, { epoch: 2 })).rejects.toMatchObject({
      code: 'STATE_UNAVAILABLE',
      message: expect.stringMatching(/removed/),
    });
    await filled(f.path);
    await expect(store.save('orders', A, 1000, { epoch: 2 })).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' });
    await store.close();
  });

  it('reports a file locked by another program as retriable, and works once it is free', async () => {
    await using f = await folder();
    const store = new SqliteStateStore(await openStateFile(f.path, 50), f.path);
    await store.acquire('orders', A, 0, 1000);
    const other = new Database(f.path);
    other.exec('begin immediate');
    await expect(store.save('orders', A, 1000, { epoch: 2 })).rejects.toMatchObject({
      code: 'STATE_UNAVAILABLE',
      retriable: true,
      message: expect.stringMatching(/locked/),
    });
    other.exec('rollback');
    other.close();
    await store.save('orders', A, 1000, { epoch: 2 });
    expect((await store.load('orders')).epoch).toBe(2);
    await store.close();
  });

  it('reports a full disk as retriable, keeps the old state, and goes on when there is space', async () => {
    await using f = await folder();
    const db = await openStateFile(f.path);
    const store = new SqliteStateStore(db, f.path);
    await store.acquire('orders', A, 0, 1000);
    await store.save('orders', A, 1000, { epoch: 2 });
    const pages = db.pragma('page_count', { simple: true }) as number;
    db.pragma(`max_page_count = ${pages}`);
    const big = { epoch: 3, transformer: { point: laneAt(1).joinedAt, state: new Uint8Array(100_000) } };
    await expect(store.save('orders', A, 1000, big)).rejects.toMatchObject({
      code: 'STATE_UNAVAILABLE',
      retriable: true,
      message: expect.stringMatching(/full/),
    });
    expect(await store.load('orders')).toMatchObject({ epoch: 2, transformer: null });
    db.pragma('max_page_count = 100000');
    await store.save('orders', A, 1000, big);
    expect((await store.load('orders')).epoch).toBe(3);
    await store.close();
  });

  const codes: [string, string, boolean][] = [
    ['SQLITE_BUSY', 'STATE_UNAVAILABLE', true],
    ['SQLITE_BUSY_SNAPSHOT', 'STATE_UNAVAILABLE', true],
    ['SQLITE_FULL', 'STATE_UNAVAILABLE', true],
    ['ENOSPC', 'STATE_UNAVAILABLE', true],
    ['SQLITE_READONLY_DBMOVED', 'STATE_UNAVAILABLE', false],
    ['SQLITE_IOERR_FSYNC', 'STATE_UNAVAILABLE', false],
    ['SQLITE_CANTOPEN', 'STATE_UNAVAILABLE', false],
    ['EACCES', 'STATE_UNAVAILABLE', false],
    ['SQLITE_CORRUPT_INDEX', 'STATE_CORRUPT', false],
    ['SQLITE_NOTADB', 'STATE_CORRUPT', false],
    ['SQLITE_ERROR', 'STATE_CORRUPT', false],
  ];
  it.each(codes)('%s of the driver is %s, retriable: %s', (driverCode, code, retriable) => {
    const cause = Object.assign(new Error('text of the driver'), { code: driverCode });
    expect(classifyStateError('state.db', cause)).toMatchObject({ code, retriable, cause });
  });
});
