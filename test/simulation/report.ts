// How often each situation occurred in many schedules: what is never drawn is not tested.

export function report(stats: ReadonlyMap<string, number>): string {
  const groups = new Map<string, [string, number][]>();
  for (const [what, n] of [...stats].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const colon = what.indexOf(': '),
      group = colon < 0 ? (/^[A-Z_]+$/.test(what) ? 'stopped by' : 'other') : what.slice(0, colon);
    groups.set(group, [...(groups.get(group) ?? []), [colon < 0 ? what : what.slice(colon + 2), n]]);
  }
  return [...groups].map(([group, counts]) => `  ${group}\n    ${counts.map(([what, n]) => `${what} ${n}`).join(' · ')}`).join('\n');
}
