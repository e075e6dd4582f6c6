// Where to connect, and how encrypted: from the configuration, a URL and the PG* variables to what the driver takes.

import { readFile } from 'node:fs/promises';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { CdcError } from '../../sdk/index.ts';
import type { ConnectionConfig, SSL_MODES } from './config.ts';
import { parseUrl, type UrlParts } from './connection-url.ts';

type SslMode = (typeof SSL_MODES)[number];

/** Where to connect; `undefined` leaves it to the driver, which reads the PG* variables. */
export interface Endpoint extends Omit<UrlParts, 'sslMode'> {
  readonly sslMode: SslMode;
  readonly applicationName: string;
}

/** A certificate file that cannot be read. What that means for a component, its `errors.ts` says. */
export class CertificateFileError extends Error {
  override readonly name = 'CertificateFileError';
  readonly file: string;

  constructor(file: string, cause: unknown) {
    super(`The certificate file ${file} cannot be read.`, { cause });
    this.file = file;
  }
}

/** URL or single keys, one shape. Throws `CONFIG_INVALID_VALUE`. */
export function endpointOf(config: ConnectionConfig, env: NodeJS.ProcessEnv): Endpoint {
  const url = config.url === undefined ? {} : parseUrl(config.url);
  if (typeof url === 'string')
    throw new CdcError('CONFIG_INVALID_VALUE', url, { where: 'url', fix: 'Write postgresql://user:password@host:5432/database.' });
  const user = config.username ?? config.user;
  const { sslMode: urlMode, ...fromUrl } = url;
  const own = {
    ...(config.host === undefined ? {} : { host: config.host }),
    ...(config.port === undefined ? {} : { port: config.port }),
    ...(config.database === undefined ? {} : { database: config.database }),
    ...(user === undefined ? {} : { user }),
    ...(config.password === undefined ? {} : { password: config.password }),
    ...(config.ssl?.ca === undefined ? {} : { sslCa: config.ssl.ca }),
    ...(config.ssl?.cert === undefined ? {} : { sslCert: config.ssl.cert }),
    ...(config.ssl?.key === undefined ? {} : { sslKey: config.ssl.key }),
  };
  return { applicationName: config.application_name, ...fromUrl, ...own, sslMode: config.ssl_mode ?? sslModeOf(urlMode, env['PGSSLMODE']) };
}

/** libpq's `allow` and `prefer` encrypt when it happens to work: from the environment they count as nothing said. */
function sslModeOf(fromUrl: string | undefined, fromEnv: string | undefined): SslMode {
  const mode = fromUrl ?? fromEnv;
  if (mode === undefined || mode === '' || (fromUrl === undefined && (mode === 'allow' || mode === 'prefer'))) return 'disable';
  if (mode === 'disable' || mode === 'require' || mode === 'verify-ca' || mode === 'verify-full') return mode;
  throw new CdcError('CONFIG_INVALID_VALUE', `sslmode "${mode}" is not supported`, {
    where: fromUrl === undefined ? 'PGSSLMODE' : 'url',
    fix: 'Use disable, require, verify-ca or verify-full.',
  });
}

/** TLS as libpq means the mode: `require` with an authority checks it, too. `false` = not encrypted. Throws `CertificateFileError`. */
export async function tlsOptions(endpoint: Endpoint, read: (file: string) => Promise<string> = readPem): Promise<TlsOptions | false> {
  const { sslMode, sslCa, sslCert, sslKey } = endpoint;
  if (sslMode === 'disable') return false;
  const files: TlsOptions = {
    ...(sslCa === undefined ? {} : { ca: await read(sslCa) }),
    ...(sslCert === undefined ? {} : { cert: await read(sslCert) }),
    ...(sslKey === undefined ? {} : { key: await read(sslKey) }),
  };
  if (sslMode === 'require' && sslCa === undefined) return { ...files, rejectUnauthorized: false };
  const anyName = sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined };
  return { ...files, rejectUnauthorized: true, ...anyName };
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new CertificateFileError(file, cause);
  }
}

/** `host:port/database`, for messages. Never the user's password or the URL. */
export function describeEndpoint({ host, port, database, user }: Endpoint, env: NodeJS.ProcessEnv): string {
  const name = database ?? env['PGDATABASE'] ?? user ?? env['PGUSER'];
  return `${host ?? env['PGHOST'] ?? 'localhost'}:${port ?? env['PGPORT'] ?? 5432}${name === undefined ? '' : `/${name}`}`;
}
