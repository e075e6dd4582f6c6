// Where to connect, as whom, and how encrypted: URL or single keys, one shape.

import { userInfo } from 'node:os';
import { CdcError } from '../../sdk/index.ts';
import type { TlsEndpoint } from '../tls.ts';
import type { ConnectionConfig } from './config.ts';
import { parseUrl } from './connection-url.ts';

export interface Endpoint extends TlsEndpoint {
  /** A name, an address, or the path of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string | null;
}

const PORT = 3306;

/** Throws `CONFIG_INVALID_VALUE`. */
export function endpointOf(config: ConnectionConfig, env: NodeJS.ProcessEnv): Endpoint {
  const url = config.url === undefined ? {} : parseUrl(config.url);
  if (typeof url === 'string')
    throw new CdcError('CONFIG_INVALID_VALUE', url, { where: 'url', fix: 'Write mysql://user:password@host:3306/database.' });
  const sslCa = config.ssl?.ca ?? url.sslCa,
    sslCert = config.ssl?.cert ?? url.sslCert,
    sslKey = config.ssl?.key ?? url.sslKey;
  return {
    host: config.host ?? url.host ?? 'localhost',
    port: config.port ?? url.port ?? PORT,
    user: config.username ?? config.user ?? url.user ?? userInfo().username,
    password: config.password ?? url.password ?? env['MYSQL_PWD'] ?? '',
    database: config.database ?? url.database ?? null,
    sslMode: config.ssl_mode ?? url.sslMode ?? 'disable',
    ...(sslCa === undefined ? {} : { sslCa }),
    ...(sslCert === undefined ? {} : { sslCert }),
    ...(sslKey === undefined ? {} : { sslKey }),
  };
}

/** `host:port/database`, for messages. Never the password or the URL. */
export function describeEndpoint({ host, port, database }: Endpoint): string {
  return `${host.startsWith('/') ? host : `${host}:${port}`}${database === null ? '' : `/${database}`}`;
}
