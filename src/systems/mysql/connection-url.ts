// `mysql://…` URLs, as the tools of MySQL and the drivers read them, as far as we support them.

import { SSL_MODES, type SslMode } from '../tls.ts';
import { readUrl } from '../url.ts';

/** The parts of a URL. */
export interface UrlParts {
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  readonly sslMode?: SslMode;
  readonly sslCa?: string;
  readonly sslCert?: string;
  readonly sslKey?: string;
}

/** What MySQL's own tools call the modes. https://dev.mysql.com/doc/refman/8.0/en/connection-options.html#option_general_ssl-mode */
const OWN_MODES: Readonly<Record<string, SslMode>> = {
  DISABLED: 'disable',
  REQUIRED: 'require',
  VERIFY_CA: 'verify-ca',
  VERIFY_IDENTITY: 'verify-full',
};
const FILES: Readonly<Record<string, 'sslCa' | 'sslCert' | 'sslKey'>> = { 'ssl-ca': 'sslCa', 'ssl-cert': 'sslCert', 'ssl-key': 'sslKey' };

/** The parts, or what is wrong with the URL (without quoting it: it holds a password). */
export function parseUrl(text: string): UrlParts | string {
  const read = readUrl(text, /^(mysql|mariadb):\/\//, 'mysql://');
  if (typeof read === 'string') return read;
  const { username: user, ...common } = read.parts,
    parts: { -readonly [K in keyof UrlParts]: UrlParts[K] } = common;
  if (user !== undefined) parts.user = user;
  if (read.path !== '') parts.database = read.path;
  for (const [name, value] of read.url.searchParams) {
    const file = FILES[name];
    if (file !== undefined) parts[file] = value;
    else if (name === 'sslmode' || name === 'ssl-mode') {
      const mode = OWN_MODES[value.toUpperCase()] ?? SSL_MODES.find((m) => m === value);
      if (mode === undefined) return `the URL parameter "${name}" is one of ${SSL_MODES.join(', ')}, not "${value}"`;
      parts.sslMode = mode;
    } else return `the URL parameter "${name}" is not supported`;
  }
  return parts;
}
