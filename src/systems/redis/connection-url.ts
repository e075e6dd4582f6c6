// `redis://…` and `rediss://…` URLs as redis-cli reads them. Parsed here and not by the driver, because the driver takes any of
// its options from a URL. https://www.iana.org/assignments/uri-schemes/prov/redis

export const URL_EXAMPLE = 'redis://user:password@localhost:6379/0';

/** The parts of a URL. */
export interface UrlParts {
  readonly host?: string;
  readonly port?: number;
  readonly db?: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: boolean;
}

/** The parts, or what is wrong with the URL (without quoting it: it holds a password). */
export function parseUrl(text: string): UrlParts | string {
  if (!/^rediss?:\/\//.test(text)) return 'the URL does not begin with redis:// or rediss://';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'the URL cannot be read; characters such as @ / # % in a password are written in percent form';
  }
  const parts: { -readonly [K in keyof UrlParts]: UrlParts[K] } = {};
  try {
    if (url.hostname !== '') parts.host = decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1');
    if (url.username !== '') parts.username = decodeURIComponent(url.username);
    if (url.password !== '') parts.password = decodeURIComponent(url.password);
  } catch {
    return 'the URL holds a % that is not followed by two hex digits';
  }
  if (url.port !== '') parts.port = Number(url.port);
  if (url.protocol === 'rediss:') parts.tls = true;
  if (url.search !== '') return 'the URL has parameters, which are not supported';
  if (url.pathname.length <= 1) return parts;
  if (!/^\/\d{1,6}$/.test(url.pathname)) return 'what follows the host in the URL is not the number of a database';
  return { ...parts, db: Number(url.pathname.slice(1)) };
}

export interface Node {
  readonly host: string;
  readonly port: number;
}

/** `redis-1:6379`, `[::1]:6379`; without a port `port`, unless that is 0. */
export function parseNode(text: string, port: number): Node | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const number = match?.[3] === undefined ? port || 6379 : Number(match[3]);
  return host === undefined || number < 1 || number > 65_535 ? null : { host, port: number };
}
