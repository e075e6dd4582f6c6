// CPU time of this process and of children, in microseconds. CPU time holds on a shared machine; wall time does not.

import { spawnSync } from 'node:child_process';

export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** User and system CPU of one run of a command, in milliseconds. */
export function cpuOfCommand(command: string, args: readonly string[]): number {
  // `times` prints the shell's own line and the children's: `0m0.031s 0m0.012s`.
  const { stdout, status } = spawnSync('sh', ['-c', '"$0" "$@" >/dev/null 2>&1; times', command, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed`);
  const children = stdout.trim().split('\n').at(-1) ?? '';
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, seconds]) => Number(minutes) * 60_000 + Number(seconds) * 1000);
  return parts.reduce((sum, ms) => sum + ms, 0);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

export const round = (value: number, digits = 3): number => Number(value.toFixed(digits));
