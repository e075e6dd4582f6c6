// Who holds a lease: a text unique to this process start, and whether the process behind such a text is known to be gone.

import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Where process ids mean the same: this boot of this machine and, on Linux, this pid namespace. Two containers may share a
 * volume and a host name but not this.
 */
function pidScope(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
    return `${boot}.${namespace}`;
  } catch {
    return null; // not Linux: nobody is known to be gone, leases run out
  }
}

/** `db-1/6f0c….4026531836/4711/9f2c61aa`: host, scope of the process id, process id, random part. */
export function createOwner(): string {
  return [hostname().replaceAll('/', '_'), pidScope() ?? '-', process.pid, randomBytes(4).toString('hex')].join('/');
}

/** `true` only when the owner's process id was of our scope and no such process exists. A reused id makes us wait, not err. */
export function isOwnerGone(owner: string): boolean {
  const [, scope, pid] = owner.split('/');
  const own = pidScope();
  if (own === null || scope !== own || !/^[1-9]\d*$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
