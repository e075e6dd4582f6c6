// Settings of every connection that yields rows. The stream and the snapshot print values by the same rules only if both
// have these; they go out with the start-up packet, so there is no moment without them, and the role's own do not count.

const SETTINGS: readonly (readonly [string, string])[] = [
  ['datestyle', 'ISO, YMD'],
  ['intervalstyle', 'postgres'],
  ['timezone', 'UTC'],
  // Shortest text that gives the same float back.
  ['extra_float_digits', '3'],
  ['bytea_output', 'hex'],
  // Reads of ours hold no locks while we think, but one that exports a snapshot is idle in its transaction for long.
  ['idle_in_transaction_session_timeout', '0'],
  ['client_min_messages', 'warning'],
];

/**
 * The `options` of a start-up packet. What the URL says comes first, so ours win. `client_encoding` is UTF8 always: the
 * driver says so itself. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS
 */
export function startupOptions(own: string | undefined, more: readonly (readonly [string, string])[] = []): string {
  const settings = [...SETTINGS, ...more].map(([name, value]) => `-c ${name}=${value.replace(/([\\\s])/g, '\\$1')}`);
  return [...(own === undefined || own === '' ? [] : [own]), ...settings].join(' ');
}

export const milliseconds = (ms: number): string => String(Math.round(ms));
