// CPU per event of each envelope against JSON.stringify of the same object and Buffer.from of the result. See README.md.

import { createEnvelope, type EnvelopeType } from '../../src/envelope/create.ts';
import { ChangeEvent, type Position } from '../../src/sdk/index.ts';
import { round } from '../lib/cpu.ts';
import { ORDERS, orderRow } from '../lib/orders.ts';

const EVENTS = 1000;
const ROUNDS = 100;
const REPEATS = 5;

function events(): ChangeEvent[] {
  return Array.from(
    { length: EVENTS },
    (_, i) =>
      new ChangeEvent({
        op: 'c',
        table: ORDERS,
        source: 'shop',
        partition: 'main',
        position: String(i).padStart(16, '0') as Position,
        sourceTsMs: 1_709_210_096_789,
        after: orderRow(i),
        transaction: {
          id: `${Math.floor(i / 10)}`,
          order: (i % 10) + 1,
          collectionOrder: (i % 10) + 1,
          commitTsMs: 1_709_210_096_789,
          last: i % 10 === 9,
        },
      }),
  );
}

/** What a program without this code would do: the envelope as an object, bigints as text, then JSON.stringify and Buffer.from. */
function stringified(e: ChangeEvent, now: number): Buffer {
  const after = { ...e.after, id: String(e.after?.id) };
  const source = {
    version: '0.1.0',
    connector: 'postgresql',
    name: 'shop',
    ts_ms: e.sourceTsMs,
    snapshot: 'false',
    db: 'shop',
    sequence: null,
    ts_us: e.sourceTsMs * 1000,
    ts_ns: null,
    schema: 'public',
    table: 'orders',
    txId: 1,
    lsn: 2,
    xmin: null,
    origin: null,
    origin_lsn: null,
    server_id: null,
    ts_sec: Math.floor(e.sourceTsMs / 1000),
    pos: e.position,
  };
  const transaction = e.transaction && {
    id: e.transaction.id,
    total_order: e.transaction.order,
    data_collection_order: e.transaction.collectionOrder,
  };
  Buffer.from(JSON.stringify({ id: after.id }));
  return Buffer.from(JSON.stringify({ before: null, after, source, op: e.op, ts_ms: now, transaction }));
}

/** The least of some repeats, in µs of CPU (user and system) per event: other work on the machine only adds. */
function cpuPerEvent(run: (batch: readonly ChangeEvent[]) => void): number {
  const batch = events();
  for (let i = 0; i < ROUNDS / 3; i++) run(batch);
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.cpuUsage();
    for (let i = 0; i < ROUNDS; i++) run(batch);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / ROUNDS / EVENTS);
  }
  return best;
}

const FIELDS = { txId: 1, lsn: 2, sequence: '[null,"2"]' };
const ctx = {
  pipeline: 'bench',
  version: '0.1.0',
  now: () => 1_709_210_097_000,
  sources: { shop: { connector: 'postgresql', database: 'shop', fields: () => FIELDS } },
};
const CASES: readonly [string, EnvelopeType, Record<string, unknown>][] = [
  ['debezium', 'debezium', {}],
  ['debezium, compatible', 'debezium', { compatible: true }],
  ['debezium, compatible, decimals as text', 'debezium', { compatible: true, decimal_handling_mode: 'string' }],
  ['debezium, compatible, schemas', 'debezium', { compatible: true, schemas: true }],
  ['plain', 'plain', {}],
  ['cdc_event', 'cdc_event', {}],
  ['sync_event', 'sync_event', {}],
  ['elide', 'elide', {}],
  ['cloudevents', 'cloudevents', {}],
];

const baseline = cpuPerEvent((batch) => {
  for (const e of batch) stringified(e, ctx.now());
});
process.stdout.write(`${'JSON.stringify + Buffer'.padEnd(40)} ${baseline.toFixed(2)} µs\n`);
const ratios: Record<string, number> = {};
for (const [name, type, options] of CASES) {
  const envelope = createEnvelope({ type, options }, ctx);
  const cost = cpuPerEvent((batch) => {
    envelope.encode(batch);
  });
  const bytes = envelope.encode(events()).value[0]?.length ?? 0;
  ratios[name] = round(cost / baseline, 2);
  process.stdout.write(`${name.padEnd(40)} ${cost.toFixed(2)} µs  ${(cost / baseline).toFixed(2)} of JSON.stringify  (${bytes} bytes)\n`);
}
const worst = Math.max(...Object.values(ratios));
console.log(
  JSON.stringify({ scenario: 'envelope', json_stringify_us_per_event: round(baseline, 2), over_json_stringify: ratios, worst, budget: 1 }),
);
// Two runs differ by a few percent.
if (worst > 1.1) process.exitCode = 1;
