// Where to connect, as whom, and how encrypted.

import { CdcError } from '../../sdk/index.ts';
import type { TlsEndpoint } from '../tls.ts';
import { tlsOf } from '../tls-keys.ts';
import type { ConnectionConfig } from './config.ts';

export const URL_EXAMPLE = 'mqtt://localhost:1883';

export interface Endpoint extends TlsEndpoint {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly version: 4 | 5;
  readonly connectTimeoutMs: number;
  /** The protocol counts seconds. */
  readonly keepaliveSeconds: number;
}

interface Broker {
  readonly host: string;
  readonly port: number | null;
  readonly tls: boolean;
}

/** The parts of the address, or what is wrong with it. */
export function parseBroker(text: string): Broker | string {
  if (!/^mqtts?:\/\//.test(text)) return 'the address does not begin with mqtt:// or mqtts://';
  if (!URL.canParse(text)) return 'the address cannot be read';
  const { hostname, port, protocol, username, password, pathname, search } = new URL(text);
  if (username !== '' || password !== '') return 'the address holds a login, which stands in `username` and `password`';
  if (pathname.length > 1 || search !== '') return 'the address has more than host and port';
  return { host: hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost', port: port === '' ? null : Number(port), tls: protocol === 'mqtts:' };
}

/** Throws `CONFIG_INVALID_VALUE`. */
export function endpointOf(config: ConnectionConfig): Endpoint {
  const broker = parseBroker(config.broker);
  if (typeof broker === 'string') throw new CdcError('CONFIG_INVALID_VALUE', broker, { where: 'broker', fix: `Write ${URL_EXAMPLE}.` });
  const tls = tlsOf(config.tls, broker.tls);
  return {
    host: broker.host,
    port: broker.port ?? (tls.sslMode === 'disable' ? 1883 : 8883),
    username: config.username,
    password: config.password,
    version: config.protocol_version === '5' ? 5 : 4,
    connectTimeoutMs: config.connection_timeout,
    keepaliveSeconds: Math.max(1, Math.round(config.keepalive / 1000)),
    ...tls,
  };
}

/** For messages. */
export const describeEndpoint = ({ host, port }: Endpoint): string => `${host}:${port}`;
