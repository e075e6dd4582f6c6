// Opens a connection of the driver, which is loaded here. The driver never connects again by itself: what it had sent may have been
// done, and only its caller can find out (design.md section 3).

import { readFile } from 'node:fs/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Authenticator, ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { CertificateFileError } from '../tls.ts';
import { type ConnectionConfig, parseServer, type Server, serversOf } from './config.ts';
import { ConnectError, isUnreachable, OtherClusterError } from './driver-errors.ts';
import { identityOf, identityOfPeer } from './identity.ts';

/** A peer that says nothing is noticed after two unanswered pings. */
const PINGS_OUT = 2;
const PING_INTERVAL_MS = 10_000;

export interface Connected {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  /** `2.12.1` → [2, 12, 1] */
  readonly version: readonly number[];
  /** Bytes of a message with its headers at most. */
  readonly maxPayload: number;
}

/**
 * Resolves when requests can be sent. `peers`: others of the cluster, called where none of the configured servers answers.
 * Throws `CertificateFileError`, `OtherClusterError` and `ConnectError`.
 */
export async function openConnection(config: ConnectionConfig, name: string, peers: readonly string[] = []): Promise<Connected> {
  const { jetstreamManager } = await import('@nats-io/jetstream'),
    nc = await dial(config, name, peers);
  const info = nc.info,
    { cluster } = (info ?? {}) as { cluster?: string };
  if ((config.cluster_id ?? '') !== '' && cluster !== undefined && cluster !== config.cluster_id) {
    await nc.close();
    throw new OtherClusterError(`the server ${nc.getServer()} is of the cluster "${cluster}"`);
  }
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: config.request_timeout });
  return { nc, jsm, version: versionOf(info?.version ?? ''), maxPayload: info?.max_payload ?? 1 << 20 };
}

async function dial(config: ConnectionConfig, name: string, peers: readonly string[]): Promise<NatsConnection> {
  const { connect } = await import('@nats-io/transport-node');
  try {
    return await connect(await connectionOptions(config, name, []));
  } catch (cause) {
    if (cause instanceof CertificateFileError) throw cause;
    const failure = new ConnectError('no connection', { cause });
    if (peers.length === 0 || !isUnreachable(failure)) throw failure;
    // What a peer says is no news: it may be called by an address that is good within the cluster alone.
    const options = await connectionOptions(config, name, peers);
    return await connect(options).catch(() => Promise.reject(failure));
  }
}

export function versionOf(text: string): number[] {
  return (/^(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1) ?? ['0', '0', '0']).map(Number);
}

export function isAtLeast([major = 0, minor = 0]: readonly number[], wanted: readonly [number, number]): boolean {
  return major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);
}

/** `peers` in place of the configured servers, if there are any. */
async function connectionOptions(config: ConnectionConfig, name: string, peers: readonly string[]): Promise<ConnectionOptions> {
  const servers = serversOf(config).flatMap((s) => parseServer(s) ?? []);
  const [first] = servers,
    isTls = servers.some((s) => s.tls),
    names = servers.map((s) => s.name);
  const tls = await tlsOf(config, isTls, peers.length === 0 ? identityOf(names) : identityOfPeer(names));
  return {
    servers: peers.length === 0 ? servers.map((s) => s.host) : [...peers],
    name,
    reconnect: false,
    timeout: config.connection_timeout,
    pingInterval: Math.min(PING_INTERVAL_MS, config.request_timeout),
    maxPingOut: PINGS_OUT,
    noAsyncTraces: true,
    authenticator: await authenticatorOf(config, first?.login ?? null),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** `null` keeps a server that offers encryption from getting it; `undefined`: as it wishes. */
async function tlsOf(
  { tls }: ConnectionConfig,
  isTls: boolean,
  checkServerIdentity: ReturnType<typeof identityOf>,
): Promise<ConnectionOptions['tls'] | undefined> {
  if (tls === false && !isTls) return null;
  // Handed on to Node's TLS as it is.
  const checked = { checkServerIdentity } as NonNullable<ConnectionOptions['tls']>;
  if (tls === undefined || typeof tls === 'boolean') return isTls || tls === true ? checked : undefined;
  const read = async (file: string): Promise<string> => {
    try {
      return await readFile(file, 'utf8');
    } catch (cause) {
      throw new CertificateFileError(file, cause);
    }
  };
  return {
    handshakeFirst: tls.handshake_first,
    ...(tls.ca === undefined ? {} : { ca: await read(tls.ca) }),
    ...(tls.cert === undefined ? {} : { cert: await read(tls.cert) }),
    ...(tls.key === undefined ? {} : { key: await read(tls.key) }),
    ...(tls.verify ? checked : { rejectUnauthorized: false }),
  } as NonNullable<ConnectionOptions['tls']>;
}

async function authenticatorOf(config: ConnectionConfig, login: Server['login']): Promise<Authenticator[]> {
  const driver = await import('@nats-io/transport-node'),
    encode = (text: string): Uint8Array => Buffer.from(text);
  if (config.creds !== undefined) {
    try {
      return [driver.credsAuthenticator(await readFile(config.creds))];
    } catch (cause) {
      throw new CertificateFileError(config.creds, cause);
    }
  }
  if (config.jwt !== undefined) return [driver.jwtAuthenticator(config.jwt, encode(config.nkey ?? ''))];
  if (config.nkey !== undefined) return [driver.nkeyAuthenticator(encode(config.nkey))];
  if (config.token !== undefined) return [driver.tokenAuthenticator(config.token)];
  if ((config.username ?? '') !== '') return [driver.usernamePasswordAuthenticator(config.username as string, config.password)];
  if (login === null) return [];
  const { user, password } = login;
  // `nats://token@host`, as the server's own clients take it.
  return [password === '' ? driver.tokenAuthenticator(user) : driver.usernamePasswordAuthenticator(user, password)];
}
