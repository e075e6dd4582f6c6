// The health server: `/health`, `/healthz`, `/readyz`, `/metrics` and what `health_checks.endpoints` adds. Pipelines that name
// the same host and port share one server. Only GET, nothing is changed through it.
//
// On loopback it is open. On any other address the details need a token (`Authorization: Bearer …`): names of servers and
// errors are nobody's business. The two probes stay open there, and answer with one word.

import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { HealthConfig } from '../engine/pipeline-config.ts';
import { CdcError } from '../sdk/errors.ts';
import type { Logger } from '../sdk/logger.ts';
import type { Clock } from '../sdk/ports.ts';
import type { ErrorRecord } from '../state/store.ts';
import { type Endpoint, healthReply, livenessReply, type Reply, readinessReply, type WatchedPipeline } from './health-routes.ts';
import { createMetricsRenderer, type MetricsRenderer } from './metrics.ts';

export type HealthServerConfig = HealthConfig & { readonly token?: string | null };

export interface HealthDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The pipelines as they stand now; those whose `health_checks` name this server. */
  pipelines(): readonly WatchedPipeline[];
  /** Errors counted in state, for `/metrics`. */
  errors(pipeline: string): Promise<readonly ErrorRecord[]>;
}

export interface HealthServer {
  readonly host: string;
  /** The port in use: the system's choice when 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

type Kind = 'health' | 'healthz' | 'readyz' | 'metrics';
interface Route {
  readonly kind: Kind;
  readonly checks: readonly string[];
}

/** A probe that takes longer than this has given up; a client that sends slower than this is not a probe. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;

/** Opens the server. Throws `HEALTH_PORT_UNAVAILABLE`. */
export async function openHealthServer(config: HealthServerConfig, deps: HealthDeps): Promise<HealthServer> {
  const routes = routesOf(config.endpoints);
  const token = isLoopback(config.host) ? null : (config.token ?? '');
  if (token === '') {
    deps.logger.warn('health server: no token is set for an address beyond loopback, so only /healthz and /readyz answer there', {
      host: config.host,
      port: config.port,
    });
  }
  let renderer: Promise<MetricsRenderer> | null = null;
  const metrics = (): Promise<MetricsRenderer> => (renderer ??= createMetricsRenderer());

  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: REQUEST_TIMEOUT_MS },
    (req, res) => {
      handle(req, res, { routes, token, deps, metrics }).catch((error: unknown) => {
        deps.logger.error('health server: a request failed', { error });
        if (!res.headersSent) sendJson(res, 500, { status: 'error' });
        else res.destroy();
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, config);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  return {
    host: config.host,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function listen(server: ReturnType<typeof createServer>, { host, port }: HealthServerConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(listenError(cause, host, port));
    });
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): CdcError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program uses it',
    EACCES: 'not permitted (ports below 1024 need a privilege)',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'the host name is not known',
  };
  return new CdcError(
    'HEALTH_PORT_UNAVAILABLE',
    `The health server cannot listen on ${host}:${port}: ${why[cause.code ?? ''] ?? cause.message}`,
    {
      where: 'health_checks.port',
      fix: 'Choose another `health_checks.port`, or stop the program that uses this one.',
      cause,
    },
  );
}

interface Handling {
  readonly routes: ReadonlyMap<string, Route>;
  /** `null`: open. Empty: nothing but the probes. */
  readonly token: string | null;
  readonly deps: HealthDeps;
  metrics(): Promise<MetricsRenderer>;
}

async function handle(req: IncomingMessage, res: ServerResponse, { routes, token, deps, metrics }: Handling): Promise<void> {
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.setHeader('allow', 'GET, HEAD');
    sendJson(res, 405, { status: 'error', message: 'only GET and HEAD' });
    return;
  }
  const route = routes.get(pathOf(req));
  const known = token === null || hasToken(req, token);
  if (route === undefined) {
    sendJson(res, 404, { status: 'error', message: 'no such path', ...(known ? { paths: [...routes.keys()] } : {}) });
    return;
  }
  if (!known && route.kind !== 'healthz' && route.kind !== 'readyz') {
    res.setHeader('www-authenticate', 'Bearer');
    sendJson(res, 401, { status: 'error', message: 'a token is needed beyond loopback' });
    return;
  }
  const pipelines = deps.pipelines();
  if (route.kind === 'metrics') {
    await sendMetrics(res, await metrics(), pipelines, deps);
    return;
  }
  const reply = replyOf(route, pipelines, deps.clock.now());
  sendJson(res, reply.code, known ? reply.body : { status: reply.body['status'] });
}

function replyOf(route: Route, pipelines: readonly WatchedPipeline[], nowMs: number): Reply {
  if (route.kind === 'healthz') return livenessReply(pipelines, nowMs);
  if (route.kind === 'readyz') return readinessReply(pipelines);
  return healthReply(pipelines, route.checks, nowMs, process.memoryUsage.rss());
}

async function sendMetrics(
  res: ServerResponse,
  renderer: MetricsRenderer,
  pipelines: readonly WatchedPipeline[],
  deps: HealthDeps,
): Promise<void> {
  const errors = await countedErrors(pipelines, deps);
  const text = await renderer.render({ statuses: pipelines.map((p) => p.status), errors });
  res.writeHead(200, { 'content-type': renderer.contentType, 'cache-control': 'no-store' });
  res.end(text);
}

/** Without those that cannot be read now: the other metrics are wanted most when the state file is in trouble. */
async function countedErrors(pipelines: readonly WatchedPipeline[], deps: HealthDeps): Promise<Record<string, readonly ErrorRecord[]>> {
  const errors: Record<string, readonly ErrorRecord[]> = {};
  for (const { status } of pipelines) {
    try {
      errors[status.name] = await deps.errors(status.name);
    } catch (error) {
      deps.logger.warn('health server: counted errors cannot be read', { pipeline: status.name, error });
    }
  }
  return errors;
}

function sendJson(res: ServerResponse, code: number, body: object): void {
  res.writeHead(code, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  res.end(`${JSON.stringify(body)}\n`);
}

function routesOf(endpoints: readonly Endpoint[]): Map<string, Route> {
  const routes = new Map<string, Route>([
    ['/health', { kind: 'health', checks: [] }],
    ['/healthz', { kind: 'healthz', checks: [] }],
    ['/readyz', { kind: 'readyz', checks: [] }],
    ['/metrics', { kind: 'metrics', checks: [] }],
  ]);
  for (const { path, format, checks } of endpoints) {
    // The probes keep their meaning whatever an endpoint of the same path says: orchestrators rely on it.
    if (path === '/healthz' || path === '/readyz') continue;
    routes.set(path, { kind: format === 'prometheus' ? 'metrics' : 'health', checks });
  }
  return routes;
}

function pathOf(req: IncomingMessage): string {
  const path = (req.url ?? '/').split('?', 1)[0] ?? '/';
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function hasToken(req: IncomingMessage, token: string): boolean {
  if (token === '') return false;
  const given = Buffer.from(req.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
