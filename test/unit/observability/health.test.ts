import { describe, expect, it } from 'vitest';
import type { PipelineStatus } from '../../../src/engine/api.ts';
import { type HealthServer, type HealthServerConfig, isLoopback, openHealthServer } from '../../../src/observability/health.ts';
import { groups, openHealthServers } from '../../../src/observability/health-group.ts';
import { CdcError, silentLogger } from '../../../src/sdk/index.ts';
import { parseExposition } from './exposition.ts';
import { fakeConfig, fakeHandle, fakeHealth, fakeLane, fakeStatus, NOW_MS, stoppedClock } from './fake-status.ts';

async function serve(
  statuses: readonly PipelineStatus[],
  config: Partial<HealthServerConfig> = {},
): Promise<
  AsyncDisposable & {
    get: (path: string, init?: RequestInit) => Promise<{ code: number; body: ReturnType<typeof JSON.parse>; text: string }>;
    server: HealthServer;
  }
> {
  const server = await openHealthServer(
    { ...fakeHealth(), ...config },
    {
      clock: stoppedClock,
      logger: silentLogger,
      errors: async () => [],
      pipelines: () => statuses.map((status) => ({ status, stallAfterMs: 60_000 })),
    },
  );
  return {
    server,
    async get(path, init) {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
      const text = await response.text();
      return {
        code: response.status,
        text,
        body: response.headers.get('content-type')?.startsWith('application/json') && text !== '' ? JSON.parse(text) : null,
      };
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const stalled = fakeStatus({ lastProgressMs: NOW_MS - 60_001, lanes: [fakeLane({ queued: 1 })] });

describe('the health server', () => {
  it('says that all is well, per pipeline, source and destination', async () => {
    await using health = await serve([fakeStatus()]);
    const { code, body } = await health.get('/health');
    expect(code).toBe(200);
    expect(body).toMatchObject({
      status: 'ok',
      pipelines: [
        {
          name: 'orders',
          status: 'ok',
          state: 'running',
          alive: true,
          ready: true,
          lastProgressMs: NOW_MS - 100,
          sources: [{ name: 'shop', read: 12 }],
          destinations: [{ name: 'replica', lagMs: 120 }],
        },
      ],
    });
    expect(body.pipelines[0].checks.map((c: { name: string }) => c.name)).toEqual([
      'pipeline',
      'progress',
      'log',
      'source:shop',
      'destination:replica',
    ]);
  });

  it('answers 200 and "degraded" while a destination is retried, without its credentials', async () => {
    const lastError = new CdcError('DESTINATION_UNREACHABLE', 'postgresql://app:hunter2@db refused');
    await using health = await serve([fakeStatus({ lanes: [fakeLane({ state: 'retrying', lastError })] })]);
    const { code, body, text } = await health.get('/health');
    expect([code, body.status]).toEqual([200, 'degraded']);
    expect(text).not.toContain('hunter2');
    expect((await health.get('/readyz')).code).toBe(503);
    expect((await health.get('/healthz')).code).toBe(200);
  });

  it('answers 503 on /health when a pipeline has failed', async () => {
    await using health = await serve([
      fakeStatus(),
      fakeStatus({ name: 'other', state: 'failed', error: new CdcError('STATE_CORRUPT', 'damaged') }),
    ]);
    const { code, body } = await health.get('/health');
    expect([code, body.status, body.pipelines.map((p: { status: string }) => p.status)]).toEqual([503, 'failed', ['ok', 'failed']]);
  });

  it('is not alive when nothing moves, and says which pipeline', async () => {
    await using health = await serve([fakeStatus(), { ...stalled, name: 'stuck' }]);
    expect(await health.get('/healthz')).toMatchObject({
      code: 503,
      body: { status: 'stalled', stalled: ['stuck'], lastProgressMs: NOW_MS - 100 },
    });
  });

  it('is not ready before the pipelines are there', async () => {
    await using health = await serve([]);
    expect((await health.get('/readyz')).code).toBe(503);
    expect((await health.get('/healthz')).code).toBe(200);
  });

  it('serves metrics that a strict parser takes, twice', async () => {
    await using health = await serve([fakeStatus()]);
    for (let i = 0; i < 2; i++) {
      const { code, text } = await health.get('/metrics');
      expect(code).toBe(200);
      expect(parseExposition(text).get('cdc_events_delivered_total')?.series[0]?.value).toBe(12);
    }
  });

  it('serves the other metrics when the state file cannot be read', async () => {
    const server = await openHealthServer(fakeHealth(), {
      clock: stoppedClock,
      logger: silentLogger,
      errors: async () => Promise.reject(new CdcError('STATE_UNAVAILABLE', 'locked')),
      pipelines: () => [{ status: fakeStatus(), stallAfterMs: 60_000 }],
    });
    const families = parseExposition(await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text());
    expect(families.get('cdc_events_read_total')?.series).toHaveLength(1);
    expect(families.get('cdc_errors_total')?.series).toHaveLength(0);
    await server.close();
  });

  it('serves the configured endpoints, and their checks only', async () => {
    const endpoints = [
      { path: '/status', format: 'json' as const, checks: ['database', 'memory', 'kafka'] },
      { path: '/prom', format: 'prometheus' as const, checks: [] },
    ];
    await using health = await serve([fakeStatus()], { endpoints });
    const { body } = await health.get('/status/?x=1');
    expect(body.pipelines[0].checks.map((c: { name: string }) => c.name)).toEqual([
      'source:shop',
      'destination:replica',
      'memory',
      'kafka',
    ]);
    expect((await health.get('/prom')).text).toContain('cdc_events_read_total');
  });

  it.each([
    ['POST', '/health', 405],
    ['GET', '/', 404],
    ['GET', '/../etc/passwd', 404],
    ['HEAD', '/health', 200],
  ])('answers %s %s with %i', async (method, path, code) => {
    await using health = await serve([fakeStatus()]);
    expect((await health.get(path, { method })).code).toBe(code);
  });

  it('names the port and what to do when it is taken', async () => {
    await using first = await serve([]);
    await expect(
      openHealthServer(fakeHealth({ port: first.server.port }), {
        clock: stoppedClock,
        logger: silentLogger,
        errors: async () => [],
        pipelines: () => [],
      }),
    ).rejects.toMatchObject({
      code: 'HEALTH_PORT_UNAVAILABLE',
      message: expect.stringContaining(`127.0.0.1:${first.server.port}: another program uses it`),
      where: 'health_checks.port',
    });
  });

  it('beyond loopback shows details only with the token, and the probes as one word', async () => {
    await using health = await serve([fakeStatus()], { host: '0.0.0.0', token: 'letmein' });
    expect(await health.get('/healthz')).toMatchObject({ code: 200, body: { status: 'alive' } });
    expect(Object.keys((await health.get('/healthz')).body)).toEqual(['status']);
    expect((await health.get('/health')).code).toBe(401);
    expect((await health.get('/metrics', { headers: { authorization: 'Bearer wrong' } })).code).toBe(401);
    expect((await health.get('/metrics', { headers: { authorization: 'Bearer letmein' } })).code).toBe(200);
  });

  it('beyond loopback without a token shows nothing but the probes', async () => {
    await using health = await serve([fakeStatus()], { host: '0.0.0.0' });
    expect((await health.get('/readyz')).code).toBe(200);
    for (const authorization of ['', 'Bearer ', 'Bearer undefined', 'Bearer null']) {
      expect((await health.get('/health', { headers: { authorization } })).code).toBe(401);
    }
  });
});

describe('isLoopback', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['localhost', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['127.0.0.1.example.com', false],
  ])('%s: %j', (host, loopback) => {
    expect(isLoopback(host)).toBe(loopback);
  });
});

describe('health servers of several pipelines', () => {
  it('share one when they name the same host and port, and leave out pipelines that ask for none', () => {
    const endpoint = (path: string) => ({ path, format: 'json' as const, checks: [] });
    const found = groups([
      fakeConfig({ name: 'a', health: fakeHealth({ port: 8080, endpoints: [endpoint('/a')] }) }),
      fakeConfig({ name: 'b', health: fakeHealth({ port: 8080, endpoints: [endpoint('/b')] }) }),
      fakeConfig({ name: 'c', health: fakeHealth({ port: 8081 }) }),
      fakeConfig({ name: 'd', health: fakeHealth({ enabled: false }) }),
    ]);
    expect(found.map(([config, names]) => [config.port, config.endpoints.map((e) => e.path), [...names]])).toEqual([
      [8080, ['/a', '/b'], ['a', 'b']],
      [8081, [], ['c']],
    ]);
  });

  it('close what is open when one of them cannot be opened', async () => {
    await using taken = await serve([]);
    const configs = [
      fakeConfig({ name: 'a', health: fakeHealth() }),
      fakeConfig({ name: 'b', health: fakeHealth({ port: taken.server.port }) }),
    ];
    await expect(
      openHealthServers(configs, () => [], { clock: stoppedClock, logger: silentLogger, errors: async () => [] }),
    ).rejects.toMatchObject({ code: 'HEALTH_PORT_UNAVAILABLE' });
  });

  it('show only the pipelines that named them', async () => {
    const configs = ['a', 'b'].map((name) => fakeConfig({ name, health: fakeHealth({ enabled: name === 'a' }) }));
    const handles = configs.map((config) => fakeHandle(fakeStatus({ name: config.name }), config));
    const [server] = await openHealthServers(configs, () => handles, { clock: stoppedClock, logger: silentLogger, errors: async () => [] });
    const response = await fetch(`http://127.0.0.1:${server?.port}/health`);
    expect(((await response.json()) as { pipelines: { name: string }[] }).pipelines.map((p) => p.name)).toEqual(['a']);
    await server?.close();
  });
});
