// `redis://…` and `rediss://…` URLs as redis-cli reads them. https://www.iana.org/assignments/uri-schemes/prov/redis

import { readUrl } from '../url.ts';

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
  const read = readUrl(text, /^rediss?:\/\//, 'redis:// or rediss://');
  if (typeof read === 'string') return read;
  const { url, parts, path } = read;
  if (url.search !== '') return 'the URL has parameters, which are not supported';
  if (!/^\d{0,6}$/.test(path)) return 'what follows the host in the URL is not the number of a database';
  return { ...parts, ...(path === '' ? {} : { db: Number(path) }), ...(url.protocol === 'rediss:' ? { tls: true } : {}) };
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
