// Where to connect, as whom, and how encrypted: URL, single keys, sentinels or a cluster, in one shape.

import { CdcError } from '../../sdk/index.ts';
import type { TlsEndpoint } from '../tls.ts';
import type { ConnectionConfig } from './config.ts';
import { type Node, parseNode, parseUrl, URL_EXAMPLE } from './connection-url.ts';

interface Sentinels {
  readonly master: string;
  readonly nodes: readonly Node[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}

export interface Endpoint extends TlsEndpoint {
  readonly node: Node;
  readonly db: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly sentinels: Sentinels | null;
  /** Nodes to begin with; `null`: not a cluster. */
  readonly cluster: readonly Node[] | null;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

const PORT = 6379,
  SENTINEL_PORT = 26_379;

/** Throws `CONFIG_INVALID_VALUE`. */
export function endpointOf(config: ConnectionConfig, env: NodeJS.ProcessEnv): Endpoint {
  const url = config.url === undefined ? {} : parseUrl(config.url);
  if (typeof url === 'string') throw new CdcError('CONFIG_INVALID_VALUE', url, { where: 'url', fix: `Write ${URL_EXAMPLE}.` });
  const { sentinel, cluster } = config;
  return {
    node: { host: config.host ?? url.host ?? 'localhost', port: config.port ?? url.port ?? PORT },
    db: config.db ?? url.db ?? 0,
    username: config.username ?? url.username,
    password: config.password ?? url.password ?? env['REDISCLI_AUTH'],
    sentinels:
      sentinel === undefined
        ? null
        : {
            master: sentinel.master,
            nodes: nodesOf(sentinel.nodes, SENTINEL_PORT),
            username: sentinel.username,
            password: sentinel.password,
            tls: sentinel.tls,
          },
    cluster: cluster === undefined ? null : nodesOf(cluster.nodes, PORT),
    connectTimeoutMs: config.connection_timeout,
    commandTimeoutMs: config.command_timeout,
    ...tlsOf(config.tls ?? url.tls ?? false),
  };
}

function tlsOf(tls: NonNullable<ConnectionConfig['tls']>): TlsEndpoint {
  if (typeof tls === 'boolean') return { sslMode: tls ? 'verify-full' : 'disable' };
  const files: Partial<TlsEndpoint> = {
    ...(tls.ca === undefined ? {} : { sslCa: tls.ca }),
    ...(tls.cert === undefined ? {} : { sslCert: tls.cert }),
    ...(tls.key === undefined ? {} : { sslKey: tls.key }),
  };
  if (tls.verify) return { sslMode: 'verify-full', ...files };
  // Without a look at who answers an authority has no say.
  const { sslCa: _, ...own } = files;
  return { sslMode: 'require', ...own };
}

function nodesOf(texts: readonly string[], port: number): Node[] {
  return texts.map((text) => {
    const node = parseNode(text, port);
    if (node === null) throw new CdcError('CONFIG_INVALID_VALUE', `"${text}" is not host:port.`, { fix: 'Write redis-1:6379.' });
    return node;
  });
}

const textOf = ({ host, port }: Node): string => (host.startsWith('/') ? host : `${host}:${port}`);

/** For messages. Never the password or the URL. */
export function describeEndpoint({ node, db, sentinels, cluster }: Endpoint): string {
  if (cluster !== null) return `the cluster of ${cluster.map(textOf).join(', ')}`;
  const where = sentinels === null ? textOf(node) : `${sentinels.master} of the sentinels ${sentinels.nodes.map(textOf).join(', ')}`;
  return db === 0 ? where : `${where}, database ${db}`;
}
