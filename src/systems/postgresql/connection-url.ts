// `postgresql://…` URLs, as libpq reads them, as far as we support them. (The driver lets a URL silently override the TLS settings
// beside it.) https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS

import { readUrl } from '../url.ts';

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
  const read = readUrl(text, /^postgres(ql)?:\/\//, 'postgresql://');
  if (typeof read === 'string') return read;
  const { username: user, ...common } = read.parts,
    parts: { -readonly [K in keyof UrlParts]?: string | number } = common;
  if (user !== undefined) parts.user = user;
  if (read.path !== '') parts.database = read.path;
  for (const [name, value] of read.url.searchParams) {
    const part = PARAMETERS[name];
    if (part === undefined) return `the URL parameter "${name}" is not supported`;
    parts[part] = part === 'port' ? Number(value) : value;
  }
  if (parts.port !== undefined && !(Number.isInteger(parts.port) && Number(parts.port) > 0)) return 'the port of the URL is not a number';
  return parts as UrlParts;
}
