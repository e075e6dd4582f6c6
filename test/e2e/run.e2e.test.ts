// Running pipelines as a user does: what is delivered, what is printed, how it ends.

import { resolve } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { Workspace } from './process.ts';

const TABLES = ['customers', 'products', 'orders', 'order_items'] as const;

type Tables = Record<string, Record<string, unknown>[]>;

function rowsOf(work: Workspace, file: string): Tables {
  const db = new Database(work.path(file), { readonly: true });
  try {
    return Object.fromEntries(
      TABLES.map((table) => [table, db.prepare(`SELECT * FROM "${table}" ORDER BY 1, 2`).all() as Record<string, unknown>[]]),
    );
  } finally {
    db.close();
  }
}

/** The shop as it must look behind its data masking. */
function masked(shop: Tables): Tables {
  return { ...shop, customers: (shop['customers'] ?? []).map((row) => ({ ...row, card_number: '****-****-****-****' })) };
}

const toFile = (options: string): string => `
name: orders
source: {type: generator, ${options}}
destination: {type: file, path: out.ndjson, envelope: plain}
`;

describe('cdc-run <file>', () => {
  it('delivers everything, says so, and continues at the second run where it stood', async () => {
    using work = new Workspace();
    work.write('orders.yaml', `${toFile('count: 500, event_time: sequence')}sync: {mode: one_time}\n`);
    const first = await work.run(['orders.yaml']);
    expect(first).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^✔ orders {2}done in .* · first run\n {2}from {2}generator {2}500 events.*, now at .*500\n {2}to {4}file {7}500 delivered\n$/,
      ),
    });
    const delivered = work.lines('out.ndjson');
    expect(delivered).toHaveLength(500);

    const second = await work.run(['orders.yaml']);
    expect(second).toMatchObject({ code: 0, out: expect.stringMatching(/^✔ orders {2}done in .* · continued from .*500, nothing new\n/) });
    expect(work.lines('out.ndjson')).toEqual(delivered);
  });

  it('ends after --limit and goes on with the next event', async () => {
    using work = new Workspace();
    work.write('orders.yaml', `${toFile('event_time: sequence')}sync: {mode: continuous, batch_size: 10}\n`);
    const first = await work.run(['orders.yaml', '--limit', '30', '--json']);
    const summary = JSON.parse(first.out) as { eventsRead: number };
    expect(first.code).toBe(0);
    expect(summary.eventsRead).toBeGreaterThanOrEqual(30);
    expect(work.lines('out.ndjson')).toHaveLength(summary.eventsRead);

    const second = await work.run(['orders.yaml', '--limit', '30', '--json']);
    const total = summary.eventsRead + (JSON.parse(second.out) as { eventsRead: number }).eventsRead;
    expect(new Set(work.lines('out.ndjson')).size).toBe(total);
    expect(work.lines('out.ndjson')).toHaveLength(total);
  });

  it('writes one JSON document per pipeline on stdout and JSON lines on stderr', async () => {
    using work = new Workspace();
    work.write(
      'a.yaml',
      'name: a\nsource: {type: generator, count: 3}\ndestination: {type: "null"}\n---\nname: b\nsource: {type: generator, count: 4}\ndestination: {type: "null"}\n',
    );
    const { code, out, err } = await work.run(['a.yaml', '--json', '--until-caught-up', '--log-level', 'debug']);
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([
      {
        kind: 'summary',
        ok: true,
        pipeline: 'a',
        outcome: 'done',
        eventsRead: 3,
        firstRun: true,
        destinations: [{ name: 'null', delivered: 3 }],
      },
      { kind: 'summary', ok: true, pipeline: 'b', outcome: 'done', eventsRead: 4 },
    ]);
    for (const line of err.split('\n').filter((l) => l !== ''))
      expect(JSON.parse(line)).toMatchObject({ ts: expect.any(String), level: expect.any(String), msg: expect.any(String) });
  });

  it('keeps stdout for the changes when a destination writes there', async () => {
    using work = new Workspace();
    work.write(
      'orders.yaml',
      'name: orders\nsource: {type: generator, count: 5}\ndestination: {type: console, envelope: plain}\nsync: {mode: one_time}\n',
    );
    const { code, out, err } = await work.run(['orders.yaml']);
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toHaveLength(5);
    expect(err).toContain('✔ orders  done in');
  });

  it('ends quietly when the reader of stdout has seen enough', async () => {
    using work = new Workspace();
    work.write('orders.yaml', 'name: orders\nsource: {type: generator}\ndestination: {type: console}\n');
    const run = work.start(['orders.yaml']);
    run.child.stdout?.once('data', () => {
      run.child.stdout?.destroy();
    });
    const { code, err } = await run.ended;
    expect(code).toBe(0);
    expect(err).not.toMatch(/EPIPE|✖|at .*\.ts:/);
  });
});

describe('pipelines/orders.yaml', () => {
  const ORDERS = resolve('pipelines/orders.yaml');

  it('makes its shop, fans it out, and takes over what was traded since at the second run', async () => {
    using work = new Workspace();
    const first = await work.run([ORDERS]);
    expect(first).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^✔ orders {2}done in .* · first run\n {2}from {2}sqlite .*from the snapshot of 4 tables.*\n {2}to {4}replica {2}\d+ delivered\n {2}to {4}files {4}\d+ delivered\n$/,
      ),
    });
    expect(rowsOf(work, '.cdc/replica.db')).toEqual(masked(rowsOf(work, '.cdc/shop.db')));

    const second = await work.run([ORDERS]);
    expect(second).toMatchObject({ code: 0, out: expect.stringMatching(/^✔ orders {2}done in .* · continued from change \d+/) });
    expect(rowsOf(work, '.cdc/replica.db')).toEqual(masked(rowsOf(work, '.cdc/shop.db')));
    const lines = TABLES.flatMap((table) => work.lines(`.cdc/out/${table}.ndjson`));
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines.join('')).not.toMatch(/"card_number":"\d/);
  });

  it('says what is guaranteed, and passes its own checks', async () => {
    using work = new Workspace();
    expect((await work.run([ORDERS])).code).toBe(0);
    expect(await work.run(['plan', ORDERS])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/sqlite → replica {2}effectively-once.*\n {2}sqlite → files {4}effectively-once/),
    });
    expect(await work.run(['validate', ORDERS, '--connect'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 pipeline, no problems, all checks passed'),
    });
    expect(await work.run(['status', 'orders'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^○ orders {2}not running\n {2}last run {2}#1 done at /),
    });
  });
});

describe('stopping', () => {
  it('drains and checkpoints on SIGTERM, so that the next run repeats nothing', async () => {
    using work = new Workspace();
    work.write('orders.yaml', `${toFile('rate: 2000, event_time: sequence')}sync: {mode: continuous}\n`);
    const run = work.start(['orders.yaml', '--json']);
    await run.until(/"msg":"first run"/);
    run.child.kill('SIGTERM');
    const { code, out } = await run.ended;
    const summary = JSON.parse(out) as { eventsRead: number; outcome: string };
    expect([code, summary.outcome]).toEqual([0, 'stopped']);
    expect(summary.eventsRead).toBeGreaterThan(0);
    expect(work.lines('out.ndjson')).toHaveLength(summary.eventsRead);

    const next = await work.run(['orders.yaml', '--limit', '10', '--json']);
    const total = summary.eventsRead + (JSON.parse(next.out) as { eventsRead: number }).eventsRead;
    expect(new Set(work.lines('out.ndjson')).size).toBe(total);
    expect(work.lines('out.ndjson')).toHaveLength(total);
  });

  it('ends at once on a second signal with 128+n', async () => {
    using work = new Workspace();
    // Nobody reads stdout: the destination hangs in its write, so the drain cannot end.
    work.write('orders.yaml', 'name: orders\nsource: {type: generator}\ndestination: {type: console}\nsync: {mode: continuous}\n');
    const run = work.start(['orders.yaml']);
    run.child.stdout?.pause();
    await run.until(/"msg":"first run"/);
    run.child.kill('SIGINT');
    await run.until(/"msg":"stopping"/);
    run.child.kill('SIGINT');
    const exit = await new Promise<number | null>((resolve) => {
      run.child.once('exit', (code) => {
        resolve(code);
      });
    });
    expect(exit).toBe(130);
  });
});

describe('what goes wrong', () => {
  it('is exit 2 with file, line and column for a bad configuration, and nothing is started', async () => {
    using work = new Workspace();
    work.write('bad.yaml', 'name: bad\nsource:\n  type: generator\n  cuont: 5\ndestination: {type: file, path: out.ndjson}\n');
    const { code, out, err } = await work.run(['bad.yaml']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('bad.yaml:4:3 CONFIG_UNKNOWN_KEY');
    expect(err).toContain('did you mean "count"?');
    expect(() => work.read('out.ndjson')).toThrow();
  });

  it('is exit 3 when a destination is down and --fail-fast is given', async () => {
    using work = new Workspace();
    work.write(
      'orders.yaml',
      'name: orders\nsource: {type: generator, count: 5}\ndestination: {type: postgresql, url: "postgresql://app:hunter2@127.0.0.1:1/shop"}\n',
    );
    const { code, out, err } = await work.run(['orders.yaml', '--fail-fast']);
    expect(code).toBe(3);
    expect(err).toContain('✖ DESTINATION_UNREACHABLE');
    expect(err).toContain('fix:');
    expect(out + err).not.toMatch(/hunter2|at .*\.ts:\d/);
  });

  it('waits for a destination that is down, and says so, without --fail-fast', async () => {
    using work = new Workspace();
    work.write(
      'orders.yaml',
      'name: orders\nsource: {type: generator, count: 5}\ndestination: {type: postgresql, url: "postgresql://app:hunter2@127.0.0.1:1/shop"}\n',
    );
    const run = work.start(['orders.yaml']);
    await run.until(/DESTINATION_UNREACHABLE/);
    expect(run.child.exitCode).toBeNull();
    run.child.kill('SIGTERM');
    const { code, err } = await run.ended;
    expect(code).toBe(0);
    expect(err).not.toContain('hunter2');
  });

  it('is one readable block for a damaged state file, which is left as it is', async () => {
    using work = new Workspace();
    work.write('orders.yaml', 'name: orders\nsource: {type: generator, count: 5}\ndestination: {type: "null"}\nstate: {path: state.db}\n');
    work.write('state.db', 'this is not a database, and long enough to be looked at as one. '.repeat(20));
    const before = work.read('state.db');
    const { code, err } = await work.run(['orders.yaml']);
    expect(code).toBeGreaterThan(0);
    expect(err).toMatch(/^✖ STATE_/m);
    expect(err).not.toMatch(/at .*\.ts:\d/);
    expect(work.read('state.db')).toBe(before);
  });

  it('is exit 3 when the health port is taken', async () => {
    using work = new Workspace();
    const pipeline = (name: string, port: number): string =>
      `name: ${name}\nsource: {type: generator, rate: 10}\ndestination: {type: "null"}\nhealth_checks: {enabled: true, port: ${port}}\n`;
    const { createServer } = await import('node:net');
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => {
      taken.once('listening', resolve);
    });
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    work.write('orders.yaml', pipeline('orders', port));
    const { code, err } = await work.run(['orders.yaml']);
    taken.close();
    expect(code).toBe(3);
    expect(err).toContain('✖ HEALTH_PORT_UNAVAILABLE');
  });
});
