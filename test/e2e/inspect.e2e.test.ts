// Commands beside a run: status, validate, plan, adapters, schema, generate-config, health.

import { describe, expect, it } from 'vitest';
import { Workspace } from './process.ts';

const CONTINUOUS = 'name: orders\nsource: {type: generator, rate: 100}\ndestination: {type: "null"}\nsync: {mode: continuous}\n';

describe('cdc-run status', () => {
  it('shows a running pipeline, and afterwards where it stands', async () => {
    using work = new Workspace();
    work.write('orders.yaml', CONTINUOUS);
    const run = work.start(['orders.yaml']);
    await run.until(/"msg":"first run"/);
    const running = await work.run(['status']);
    expect(running).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^● orders {2}running for .* · continuous · process \d+\n {2}from {2}generator {2}streaming {2}\d+ events/,
      ),
    });
    expect(JSON.parse((await work.run(['status', 'orders', '--json'])).out)).toMatchObject({
      ok: true,
      running: [{ name: 'orders', pid: run.child.pid, state: 'running' }],
      stopped: [],
    });

    run.child.kill('SIGTERM');
    await run.ended;
    const stopped = await work.run(['status']);
    expect(stopped).toMatchObject({ code: 0, out: expect.stringMatching(/^○ orders {2}not running\n {2}last run {2}#1 stopped at /) });
    expect(JSON.parse((await work.run(['status', '--json'])).out)).toMatchObject({
      running: [],
      stopped: [{ name: 'orders', lastRun: { outcome: 'stopped' } }],
    });
  });

  it('reads the state after the process was killed, and the dead socket does no harm', async () => {
    using work = new Workspace();
    work.write('orders.yaml', CONTINUOUS);
    const run = work.start(['orders.yaml']);
    await run.until(/"msg":"first run"/);
    run.child.kill('SIGKILL');
    await run.ended;
    expect(await work.run(['status', 'orders'])).toMatchObject({ code: 0, out: expect.stringContaining('○ orders  not running') });
  });

  it('creates nothing, and says what it has looked at', async () => {
    using work = new Workspace();
    expect(await work.run(['status'])).toMatchObject({ code: 0, out: expect.stringContaining('.cdc/state.db') });
    expect(await work.run(['status', 'nobody'])).toMatchObject({ code: 3, err: expect.stringContaining('CONTROL_UNREACHABLE') });
    expect(() => work.read('.cdc/state.db')).toThrow();
  });
});

describe('health checks of a running pipeline', () => {
  it('answer on loopback, with metrics', async () => {
    using work = new Workspace();
    work.write('orders.yaml', `${CONTINUOUS}health_checks: {enabled: true, port: 0}\n`);
    const run = work.start(['orders.yaml']);
    const [, url = ''] = await run.until(/"url":"(http:\/\/127\.0\.0\.1:\d+)\/health"/);
    await run.until(/"msg":"first run"/);
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: 'ok', pipelines: [{ name: 'orders', state: 'running' }] });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(Number(/^cdc_events_read_total\{pipeline="orders",source="generator"\} (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
    run.child.kill('SIGTERM');
    expect((await run.ended).code).toBe(0);
  });
});

describe('cdc-run validate', () => {
  it('accepts what runs, offline', async () => {
    using work = new Workspace();
    work.write('orders.yaml', CONTINUOUS);
    expect(await work.run(['validate', 'orders.yaml'])).toMatchObject({
      code: 0,
      err: '',
      out: '✔ orders.yaml  orders: generator → null (continuous)\n\n1 pipeline, no problems\n',
    });
  });

  it('reports all problems at once for people and for machines, with exit 2', async () => {
    using work = new Workspace();
    work.write('bad.yaml', 'name: bad\nsource: {type: generatr}\ndestination: {type: console, formt: json}\n');
    const text = await work.run(['validate', 'bad.yaml']);
    expect(text.code).toBe(2);
    expect(text.out).toMatch(/\n2 problems\n$/);
    const json = await work.run(['validate', 'bad.yaml', '--json']);
    expect(json.code).toBe(2);
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      problems: [
        { code: 'CONFIG_UNKNOWN_TYPE', line: 2, suggestion: 'generator' },
        { code: 'CONFIG_UNKNOWN_KEY', line: 3, suggestion: 'format' },
      ],
    });
  });

  it('asks the servers with --connect: exit 4 when one says no', async () => {
    using work = new Workspace();
    work.write(
      'orders.yaml',
      'name: orders\nsource: {type: generator}\ndestinations: [{type: postgresql, url: "postgresql://app:hunter2@127.0.0.1:1/shop"}, {type: "null"}]\n',
    );
    expect((await work.run(['validate', 'orders.yaml'])).code).toBe(0);
    const { code, out, err } = await work.run(['validate', 'orders.yaml', '--connect']);
    expect(code).toBe(4);
    expect(out).toMatch(/orders destination postgresql \(postgresql\)\n {2}✖ .*DESTINATION_UNREACHABLE/);
    expect(out).toContain('1 pipeline, 1 check said no');
    expect(out + err).not.toContain('hunter2');
  });

  it('reads variables from --env-file and keys from --set', async () => {
    using work = new Workspace();
    work.write('orders.yaml', 'name: ${NAME}\nsource: {type: generator}\ndestination: {type: "null"}\n');
    work.write('.env.test', 'NAME=from_env_file\n');
    expect((await work.run(['validate', 'orders.yaml'])).code).toBe(2);
    expect((await work.run(['validate', 'orders.yaml', '--env-file', '.env.test'])).out).toContain('from_env_file: generator → null (');
    expect((await work.run(['validate', 'orders.yaml', '--env-file', '.env.test', '--set', 'sync.mode=one_time'])).out).toContain(
      '(one_time)',
    );
  });
});

describe('cdc-run plan', () => {
  it('says what is guaranteed per source and destination, and what is created', async () => {
    using work = new Workspace();
    work.write(
      'orders.yaml',
      'name: orders\nsource: {type: generator}\ndestinations: [{name: files, type: file, path: out.ndjson}, {type: console}]\n',
    );
    const { code, out } = await work.run(['plan', 'orders.yaml']);
    expect(code).toBe(0);
    expect(out).toMatch(/generator → files {4}effectively-once/);
    expect(out).toMatch(/generator → console {2}at-least-once .*after a crash some events come twice/);
    expect(out).toContain('Creates');
    const json = JSON.parse((await work.run(['plan', 'orders.yaml', '--json'])).out) as unknown;
    expect(json).toMatchObject({
      ok: true,
      plans: [
        {
          name: 'orders',
          guarantees: [
            { destination: 'files', kind: 'effectively-once' },
            { destination: 'console', kind: 'at-least-once', repeatsHarmless: false },
          ],
        },
      ],
    });
  });
});

describe('cdc-run generate-config', () => {
  it('writes a pipeline that validates and runs, and replaces nothing without --force', async () => {
    using work = new Workspace();
    const args = [
      'generate-config',
      '--source',
      'generator',
      '--destination',
      'file',
      '--destination',
      'file',
      '--mode',
      'one_time',
      '--name',
      'orders',
      '--set',
      'source.count=7',
      '--set',
      'destinations[0].path=a.ndjson',
      '--set',
      'destinations[1].path=b.ndjson',
    ];
    const first = await work.run(args);
    expect(first).toMatchObject({ code: 0, out: expect.stringContaining('wrote pipelines/orders.yaml') });
    const text = work.read('pipelines/orders.yaml');
    expect(text).toMatch(/^# yaml-language-server: \$schema=\S+pipeline\.schema\.json\n/);
    expect((await work.run(['validate'])).code).toBe(0);
    expect((await work.run(['start'])).code).toBe(0);
    expect([work.lines('a.ndjson').length, work.lines('b.ndjson').length]).toEqual([7, 7]);

    expect(await work.run(args)).toMatchObject({ code: 2, err: expect.stringContaining('--force') });
    expect(work.read('pipelines/orders.yaml')).toBe(text);
    expect((await work.run([...args, '--force'])).code).toBe(0);
  });

  it('names the type that was meant', async () => {
    using work = new Workspace();
    expect(await work.run(['init', '--source', 'generatr', '--destination', 'console'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean "generator"?'),
    });
  });
});

describe('cdc-run adapters and schema', () => {
  it('list every type once, ready or not', async () => {
    using work = new Workspace();
    const { types } = JSON.parse((await work.run(['adapters', '--json'])).out) as {
      types: { kind: string; type: string; available: boolean; capabilities: unknown }[];
    };
    expect(new Set(types.map((t) => `${t.kind} ${t.type}`)).size).toBe(types.length);
    expect(types).toContainEqual(
      expect.objectContaining({
        kind: 'source',
        type: 'generator',
        available: true,
        capabilities: expect.objectContaining({ ordering: 'log' }),
      }),
    );
    expect(types).toContainEqual(expect.objectContaining({ kind: 'source', type: 'pulsar', available: false, capabilities: null }));
    const text = await work.run(['adapters']);
    for (const { type } of types) expect(text.out).toContain(type);
  });

  it('prints the schema of a type', async () => {
    using work = new Workspace();
    const { code, out } = await work.run(['schema', 'generator']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ type: 'object', additionalProperties: false, properties: { count: {}, rate: {} } });
    expect(await work.run(['schema', 'generatr'])).toMatchObject({ code: 2, err: expect.stringContaining('cdc-run schema generator') });
  });

  it('end quietly when their output is not read to its end', async () => {
    using work = new Workspace();
    const run = work.start(['schema', 'generator']);
    run.child.stdout?.destroy();
    const { code, err } = await run.ended;
    expect([code, err]).toEqual([0, '']);
  });
});
