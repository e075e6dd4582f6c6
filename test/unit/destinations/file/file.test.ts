// The file destination over real files.

import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type FileDestinationConfig, formatOf, validate } from '../../../../src/destinations/file/config.ts';
import { toFileError, UncertainError } from '../../../../src/destinations/file/errors.ts';
import { NodeFiles } from '../../../../src/destinations/file/files.ts';
import { FileDestination } from '../../../../src/destinations/file/writer.ts';
import * as csv from '../../../../src/formats/csv.ts';
import {
  type ChangeEvent,
  type ComponentContext,
  type LaneBatch,
  type ResumePoint,
  silentLogger,
  type TableSchema,
} from '../../../../src/sdk/index.ts';
import { laneBatch, ordersTable, point, rowEvent } from '../lane-batch.ts';
import { defaults } from './config.ts';

const LANE = { pipeline: 'shop/eu', lane: 'files' };

type Change = Partial<Omit<FileDestinationConfig, 'rotate' | 'csv'>> & {
  rotate?: Partial<FileDestinationConfig['rotate']>;
  csv?: Partial<FileDestinationConfig['csv']>;
};

/** A folder, and a lane that writes into it through one process after the other. */
class Lane implements AsyncDisposable {
  readonly folder: string;
  now = 0;
  #epoch = 0;
  #done = 0;
  #destination: FileDestination | null = null;
  readonly #opened: NodeFiles[] = [];
  #previous: ResumePoint = point(0);

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Lane> {
    return new Lane(await mkdtemp(join(tmpdir(), 'cdc-out-')));
  }

  destination(path: string, change: Change = {}, lane = this.folder): FileDestination {
    const config = {
      ...defaults,
      ...change,
      rotate: { ...defaults.rotate, ...change.rotate },
      csv: { ...defaults.csv, ...change.csv },
      path: join(lane, path),
    };
    const ctx: ComponentContext = {
      pipeline: 'p',
      name: 'files',
      logger: silentLogger,
      clock: { now: () => this.now, sleep: async () => {} },
      random: () => 0,
    };
    const files = new NodeFiles(Number.parseInt(config.mode, 8), config.fsync);
    this.#opened.push(files);
    return new FileDestination(config, ctx, files, formatOf(config) === 'csv' ? csv : null);
  }

  /** A new process takes over. */
  async start(path: string, change: Change = {}): Promise<FileDestination> {
    this.#destination = this.destination(path, change);
    await this.#destination.claim(LANE, ++this.#epoch);
    const committed = await this.#destination.committed(LANE);
    if (committed.kind === 'points') this.#previous = committed.points[0] as ResumePoint;
    else {
      this.#previous = point(0, this.#epoch);
      await this.#destination.setPoints(LANE, this.#epoch, [this.#previous]);
    }
    return this.#destination;
  }

  batch(events: readonly ChangeEvent[], skip: readonly number[] = []): LaneBatch {
    return laneBatch(events, { skip, previous: this.#previous, through: point(this.#done + 1, this.#epoch) });
  }

  async write(events: readonly ChangeEvent[], skip: readonly number[] = []) {
    const batch = this.batch(events, skip);
    const result = await (this.#destination as FileDestination).write(batch);
    if (result.kind === 'stored') {
      this.#previous = batch.through;
      this.#done++;
    }
    return result;
  }

  at(name: string): string {
    return join(this.folder, name);
  }
  async text(name: string): Promise<string> {
    return readFile(this.at(name), 'utf8');
  }
  async names(): Promise<string[]> {
    return (await readdir(this.folder, { recursive: true })).filter((n) => !n.startsWith('.cdc-run')).sort();
  }
  async sidecar(): Promise<string> {
    const name = (await readdir(this.at('.cdc-run'))).find((n) => n.endsWith('.json'));
    return this.at(`.cdc-run/${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const files of this.#opened) await files.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const json = (...ids: number[]): string => ids.map((id) => `{"op":"c","id":${id},"note":"row ${id}"}\n`).join('');
const rows = (...ids: number[]): ChangeEvent[] => ids.map((id) => rowEvent(id));
const tableNamed = (schema: string | null, table: string, columns = ordersTable.columns): TableSchema => ({
  ...ordersTable,
  id: { database: null, schema, table },
  columns,
});

describe('NDJSON', () => {
  it('appends a line per record, without tombstones and what is skipped', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.ndjson');
    await lane.write([...rows(1, 2), rowEvent(3, { op: 'd', before: { id: 3 }, after: null })], [1]);
    await lane.write(rows(4));
    expect(await lane.text('orders.ndjson')).toBe(`${json(1)}{"op":"d","id":3}\n${json(4)}`);
  });

  it('spreads events over the files of the template', async () => {
    await using lane = await Lane.create();
    await lane.start('{database}/{schema}-{date}/{table}.ndjson');
    await lane.write([rowEvent(1), rowEvent(2, { table: tableNamed(null, 'a') }), rowEvent(3, { sourceTsMs: 0 }), rowEvent(4)]);
    expect((await lane.names()).filter((n) => n.endsWith('json'))).toEqual([
      '_/_-2023-11-14/a.ndjson',
      '_/shop-1970-01-01/orders.ndjson',
      '_/shop-2023-11-14/orders.ndjson',
    ]);
    expect(await lane.text('_/shop-2023-11-14/orders.ndjson')).toBe(json(1, 4));
  });

  it('keeps names from data in their place', async () => {
    await using lane = await Lane.create();
    await lane.start('in/{schema}/{table}.ndjson');
    const hostile = [
      '../../evil',
      '..',
      '/etc/passwd',
      'a\u0000b',
      '.hidden',
      'x'.repeat(500),
      `${'x'.repeat(500)}y`,
      'orders.1',
      'Bestellung ä',
    ];
    await lane.write(hostile.map((name, i) => rowEvent(i, { table: tableNamed(name, name) })));
    const names = (await lane.names()).filter((n) => n.endsWith('.ndjson'));
    expect(names).toHaveLength(hostile.length);
    expect(names.every((n) => /^in\/[^/.]+\/[^/.]+\.ndjson$/.test(n))).toBe(true);
    expect(names).toContain('in/%2E%2E%2F%2E%2E%2Fevil/%2E%2E%2F%2E%2E%2Fevil.ndjson');
  });

  it('gives new files the configured permissions', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.ndjson', { mode: '0640' });
    await lane.write(rows(1));
    expect((await stat(lane.at('orders.ndjson'))).mode & 0o777).toBe(0o640);
  });
});

describe('the point', () => {
  it('is what the last batch said, also of an empty one, and read by the next process', async () => {
    await using lane = await Lane.create();
    const first = await lane.start('{table}.ndjson');
    expect(await first.committed(LANE)).toEqual({ kind: 'points', epoch: 1, points: [point(0)] });
    await lane.write(rows(1));
    await lane.write([]);
    const second = lane.destination('{table}.ndjson');
    expect(await second.committed(LANE)).toEqual({ kind: 'points', epoch: 1, points: [point(2)] });
    expect(await second.committed({ pipeline: 'shop', lane: 'eu/files' })).toEqual({ kind: 'empty', epoch: 0 });
    await lane.start('{table}.ndjson');
    expect(await second.committed(LANE)).toEqual({ kind: 'points', epoch: 2, points: [point(2)] });
  });

  it('is kept per worker slot', async () => {
    await using lane = await Lane.create();
    const destination = lane.destination('{table}.ndjson');
    expect(await destination.committed(LANE)).toEqual({ kind: 'empty', epoch: 0 });
    await destination.claim(LANE, 5);
    expect(await destination.committed(LANE)).toEqual({ kind: 'empty', epoch: 5 });
    await destination.setPoints(LANE, 5, [point(1), point(2)]);
    await Promise.all([
      destination.write(laneBatch(rows(1), { worker: 1, previous: point(2), through: point(4) })),
      destination.write(laneBatch(rows(2), { worker: 0, previous: point(1), through: point(3) })),
    ]);
    expect(await destination.committed(LANE)).toEqual({ kind: 'points', epoch: 5, points: [point(3), point(4)] });
    expect(await lane.text('orders.ndjson')).toBe(json(1, 2));
  });

  it('is gone with the sidecar, which is an error for the process that runs', async () => {
    await using lane = await Lane.create();
    const destination = await lane.start('{table}.ndjson');
    await lane.write(rows(1));
    await rm(await lane.sidecar());
    expect(await destination.committed(LANE)).toEqual({ kind: 'empty', epoch: 0 });
    await expect(lane.write(rows(2))).rejects.toMatchObject({ code: 'DESTINATION_POSITION_LOST', retriable: false });
  });

  it('that cannot be read is not taken for none', async () => {
    await using lane = await Lane.create();
    const destination = await lane.start('{table}.ndjson');
    for (const text of ['', '{', '{"version":2}', '{"version":1,"epoch":1,"settled":true,"points":[{}],"files":{}}']) {
      await writeFile(await lane.sidecar(), text);
      await expect(destination.committed(LANE)).rejects.toMatchObject({ code: 'DESTINATION_POSITION_LOST' });
    }
  });
});

describe('a sidecar of a version before slots', () => {
  it('is read, and continued with slots', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.ndjson');
    await lane.write(rows(1));
    const [slot] = (JSON.parse(await readFile(await lane.sidecar(), 'utf8')) as ({ generation: number; state: object } | null)[])
      .filter((s) => s !== null)
      .sort((a, b) => b.generation - a.generation);
    await writeFile(await lane.sidecar(), JSON.stringify({ ...slot?.state, version: 1 }, null, 1));
    const destination = await lane.start('{table}.ndjson');
    expect(await destination.committed(LANE)).toMatchObject({ kind: 'points', epoch: 2, points: [{ log: { seq: 1 } }] });
    await lane.write(rows(2));
    expect(await lane.text('orders.ndjson')).toBe(json(1, 2));
    expect(JSON.parse(await readFile(await lane.sidecar(), 'utf8'))).toHaveLength(2);
  });
});

describe('fencing', () => {
  it('refuses a claim below the highest epoch', async () => {
    await using lane = await Lane.create();
    await lane.destination('{table}.ndjson').claim(LANE, 3);
    await expect(lane.destination('{table}.ndjson').claim(LANE, 2)).rejects.toMatchObject({ code: 'DESTINATION_FENCED' });
    await lane.destination('{table}.ndjson').claim(LANE, 3);
  });

  it('stops the older process without a trace in files or point', async () => {
    await using lane = await Lane.create();
    const old = await lane.start('{table}.ndjson');
    await lane.write(rows(1));
    const batch = lane.batch(rows(2));
    await lane.start('{table}.ndjson');
    await expect(old.write(batch)).rejects.toMatchObject({ code: 'DESTINATION_FENCED', retriable: false });
    await expect(old.setPoints(LANE, 1, [point(9)])).rejects.toMatchObject({ code: 'DESTINATION_FENCED' });
    await lane.write(rows(3));
    expect(await lane.text('orders.ndjson')).toBe(json(1, 3));
  });

  it('refuses a batch that does not follow the stored point', async () => {
    await using lane = await Lane.create();
    const destination = await lane.start('{table}.ndjson');
    await expect(destination.write(laneBatch(rows(1), { previous: point(7), through: point(8) }))).rejects.toMatchObject({
      code: 'DESTINATION_FENCED',
    });
    await expect(stat(lane.at('orders.ndjson'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is noticed by one of the two whenever a claim comes in between', async () => {
    await using lane = await Lane.create();
    for (let pause = 1; pause <= 20; pause++) {
      const name = { ...LANE, lane: `lane${pause}` };
      const folder = lane.at(`run${pause}`);
      let calls = 0,
        claimed = false;
      const newer = lane.destination('{table}.ndjson', {}, folder);
      /** Lets the newer process claim before the n-th operation of the older one. */
      class Interrupted extends NodeFiles {
        armed = false;
        async #maybe(): Promise<void> {
          if (this.armed && ++calls === pause) {
            claimed = true;
            await newer.claim(name, 2);
          }
        }
        override async stamp(path: string) {
          await this.#maybe();
          return super.stamp(path);
        }
        override async list(path: string) {
          await this.#maybe();
          return super.list(path);
        }
        override async writeDurably(path: string, offset: number, parts: readonly Uint8Array[]) {
          await this.#maybe();
          return super.writeDurably(path, offset, parts);
        }
        override async rename(from: string, to: string) {
          await this.#maybe();
          return super.rename(from, to);
        }
        override async sync(path: string) {
          await this.#maybe();
          return super.sync(path);
        }
      }
      const files = new Interrupted(0o600, false);
      const ctx: ComponentContext = {
        pipeline: 'p',
        name: 'files',
        logger: silentLogger,
        clock: { now: () => 0, sleep: async () => {} },
        random: () => 0,
      };
      const older = new FileDestination({ ...defaults, path: join(folder, '{table}.ndjson') }, ctx, files, null);
      await older.claim(name, 1);
      await older.setPoints(name, 1, [point(0)]);
      files.armed = true;
      const outcome = await older.write(laneBatch(rows(1), { previous: point(0), through: point(1) })).then(
        (r) => r.kind,
        (error: { code: string }) => error.code,
      );
      const committed = await newer.committed(name);
      const held = committed.kind === 'points' && committed.points[0]?.log?.seq === 1;
      // What the older one was told is stored, the newer one knows of; and never the other way round.
      expect([outcome, held, claimed]).toEqual(outcome === 'stored' ? ['stored', true, false] : ['DESTINATION_FENCED', held, true]);
      await older.close();
    }
  });
});

describe('what others do to the files', () => {
  it('writes into the file of that name, not into one that was moved away while it was open', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.ndjson');
    await lane.write(rows(1));
    await rename(lane.at('orders.ndjson'), lane.at('moved.ndjson'));
    await writeFile(lane.at('orders.ndjson'), json(1));
    await lane.write(rows(2));
    expect(await lane.text('orders.ndjson')).toBe(json(1, 2));
    expect(await lane.text('moved.ndjson')).toBe(json(1));
  });

  it('goes on behind what was there before, on a new line', async () => {
    for (const [before, between] of [
      ['{"old":1}\n', ''],
      ['{"old":1}', '\n'],
    ] as const) {
      await using lane = await Lane.create();
      await writeFile(lane.at('orders.ndjson'), before);
      await lane.start('{table}.ndjson');
      await lane.write(rows(1));
      await lane.start('{table}.ndjson');
      await lane.write(rows(2));
      expect(await lane.text('orders.ndjson')).toBe(before + between + json(1, 2));
    }
  });

  it('cuts a torn tail at the next start, and leaves other files alone', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.ndjson');
    await lane.write(rows(1));
    await appendFile(lane.at('orders.ndjson'), '{"op":"c","id":2,"no');
    await writeFile(lane.at('other.ndjson'), 'theirs');
    await lane.start('{table}.ndjson');
    expect(await lane.text('orders.ndjson')).toBe(json(1));
    expect(await lane.text('other.ndjson')).toBe('theirs');
  });

  it('stops when a file is shorter than it was, at the start and while running', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.ndjson');
    await lane.write(rows(1, 2));
    await truncate(lane.at('orders.ndjson'), 10);
    const lost = { code: 'DESTINATION_POSITION_LOST', message: expect.stringContaining('"orders.ndjson" has 10 bytes') };
    await expect(lane.write(rows(3))).rejects.toMatchObject(lost);
    await expect(lane.start('{table}.ndjson')).rejects.toMatchObject(lost);
    await rm(lane.at('orders.ndjson'));
    await expect(lane.start('{table}.ndjson')).rejects.toMatchObject({
      code: 'DESTINATION_POSITION_LOST',
      message: expect.stringContaining('no bytes'),
    });
  });

  it('stops when another program appends', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.ndjson');
    await lane.write(rows(1));
    await appendFile(lane.at('orders.ndjson'), 'theirs\n');
    await expect(lane.write(rows(2))).rejects.toMatchObject({ code: 'DESTINATION_MISCONFIGURED' });
    expect(await lane.text('orders.ndjson')).toBe(`${json(1)}theirs\n`);
  });

  it('stops at a folder of the same name', async () => {
    await using lane = await Lane.create();
    await mkdir(lane.at('orders.ndjson'));
    await lane.start('{table}.ndjson');
    await expect(lane.write(rows(1))).rejects.toMatchObject({ code: 'DESTINATION_MISCONFIGURED' });
  });
});

describe('rotation', () => {
  it('by size begins a new file before a batch, and numbers the old ones', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.ndjson', { rotate: { size: 60 } });
    for (const id of [1, 2, 3, 4, 5]) await lane.write(rows(id));
    await lane.start('{table}.ndjson', { rotate: { size: 60 } });
    await lane.write(rows(6));
    expect(await lane.names()).toEqual(['orders.1.ndjson', 'orders.2.ndjson', 'orders.ndjson']);
    expect([await lane.text('orders.1.ndjson'), await lane.text('orders.2.ndjson'), await lane.text('orders.ndjson')]).toEqual([
      json(1, 2),
      json(3, 4),
      json(5, 6),
    ]);
  });

  it('by age goes by the clock, across restarts', async () => {
    await using lane = await Lane.create();
    const rotate = { interval: 1000 };
    await lane.start('{table}.ndjson', { rotate });
    await lane.write(rows(1));
    lane.now = 999;
    await lane.write(rows(2));
    lane.now = 1000;
    await lane.start('{table}.ndjson', { rotate });
    await lane.write([]);
    await lane.write(rows(3));
    expect([await lane.text('orders.1.ndjson'), await lane.text('orders.ndjson')]).toEqual([json(1, 2), json(3)]);
  });

  it('keeps as many files as configured, and never takes a name that is in use', async () => {
    await using lane = await Lane.create();
    await writeFile(lane.at('orders.2.ndjson'), 'theirs');
    const rotate = { size: 1, max_files: 2 };
    await lane.start('{table}.ndjson', { rotate });
    for (const id of [1, 2, 3, 4]) await lane.write(rows(id));
    await lane.start('{table}.ndjson', { rotate });
    for (const id of [5, 6]) await lane.write(rows(id));
    expect(await lane.names()).toEqual(['orders.2.ndjson', 'orders.5.ndjson', 'orders.6.ndjson', 'orders.ndjson']);
    expect(await lane.text('orders.2.ndjson')).toBe('theirs');
    expect([await lane.text('orders.5.ndjson'), await lane.text('orders.6.ndjson'), await lane.text('orders.ndjson')]).toEqual([
      json(4),
      json(5),
      json(6),
    ]);
  });
});

describe('CSV', () => {
  const wide = tableNamed('shop', 'orders', [...ordersTable.columns, { name: 'extra', type: 'any', nativeType: '', nullable: true }]);

  it('writes operation, time and columns under a header', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.csv');
    await lane.write([
      rowEvent(1, { table: wide, after: { id: 1n, note: 'a,"b"\nc', extra: null } }),
      rowEvent(2, { table: wide, op: 'u', after: { id: 2, note: '', extra: new Uint8Array([1, 255]) } }),
      rowEvent(3, { table: wide, op: 'd', before: { id: 3 }, after: null }),
      rowEvent(4, { table: wide, op: 'r', after: { id: 2n ** 64n, note: '__absent__', extra: { a: [1n, true] } } }),
      rowEvent(5, { table: wide, op: 't', after: null }),
      rowEvent(6, { table: wide, op: 'u', incomplete: true, after: { id: -0, extra: 1.5 } }),
      rowEvent(7, { op: 's', table: wide, after: null }),
    ]);
    expect(await lane.text('orders.csv')).toBe(
      [
        '__op,__source_ts_ms,id,note,extra',
        'c,1700000000001,1,"a,""b""\nc",',
        'u,1700000000002,2,"",\\x01ff',
        'd,1700000000003,3,__absent__,__absent__',
        'r,1700000000004,18446744073709551616,"__absent__","{""a"":[1,true]}"',
        't,1700000000005,__absent__,__absent__,__absent__',
        'u,1700000000006,-0,__absent__,1.5',
        '',
      ].join('\n'),
    );
  });

  it('begins a new file when the columns change, within a batch too', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.csv');
    await lane.write(rows(1));
    await lane.write([rowEvent(2), rowEvent(3, { table: wide }), rowEvent(4)]);
    await lane.write(rows(5));
    const header = '__op,__source_ts_ms,id,note\n';
    expect(await lane.names()).toEqual(['orders.1.csv', 'orders.2.csv', 'orders.csv']);
    expect([await lane.text('orders.1.csv'), await lane.text('orders.2.csv'), await lane.text('orders.csv')]).toEqual([
      `${header}c,1700000000001,1,row 1\nc,1700000000002,2,row 2\n`,
      '__op,__source_ts_ms,id,note,extra\nc,1700000000003,3,row 3,__absent__\n',
      `${header}c,1700000000004,4,row 4\nc,1700000000005,5,row 5\n`,
    ]);
  });

  it('collects the columns of rows without a schema', async () => {
    await using lane = await Lane.create();
    const table = tableNamed(null, 'events', []);
    await lane.start('{table}.csv', { csv: { absent_value: '' } });
    await lane.write([
      rowEvent(1, { table, after: { b: 1 } }),
      rowEvent(2, { table, after: {} }),
      rowEvent(3, { table, after: { a: 2 } }),
      rowEvent(4, { table, after: { b: 3 } }),
    ]);
    expect(await lane.text('events.1.csv')).toBe('__op,__source_ts_ms,b\nc,1700000000001,1\nc,1700000000002,\n');
    expect(await lane.text('events.csv')).toBe('__op,__source_ts_ms,b,a\nc,1700000000003,,2\nc,1700000000004,3,\n');
  });

  it('goes on in a file of the same columns, and leaves others alone', async () => {
    await using lane = await Lane.create();
    await writeFile(lane.at('orders.csv'), '__op,__source_ts_ms,id,note\nc,1,0,old');
    await writeFile(lane.at('theirs.csv'), 'a,b\n1,2\n');
    await lane.start('{table}.csv');
    await lane.write(rows(1));
    expect(await lane.text('orders.csv')).toBe('__op,__source_ts_ms,id,note\nc,1,0,old\nc,1700000000001,1,row 1\n');
    await expect(lane.write([rowEvent(2, { table: tableNamed(null, 'theirs') })])).rejects.toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
    });
    expect(await lane.text('theirs.csv')).toBe('a,b\n1,2\n');
  });

  it('leaves messages and schema changes out: they are no rows', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.csv');
    const message = rowEvent(2, { op: 'm', after: null, message: { prefix: 'a', content: new Uint8Array(), transactional: false } });
    expect(await lane.write([message, rowEvent(3, { op: 's', after: null }), rowEvent(1)])).toEqual({ kind: 'stored' });
    expect(await lane.text('orders.csv')).toBe('__op,__source_ts_ms,id,note\nc,1700000000001,1,row 1\n');
  });

  it('does not mix tables in one file', async () => {
    await using lane = await Lane.create();
    await lane.start('all.csv');
    await lane.write(rows(1));
    await expect(lane.write([rowEvent(2, { table: tableNamed('shop', 'customers') })])).rejects.toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
      fix: expect.stringContaining('{table}'),
    });
  });

  it('leaves the header out when told to', async () => {
    await using lane = await Lane.create();
    await lane.start('{table}.csv', { csv: { header: false, delimiter: ';' } });
    await lane.write(rows(1));
    expect(await lane.text('orders.csv')).toBe('c;1700000000001;1;row 1\n');
  });
});

describe('errors', () => {
  it.each([
    ['ENOSPC', 'DESTINATION_FULL', true],
    ['EDQUOT', 'DESTINATION_FULL', true],
    ['EACCES', 'DESTINATION_FORBIDDEN', false],
    ['EROFS', 'DESTINATION_FORBIDDEN', false],
    ['ENAMETOOLONG', 'DESTINATION_MISCONFIGURED', false],
    ['EIO', 'DESTINATION_FAILED', true],
  ])('%s becomes %s', (code, expected, retriable) => {
    expect(toFileError(Object.assign(new Error(code), { code, path: '/out/a' }), 'destination "files"')).toMatchObject({
      code: expected,
      retriable,
      where: 'destination "files"',
      fix: expect.any(String),
    });
  });

  it('tells a commit without a known outcome apart', () => {
    expect(toFileError(new UncertainError('EIO'), 'x')).toMatchObject({ code: 'DESTINATION_OUTCOME_UNKNOWN' });
  });

  it('finds out whether the folder can be written without writing', async () => {
    await using lane = await Lane.create();
    await writeFile(lane.at('file'), '');
    const levels = async (path: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const { level, code } of lane.destination(path).check()) found.push(`${level} ${code ?? ''}`);
      return found;
    };
    expect(await levels('a/b/{table}.ndjson')).toEqual(['ok ']);
    expect(await levels('file/{table}.ndjson')).toEqual(['error DESTINATION_MISCONFIGURED']);
    expect(await lane.names()).toEqual(['file']);
  });

  it.each<[Change & { path: string }, string]>([
    [{ path: 'out/{tabel}.ndjson' }, '"{tabel}" is not known'],
    [{ path: 'out/' }, 'names a folder'],
    [{ path: 'out/..' }, 'names a folder'],
    [{ path: 'a.ndjson', rotate: { max_files: 3 } }, 'nothing is ever rotated'],
    [{ path: 'a.csv', csv: { delimiter: '"' } }, 'cannot be a quote'],
  ])('refuses the configuration %o', (change, message) => {
    const config = { ...defaults, ...change, rotate: { ...defaults.rotate, ...change.rotate }, csv: { ...defaults.csv, ...change.csv } };
    expect(
      validate(config)
        .map((p) => p.message)
        .join(),
    ).toContain(message);
  });
});
