// Memory of a running idle pipeline above bare Node: a SQLite source that polls an idle database, a null destination, the
// built command line. RSS after it has settled, median of three processes each. Linux only: RSS is read from /proc.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/sdk/index.ts';
import { median, round } from '../lib/cpu.ts';

const BUDGET_MB = 25;
const SETTLE_MS = 8000;
const PIPELINE = `name: idle
source: {type: sqlite, path: shop.db}
destination: {type: "null"}
sync: {mode: continuous}
`;

const folder = mkdtempSync(join(tmpdir(), 'cdc-run-bench-'));
try {
  const db = new Database(join(folder, 'shop.db'));
  db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)');
  db.close();
  writeFileSync(join(folder, 'idle.yaml'), PIPELINE);
  const bare: number[] = [];
  const idle: number[] = [];
  for (let i = 0; i < 3; i++) {
    bare.push(await rssOf(['-e', 'setInterval(() => {}, 1000)']));
    idle.push(await rssOf([join(import.meta.dirname, '../../bin/cdc-run.js'), 'idle.yaml']));
  }
  const above = median(idle) - median(bare);
  console.log(
    JSON.stringify({
      scenario: 'idle',
      bare_node_mb: round(median(bare), 1),
      idle_pipeline_mb: round(median(idle), 1),
      above_bare_node_mb: round(above, 1),
      budget_mb: BUDGET_MB,
    }),
  );
  if (above > BUDGET_MB) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Resident set in MB (2^20 bytes) once the process has settled. */
async function rssOf(args: readonly string[]): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await systemClock.sleep(SETTLE_MS);
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  child.kill();
  await ended;
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
