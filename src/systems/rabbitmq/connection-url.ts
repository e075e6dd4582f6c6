// `amqp://…` and `amqps://…` URLs as RabbitMQ's clients read them. https://www.rabbitmq.com/docs/uri-spec

import { readUrl } from '../url.ts';

export const URL_EXAMPLE = 'amqp://user:password@localhost:5672/vhost';

/** The parts of a URL. */
export interface UrlParts {
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  readonly vhost?: string;
  readonly tls?: boolean;
}

/**
 * The parts, or what is wrong with the URL (without quoting it: it holds a password).
 *
 * `amqp://host` → the default virtual host; `amqp://host/shop` → `shop`; `amqp://host/%2Fshop` → `/shop`.
 */
export function parseUrl(text: string): UrlParts | string {
  const read = readUrl(text, /^amqps?:\/\//, 'amqp:// or amqps://');
  if (typeof read === 'string') return read;
  const { url, parts, path } = read;
  if (url.pathname.slice(1).includes('/')) return 'the virtual host in the URL holds a "/", which is written %2F';
  if (url.search !== '') return 'the URL has parameters, which are not supported';
  return { ...parts, ...(path === '' ? {} : { vhost: path }), ...(url.protocol === 'amqps:' ? { tls: true } : {}) };
}
