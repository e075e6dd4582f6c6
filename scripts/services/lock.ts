// One `up` or `down` of a service at a time. The lock is a file made with O_EXCL that names its owner; it is closed at once,
// so that no server started under it inherits it, and it is broken when its owner is gone.

import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type ProcessId, startTime } from './processes.ts';

/** Long enough for another `up` that downloads and installs. */
const WAIT_MS = 600_000;
/** Breaking a lock is a few file operations: a breaker that takes longer has died. */
const BREAKER_MS = 10_000;

/** Runs `work` while holding the lock; waits for its turn. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  for (let waited = 0; !tryLock(file); waited += 100) {
    if (waited >= WAIT_MS) throw new Error(`${file} is held by process ${ownerOf(file)?.pid ?? '?'} for too long`);
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    unlinkSync(file);
  }
}

function tryLock(file: string): boolean {
  try {
    const fd = openSync(file, 'wx', 0o600);
    writeSync(fd, JSON.stringify({ pid: process.pid, startedAt: startTime(process.pid) }));
    closeSync(fd);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (isStale(file)) breakLock(file);
    return false;
  }
}

function ownerOf(file: string): ProcessId | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessId;
  } catch {
    return null;
  }
}

/** Its owner is gone. An unreadable one is being written right now, or was left half-written by a crash. */
function isStale(file: string): boolean {
  const owner = ownerOf(file);
  return owner === null ? olderThan(file, BREAKER_MS) : !isAlive(owner);
}

function olderThan(path: string, ms: number): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs > ms;
  } catch {
    return false;
  }
}

/**
 * Removes a stale lock under a lock of its own. Without it two waiters may both see the stale one, and the slower would
 * remove the fresh lock of the faster.
 */
function breakLock(file: string): void {
  const breaker = `${file}.break`;
  try {
    mkdirSync(breaker);
  } catch {
    if (olderThan(breaker, BREAKER_MS)) rmdirSync(breaker);
    return;
  }
  try {
    if (isStale(file)) unlinkSync(file);
  } finally {
    rmdirSync(breaker);
  }
}
