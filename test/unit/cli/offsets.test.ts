import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runPipeline } from '../../../src/index.ts';
import { parsePoint } from '../../../src/sdk/index.ts';
import { openStateStore } from '../../../src/state/open.ts';
import type { StateStore } from '../../../src/state/store.ts';
import { readSqlite } from '../../helpers/read-sqlite.ts';
import { cli } from './world.ts';

/** A pipeline of twenty made events, with a destination that keeps its point and one that cannot. */
class Shop implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'cdc-offsets-'));
  readonly file = join(this.dir, 'orders.yaml');

  constructor(more = '') {
    this.write('replica', more);
  }
  write(replica: string, more = ''): void {
    writeFileSync(
      this.file,
      `name: orders
source: {type: generator, name: shop, count: 20}
destinations:
  - {name: ${replica}, type: sqlite, path: ${join(this.dir, 'replica.db')}}
  - {name: nowhere, type: "null"}
sync: {mode: one_time}
state: {type: file, path: ${join(this.dir, 'state')}}
error_handling: {dead_letter_queue: {path: ${join(this.dir, 'dlq.ndjson')}}}
${more}`,
    );
  }
  async run(): Promise<{ outcome: string; delivered: Record<string, number>; code: string | undefined }> {
    const run = await (await runPipeline(this.file)).done;
    return { outcome: run.outcome, delivered: { ...run.delivered }, code: run.error?.code };
  }
  async state<T>(use: (store: StateStore) => Promise<T>): Promise<T> {
    const store = await openStateStore({ type: 'file', path: join(this.dir, 'state') });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }
  async cursors(): Promise<Record<string, string>> {
    const { lanes } = await this.state((s) => s.load('orders'));
    return Object.fromEntries(Object.entries(lanes).map(([lane, l]) => [lane, String(Number(l.points[0]?.sources['shop']?.['0']))]));
  }
  /** Point and epoch that the destination holds. */
  held(): { at: string; epoch: number } {
    const [row] = readSqlite(join(this.dir, 'replica.db'), 'SELECT epoch, point FROM _cdc_run_points WHERE worker = 0');
    return { at: String(Number(parsePoint(String(row?.['point'])).sources['shop']?.['0'])), epoch: Number(row?.['epoch']) };
  }
  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

describe('cdc-run offsets', () => {
  it('shows where each lane stands, what destinations hold, and earlier checkpoints', async () => {
    using shop = new Shop();
    await shop.run();
    const { out } = await cli(['offsets', shop.file, '--connect', '--history']);
    expect(out.split('\n').slice(0, 4)).toEqual([
      expect.stringMatching(/^orders {2}epoch \d$/),
      '  lane     source  partition  cursor    holds',
      '  nowhere  shop    0          event 20',
      '  replica  shop    0          event 20  event 20',
    ]);
    expect(out).toMatch(/Checkpoints, newest first\n {2}1 {2}\S+ \S+ UTC {2}nowhere {2}the beginning\n +replica {2}the beginning/);
    const { out: json } = await cli(['offsets', shop.file, '--json', '--history']);
    expect(JSON.parse(json)).toMatchObject({
      ok: true,
      pipeline: 'orders',
      unfinished: null,
      rows: [{ lane: 'nowhere', position: '0000000000000020', at: 'event 20', held: null }, { lane: 'replica' }],
      history: [{ id: 1, lanes: { replica: [{ sources: {} }] } }],
    });
  });

  it('creates nothing for a pipeline that has never run, and says so', async () => {
    using shop = new Shop();
    expect((await cli(['offsets', shop.file])).error).toMatchObject({ code: 'STATE_MOVE_REFUSED', fix: expect.stringMatching(/Run/) });
    expect(existsSync(join(shop.dir, 'state'))).toBe(false);
  });

  it('names what is not configured any more', async () => {
    using shop = new Shop();
    await shop.run();
    shop.write('copy');
    expect((await cli(['offsets', shop.file])).out).toMatch(
      /! {2}replica {2}not configured any more: `cdc-run forget orders --lane replica`/,
    );
  });

  it.each([
    ['nothing', [], /No pipeline was named/],
    ['an unknown action', ['offsets', 'move', 'orders'], /not understood/],
  ])('does not understand %s', async (_what, args, message) => {
    expect((await cli(args.length === 0 ? ['offsets'] : args)).error).toMatchObject({
      code: 'USAGE_INVALID',
      message: expect.stringMatching(message),
    });
  });
});

describe('cdc-run offsets set', () => {
  const set = (shop: Shop, ...args: string[]) => cli(['offsets', 'set', shop.file, '--source', 'shop', ...args]);

  it('shows what would be sent again and changes nothing without --yes', async () => {
    using shop = new Shop();
    await shop.run();
    const before = await shop.state((s) => s.load('orders'));
    const { out, code } = await set(shop, '--position', '15');
    expect(code).toBe(0);
    expect(out).toContain('replica  shop/0  event 20 → event 15  what lies between is sent again');
    expect(out).toContain('Nothing was changed. Add --yes to do it.');
    expect(await shop.state((s) => s.load('orders'))).toEqual(before);
    expect(shop.held().at).toBe('20');
  });

  it('moves cursors and what destinations hold under a new epoch, and the next run sends from there', async () => {
    using shop = new Shop();
    await shop.run();
    const { epoch } = shop.held();
    expect((await set(shop, '--position', 'event 15', '--yes')).out).toContain('✔ done');
    expect(await shop.cursors()).toEqual({ nowhere: '15', replica: '15' });
    expect(shop.held()).toEqual({ at: '15', epoch: epoch + 1 });
    expect(await shop.run()).toMatchObject({ outcome: 'done', delivered: { nowhere: 5, replica: 5 } });
    expect(shop.held().at).toBe('20');
  });

  it('moves one lane alone, forward too, and says what is skipped', async () => {
    using shop = new Shop();
    await shop.run();
    await set(shop, '--position', '5', '--yes');
    const { out } = await set(shop, '--position', '12', '--lane', 'nowhere', '--yes');
    expect(out).toContain('nowhere  shop/0  event 5 → event 12  what lies between is skipped for good');
    expect(await shop.run()).toMatchObject({ delivered: { nowhere: 8, replica: 15 } });
  });

  it('keeps where it stood as a checkpoint, to go back to', async () => {
    using shop = new Shop();
    await shop.run();
    await set(shop, '--position', '15', '--yes');
    const { out } = await cli(['offsets', 'rollback', shop.file, '--to', '2', '--yes']);
    expect(out).toContain('replica  shop/0  event 15 → event 20  what lies between is skipped for good');
    expect(await shop.cursors()).toEqual({ nowhere: '20', replica: '20' });
  });

  it.each<[string, string[], string, RegExp]>([
    ['a position that the source cannot read', ['--position', 'yesterday'], 'USAGE_INVALID', /"yesterday" is no position of source "shop"/],
    ['no position', [], 'USAGE_INVALID', /needs --source and --position/],
    ['an unknown lane', ['--position', '5', '--lane', 'x'], 'STATE_MOVE_REFUSED', /no destination "x"/],
  ])('refuses %s', async (_what, args, code, message) => {
    using shop = new Shop();
    await shop.run();
    expect((await set(shop, ...args)).error).toMatchObject({
      code,
      message: expect.stringMatching(message),
      fix: expect.stringMatching(/\.$/),
    });
  });

  it('refuses an unknown source and says which there are', async () => {
    using shop = new Shop();
    await shop.run();
    const { error } = await cli(['offsets', 'set', shop.file, '--source', 'x', '--position', '1']);
    expect(error).toMatchObject({ code: 'USAGE_INVALID', fix: 'Use one of: shop.' });
  });

  it('refuses a running pipeline, and works once it has stopped', async () => {
    using shop = new Shop();
    await shop.run();
    const far = Date.UTC(2200, 0);
    await shop.state((s) => s.acquire('orders', 'elsewhere/x/1/y', far, far + 1000));
    expect((await set(shop, '--position', '5', '--yes')).error).toMatchObject({
      code: 'STATE_LOCKED',
      fix: expect.stringMatching(/^Stop the pipeline/),
    });
    await shop.state((s) => s.release('orders', 'elsewhere/x/1/y'));
    expect((await set(shop, '--position', '5', '--yes')).code).toBe(0);
  });
});

describe('a move that was begun', () => {
  /** As after a crash between the intent and its end: nothing of it was done, or the destination alone. */
  async function begin(shop: Shop, to: string): Promise<void> {
    await shop.run();
    await shop.state(async (s) => {
      const { lanes } = await s.load('orders');
      const point = { epoch: 0, log: null, sources: { shop: { '0': to.padStart(16, '0') as never } }, snapshots: [] };
      await s.acquire('orders', 'a/b/1/c', Date.now(), Date.now() + 1000);
      await s.save('orders', 'a/b/1/c', 0, {
        intent: { atMs: 0, what: 'a test', lanes: Object.fromEntries(Object.keys(lanes).map((l) => [l, point])) },
      });
      await s.release('orders', 'a/b/1/c');
    });
  }

  it('is finished by the next start', async () => {
    using shop = new Shop();
    await begin(shop, '7');
    expect(await shop.run()).toMatchObject({ outcome: 'done', delivered: { nowhere: 13, replica: 13 } });
    expect((await shop.state((s) => s.load('orders'))).intent).toBeNull();
  });

  it('is shown, and finished by the next command that moves', async () => {
    using shop = new Shop();
    await begin(shop, '7');
    expect((await cli(['offsets', shop.file])).out).toContain('begun and not finished, the next start finishes it: a test');
    const { out, err } = await cli(['offsets', 'set', shop.file, '--source', 'shop', '--position', '7']);
    expect(err).toContain('carrying out: a test');
    expect(out).toContain('Nothing to do');
    expect(shop.held().at).toBe('7');
    expect(await shop.cursors()).toEqual({ nowhere: '7', replica: '7' });
  });
});

describe('cdc-run offsets rollback', () => {
  it('goes back to a checkpoint by number or time', async () => {
    using shop = new Shop();
    await shop.run();
    const { out } = await cli(['offsets', 'rollback', shop.file, '--to', '1']);
    expect(out).toContain('replica  shop/0  event 20 → the beginning  what lies between is sent again');
    const later = await cli(['offsets', 'rollback', shop.file, '--to', new Date(Date.now() + 60_000).toISOString(), '--yes']);
    expect(later.out).toContain('✔ done');
    expect(await shop.run()).toMatchObject({ delivered: { nowhere: 20, replica: 20 } });
  });

  it.each([
    ['99', 'STATE_MOVE_REFUSED', /no checkpoint has the number 99 \(kept: 1\)/],
    ['2001-01-01T00:00:00Z', 'STATE_MOVE_REFUSED', /no checkpoint is as old/],
    ['soon', 'USAGE_INVALID', /neither a number nor a time/],
  ])('refuses --to %s', async (to, code, message) => {
    using shop = new Shop();
    await shop.run();
    expect((await cli(['offsets', 'rollback', shop.file, '--to', to])).error).toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('cdc-run offsets export and import', () => {
  it('carry points from one state to another', async () => {
    using shop = new Shop();
    await shop.run();
    const file = join(shop.dir, 'points.json');
    expect((await cli(['offsets', 'export', shop.file, '--out', file])).code).toBe(0);
    await cli(['offsets', 'set', shop.file, '--source', 'shop', '--position', '3', '--yes']);
    expect((await cli(['offsets', 'import', shop.file, '--in', file])).out).toContain('event 3 → event 20');
    await cli(['offsets', 'import', shop.file, '--in', file, '--yes']);
    expect(await shop.cursors()).toEqual({ nowhere: '20', replica: '20' });
    expect((await cli(['offsets', 'export', shop.file])).out).toContain('"format": "cdc-run offsets 1"');
    expect((await cli(['offsets', 'export', shop.file, '--out', file])).error).toMatchObject({ code: 'USAGE_INVALID' });
  });

  it.each<[string, (text: string) => string, RegExp]>([
    ['of another pipeline', (t) => t.replace('"orders"', '"other"'), /is of pipeline "other"/],
    ['of another format', (t) => t.replace('offsets 1', 'offsets 9'), /is not of the format/],
    ['with a position that the source cannot read', (t) => t.replaceAll('0000000000000020', 'twenty'), /"twenty" is no position/],
    ['without points', (t) => t.replaceAll('"sources"', '"x"'), /cannot be understood/],
    ['that is no JSON', () => '{', /cannot be understood/],
  ])('refuses a file %s', async (_what, change, message) => {
    using shop = new Shop();
    await shop.run();
    const file = join(shop.dir, 'points.json');
    await cli(['offsets', 'export', shop.file, '--out', file]);
    writeFileSync(file, change(readFileSync(file, 'utf8')));
    expect((await cli(['offsets', 'import', shop.file, '--in', file, '--yes'])).error).toMatchObject({
      code: 'USAGE_INVALID',
      message: expect.stringMatching(message),
    });
    expect(await shop.cursors()).toEqual({ nowhere: '20', replica: '20' });
  });
});

describe('cdc-run forget', () => {
  it('refuses a destination that is still configured', async () => {
    using shop = new Shop();
    await shop.run();
    expect((await cli(['forget', shop.file, '--lane', 'replica', '--yes'])).error).toMatchObject({ code: 'STATE_MOVE_REFUSED' });
    expect((await cli(['forget', shop.file, '--lane', 'x', '--yes'])).error).toMatchObject({
      message: expect.stringMatching(/no destination "x"/),
    });
  });

  it('removes a destination that is not configured any more, once it is told to', async () => {
    using shop = new Shop();
    await shop.run();
    shop.write('copy');
    const asked = await cli(['forget', shop.file, '--lane', 'replica']);
    expect(asked.out).toContain('Nothing was changed. Add --yes to do it.');
    expect(Object.keys(await shop.cursors())).toEqual(['nowhere', 'replica']);
    await cli(['forget', shop.file, '--lane', 'replica', '--yes']);
    expect(Object.keys(await shop.cursors())).toEqual(['nowhere']);
  });

  it('forgets the gap of a detached destination, which then joins anew', async () => {
    using shop = new Shop();
    await shop.run();
    await shop.state(async (s) => {
      const { lanes } = await s.load('orders');
      const [lane] = [lanes['nowhere']];
      if (lane === undefined) throw new Error('it ran');
      await s.acquire('orders', 'a/b/1/c', Date.now(), Date.now() + 1000);
      const detached = { from: lane.joinedAt, sinceMs: 1, reason: 'a test' };
      await s.save('orders', 'a/b/1/c', 0, { lanes: { nowhere: { ...lane, detached } } });
      await s.release('orders', 'a/b/1/c');
    });
    expect((await cli(['offsets', shop.file])).out).toContain('nowhere  detached, it gets nothing: a test');
    expect((await cli(['offsets', 'set', shop.file, '--source', 'shop', '--position', '5', '--lane', 'nowhere'])).error).toMatchObject({
      message: expect.stringMatching(/is detached/),
    });
    expect((await cli(['forget', shop.file, '--lane', 'nowhere'])).out).toContain('it joins anew by `start: snapshot`');
    await cli(['forget', shop.file, '--lane', 'nowhere', '--yes']);
    expect(await shop.run()).toMatchObject({ delivered: { nowhere: 20, replica: 0 } });
  });

  it('removes a pipeline with all its state, also when its file is gone', async () => {
    using shop = new Shop();
    await shop.run();
    expect((await cli(['forget', shop.file])).out).toContain('All state of pipeline orders is removed');
    rmSync(shop.file);
    const state = join(shop.dir, 'state');
    expect((await cli(['forget', 'orders', '--state', state, '--yes'])).out).toBe('✔ forgotten: pipeline orders\n');
    expect(await shop.state((s) => s.pipelines())).toEqual([]);
    expect((await cli(['forget', 'orders', '--state', state, '--yes'])).error).toMatchObject({ code: 'STATE_MOVE_REFUSED' });
  });
});
