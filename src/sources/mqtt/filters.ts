// Topic filters: what may be subscribed to. https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901241

/** What is wrong with a filter; `null`: nothing. */
export function filterProblem(filter: string): string | null {
  const shared = /^\$share\/([^/+#]+)\/(.+)$/.exec(filter);
  if (filter.startsWith('$share/') && shared === null) return `"${filter}" is not $share/<group>/<filter>`;
  const levels = (shared?.[2] ?? filter).split('/');
  if (filter.includes('\0')) return 'a topic has no character NUL';
  if (levels.some((level, i) => level.includes('#') && (level !== '#' || i !== levels.length - 1)))
    return `"${filter}": # is a level of its own, and the last`;
  if (levels.some((level) => level.includes('+') && level !== '+')) return `"${filter}": + is a level of its own`;
  return null;
}

export const isShared = (filter: string): boolean => filter.startsWith('$share/');

/** `$share/group/sensors/#` → `sensors/#`. */
export const unshared = (filter: string): string => (isShared(filter) ? filter.split('/').slice(2).join('/') : filter);
