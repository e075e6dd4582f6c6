// Where to connect, as whom, and how encrypted: URL or single keys, in one shape.

import { CdcError } from '../../sdk/index.ts';
import type { TlsEndpoint } from '../tls.ts';
import { tlsOf } from '../tls-keys.ts';
import type { ConnectionConfig } from './config.ts';
import { parseUrl, URL_EXAMPLE } from './connection-url.ts';

export interface Endpoint extends TlsEndpoint {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  readonly connectTimeoutMs: number;
  /** The protocol counts seconds. */
  readonly heartbeatSeconds: number;
}

/** Throws `CONFIG_INVALID_VALUE`. */
export function endpointOf(config: ConnectionConfig): Endpoint {
  const url = config.url === undefined ? {} : parseUrl(config.url);
  if (typeof url === 'string') throw new CdcError('CONFIG_INVALID_VALUE', url, { where: 'url', fix: `Write ${URL_EXAMPLE}.` });
  const tls = tlsOf(config.tls, url.tls ?? false);
  return {
    host: config.host ?? url.host ?? 'localhost',
    port: config.port ?? url.port ?? (tls.sslMode === 'disable' ? 5672 : 5671),
    username: config.username ?? url.username ?? 'guest',
    password: config.password ?? url.password ?? 'guest',
    vhost: config.vhost ?? url.vhost ?? '/',
    connectTimeoutMs: config.connection_timeout,
    heartbeatSeconds: Math.max(1, Math.round(config.heartbeat / 1000)),
    ...tls,
  };
}

/** For messages. Never the password or the URL. */
export function describeEndpoint({ host, port, vhost }: Endpoint): string {
  return vhost === '/' ? `${host}:${port}` : `${host}:${port}, virtual host ${vhost}`;
}
