// Opens a client of the driver, which is loaded here. The driver never connects again by itself and never sends a command a
// second time: a command whose answer was lost may have been done, and only its caller can find out (design.md section 3).

import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { tlsOptions } from '../tls.ts';
import { ConnectError } from './driver-errors.ts';
import type { Endpoint } from './endpoint.ts';

export type Client = Redis | Cluster;
type Options = RedisOptions & { readonly replyMapping: 'legacy' };

/** A dead peer is noticed by keepalives from this idle time on. */
const KEEPALIVE_DELAY_MS = 10_000;
/** How long a closing connection may take. */
const DISCONNECT_TIMEOUT_MS = 500;

/** Resolves when commands can be sent. Throws `CertificateFileError` and `ConnectError`. */
export async function openClient(endpoint: Endpoint, name: string): Promise<Client> {
  const [{ Redis: Single, Cluster: Many }, tls] = await Promise.all([import('ioredis'), tlsOptions(endpoint)]);
  const { cluster, sentinels } = endpoint;
  const common = commonOptions(endpoint, name, tls);
  const client: Client =
    cluster !== null
      ? new Many([...cluster], clusterOptions(common))
      : new Single({ ...(sentinels === null ? placeOf(endpoint) : sentinelOptions(sentinels, tls)), ...common });
  return connected(client);
}

function commonOptions(endpoint: Endpoint, name: string, tls: Awaited<ReturnType<typeof tlsOptions>>): Options {
  return {
    ...(endpoint.username === undefined ? {} : { username: endpoint.username }),
    ...(endpoint.password === undefined ? {} : { password: endpoint.password }),
    ...(tls === false ? {} : { tls }),
    db: endpoint.db,
    connectionName: name,
    // The older protocol serves every version, and gives all that is asked for here.
    protocol: 2,
    replyMapping: 'legacy',
    disableClientInfo: true,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    connectTimeout: endpoint.connectTimeoutMs,
    socketTimeout: endpoint.commandTimeoutMs,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: KEEPALIVE_DELAY_MS,
  };
}

function placeOf({ node: { host, port } }: Endpoint): RedisOptions {
  return host.startsWith('/') ? { path: host } : { host, port };
}

function sentinelOptions(sentinels: NonNullable<Endpoint['sentinels']>, tls: Awaited<ReturnType<typeof tlsOptions>>): RedisOptions {
  return {
    name: sentinels.master,
    sentinels: [...sentinels.nodes],
    ...(sentinels.username === undefined ? {} : { sentinelUsername: sentinels.username }),
    ...(sentinels.password === undefined ? {} : { sentinelPassword: sentinels.password }),
    ...(sentinels.tls && tls !== false ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
    sentinelRetryStrategy: () => null,
    role: 'master',
  };
}

function clusterOptions(common: Options) {
  const { retryStrategy: _, enableOfflineQueue: __, ...redisOptions } = common;
  return {
    redisOptions,
    lazyConnect: true,
    // The first command may come before a node's connection is there.
    enableOfflineQueue: true,
    enableReadyCheck: false,
    clusterRetryStrategy: () => null,
    // Refused commands (MOVED, ASK) are sent to the right node; those whose connection was lost never again.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    maxRedirections: 16,
  };
}

async function connected(client: Client): Promise<Client> {
  let last: unknown = null;
  // The listener stays: without one the driver writes errors to the console. Commands under way report the loss anyway.
  client.on('error', (error: Error & { lastNodeError?: unknown }) => {
    last = error.lastNodeError ?? error;
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    client.disconnect();
    throw new ConnectError('no connection', { cause: last ?? error });
  }
}
