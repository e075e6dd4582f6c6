// Where to connect, and how encrypted: from the configuration, a URL and the PG* variables to what the driver takes.

import { CdcError } from '../../sdk/index.ts';
import type { SslMode, TlsEndpoint } from '../tls.ts';
import type { ConnectionConfig } from './config.ts';
import { parseUrl, type UrlParts } from './connection-url.ts';

/** Where to connect; `undefined` leaves it to the driver, which reads the PG* variables. */
export interface Endpoint extends Omit<UrlParts, 'sslMode'>, TlsEndpoint {
  readonly applicationName: string;
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

/** `host:port/database`, for messages. Never the user's password or the URL. */
export function describeEndpoint({ host, port, database, user }: Endpoint, env: NodeJS.ProcessEnv): string {
  const name = database ?? env['PGDATABASE'] ?? user ?? env['PGUSER'];
  return `${host ?? env['PGHOST'] ?? 'localhost'}:${port ?? env['PGPORT'] ?? 5432}${name === undefined ? '' : `/${name}`}`;
}
