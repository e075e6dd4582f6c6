// What the URLs of all servers have in common. Parsed here and not by the drivers, because those take any of their options from a URL.

export interface CommonParts {
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
}

export interface ReadUrl {
  readonly url: URL;
  readonly parts: CommonParts;
  /** Behind the host, without its first slash, decoded. */
  readonly path: string;
}

/** The parts, or what is wrong with the URL (without quoting it: it holds a password). `schemes`: how it begins, for people. */
export function readUrl(text: string, begin: RegExp, schemes: string): ReadUrl | string {
  if (!begin.test(text)) return `the URL does not begin with ${schemes}`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'the URL cannot be read; characters such as @ / # % in a password are written in percent form';
  }
  const parts: { -readonly [K in keyof CommonParts]: CommonParts[K] } = {};
  try {
    if (url.hostname !== '') parts.host = decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1');
    if (url.port !== '') parts.port = Number(url.port);
    if (url.username !== '') parts.username = decodeURIComponent(url.username);
    if (url.password !== '') parts.password = decodeURIComponent(url.password);
    return { url, parts, path: decodeURIComponent(url.pathname.slice(1)) };
  } catch {
    return 'the URL holds a % that is not followed by two hex digits';
  }
}
