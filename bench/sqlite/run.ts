// sqlite polling → sqlite, against a loop that does the same with better-sqlite3 alone: reads in watermark order, upserts in
// transactions of the same size, with the same settings. Alternated; CPU of the whole process per row, and the ratio of the two.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { loadPipelines } from '../../src/config/load.ts';
import { openRuntime } from '../../src/run.ts';
import { cpuMicros, median, round } from '../lib/cpu.ts';

const ROWS = Number(process.argv[2] ?? 300_000);
const BATCH = 1000;
const ROUNDS = 4;
const COLUMNS = ['id', 'customer', 'status', 'note', 'amount', 'updated_at'] as const;

const folder = mkdtempSync(join(tmpdir(), 'cdc-run-bench-'));
try {
  const source = join(folder, 'source.db');
  fill(source);
  const ours: Sample[] = [];
  const bare: Sample[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    bare.push(await measure(async () => copyAlone(source, join(folder, `bare-${i}.db`))));
    ours.push(await measure(() => copyByPipeline(source, i)));
  }
  const ratio = {
    cpu: median(bare.map((s) => s.cpu)) / median(ours.map((s) => s.cpu)),
    wall: median(bare.map((s) => s.wall)) / median(ours.map((s) => s.wall)),
  };
  console.log(
    JSON.stringify({
      scenario: 'sqlite',
      rows: ROWS,
      batch: BATCH,
      bare_us_per_row: round(median(bare.map((s) => s.cpu)) / ROWS, 2),
      pipeline_us_per_row: round(median(ours.map((s) => s.cpu)) / ROWS, 2),
      ratio_cpu: round(ratio.cpu, 2),
      ratio_wall: round(ratio.wall, 2),
      // What two runs of the same thing differ by: the bare loop against itself, and the pipeline against itself.
      spread_bare: round(spread(bare), 2),
      spread_pipeline: round(spread(ours), 2),
      budget: 0.5,
    }),
  );
  if (ratio.cpu < 0.5 || ratio.wall < 0.5) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

interface Sample {
  readonly cpu: number;
  readonly wall: number;
}

/** The greatest CPU over the least. */
function spread(samples: readonly Sample[]): number {
  const cpu = samples.map((s) => s.cpu);
  return Math.max(...cpu) / Math.min(...cpu);
}

async function measure(work: () => Promise<void>): Promise<Sample> {
  const cpu = cpuMicros();
  const wall = performance.now();
  await work();
  return { cpu: cpuMicros() - cpu, wall: performance.now() - wall };
}

function fill(path: string): void {
  const db = new Database(path);
  db.pragma('journal_mode = wal');
  db.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, status TEXT, note TEXT, amount TEXT, updated_at INTEGER)');
  db.exec('CREATE INDEX orders_updated ON orders (updated_at, id)');
  const insert = db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)');
  db.transaction(() => {
    for (let i = 1; i <= ROWS; i++)
      insert.run(
        i,
        `customer-${i % 5021}@example.com`,
        'shipped',
        `Leave at the back door, gate code ${i % 9999}`,
        (i / 100).toFixed(2),
        i,
      );
  })();
  db.close();
}

/** The same reads and writes without anything around them. */
async function copyAlone(from: string, to: string): Promise<void> {
  const source = new Database(from);
  const target = new Database(to);
  target.pragma('journal_mode = wal');
  target.pragma('synchronous = full');
  target.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, status TEXT, note TEXT, amount TEXT, updated_at INTEGER)');
  source.defaultSafeIntegers(true);
  const read = source
    .prepare(`SELECT ${COLUMNS.join(', ')} FROM orders WHERE (updated_at, id) > (?, ?) ORDER BY updated_at, id LIMIT ${BATCH}`)
    .raw();
  const set = COLUMNS.slice(1)
    .map((c) => `${c} = excluded.${c}`)
    .join(', ');
  const write = target.prepare(
    `INSERT INTO orders (${COLUMNS.join(', ')}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET ${set}`,
  );
  const store = target.transaction((rows: unknown[][]) => {
    for (const row of rows) write.run(row);
  });
  let place: unknown[] = [-1n, -1n];
  for (;;) {
    const rows = read.all(...place) as unknown[][];
    const last = rows.at(-1);
    if (last === undefined) break;
    store(rows);
    place = [last[5], last[0]];
  }
  source.close();
  target.close();
}

async function copyByPipeline(from: string, round: number): Promise<void> {
  const file = join(folder, `pipeline-${round}.yaml`);
  writeFileSync(
    file,
    `name: bench-${round}
source: {type: sqlite, path: ${JSON.stringify(from)}, cdc_mode: polling, tables: [orders], watermark: {column: updated_at, type: integer, settle: 0}}
destination: {type: sqlite, path: ${JSON.stringify(join(folder, `pipeline-${round}.db`))}}
sync: {mode: one_time, batch_size: ${BATCH}}
state: {path: ${JSON.stringify(join(folder, `state-${round}.db`))}}
`,
  );
  const { pipelines, problems } = await loadPipelines([file], { set: [], env: {} });
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  const [summary] = await (await openRuntime(pipelines)).done;
  if (summary?.outcome !== 'done' || Object.values(summary.delivered)[0] !== ROWS)
    throw new Error(`not all rows arrived: ${summary?.error?.message ?? JSON.stringify(summary?.delivered)}`);
}
