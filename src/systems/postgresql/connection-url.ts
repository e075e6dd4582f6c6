// `postgresql://…` URLs, as libpq reads them, as far as we support them. Parsed here and not by the driver, because the
// driver lets a URL silently override the TLS settings beside it.
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS

/** The parts of a URL; absent ones come from the environment. */
export interface UrlParts {
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  readonly sslMode?: string;
  readonly sslCa?: string;
  readonly sslCert?: string;
  readonly sslKey?: string;
  readonly applicationName?: string;
  readonly options?: string;
}

/** Parameter of the URL → part. */
const PARAMETERS: Readonly<Record<string, keyof UrlParts>> = {
  host: 'host',
  port: 'port',
  dbname: 'database',
  user: 'user',
  password: 'password',
  sslmode: 'sslMode',
  sslrootcert: 'sslCa',
  sslcert: 'sslCert',
  sslkey: 'sslKey',
  application_name: 'applicationName',
  options: 'options',
};

/** The parts, or what is wrong with the URL (without quoting it: it holds a password). */
export function parseUrl(text: string): UrlParts | string {
  if (!/^postgres(ql)?:\/\//.test(text)) return 'the URL does not begin with postgresql://';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'the URL cannot be read; characters such as @ / # % in a password are written in percent form';
  }
  const parts: { -readonly [K in keyof UrlParts]?: string | number } = {};
  try {
    if (url.hostname !== '') parts.host = decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1');
    if (url.port !== '') parts.port = Number(url.port);
    if (url.pathname.length > 1) parts.database = decodeURIComponent(url.pathname.slice(1));
    if (url.username !== '') parts.user = decodeURIComponent(url.username);
    if (url.password !== '') parts.password = decodeURIComponent(url.password);
  } catch {
    return 'the URL holds a % that is not followed by two hex digits';
  }
  for (const [name, value] of url.searchParams) {
    const part = PARAMETERS[name];
    if (part === undefined) return `the URL parameter "${name}" is not supported`;
    parts[part] = part === 'port' ? Number(value) : value;
  }
  if (parts.port !== undefined && !(Number.isInteger(parts.port) && Number(parts.port) > 0)) return 'the port of the URL is not a number';
  return parts as UrlParts;
}
