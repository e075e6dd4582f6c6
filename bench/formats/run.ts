// CPU per event of Avro, written and read, beside avsc (a library that compiles schemas) in a bare loop over the same values. See README.md.

import avsc from 'avsc';
import type { EnvelopeType } from '../../src/envelope/create.ts';
import { createEnvelope } from '../../src/envelope/create.ts';
import { avroDecoder } from '../../src/formats/avro/messages.ts';
import { AvroRecords } from '../../src/formats/avro/records.ts';
import { rowSchema } from '../../src/formats/avro/table-schemas.ts';
import type { FormatContext } from '../../src/formats/context.ts';
import { SchemaRegistry } from '../../src/formats/registry/client.ts';
import type { Transport } from '../../src/formats/registry/transport.ts';
import { ChangeEvent, type LaneBatch, type Position, silentLogger, systemClock } from '../../src/sdk/index.ts';
import { round } from '../lib/cpu.ts';
import { ORDERS, orderRow } from '../lib/orders.ts';

const EVENTS = 1000,
  ROUNDS = 60,
  REPEATS = 5;
/** Of avsc in a bare loop, which converts nothing and writes no keys. */
const BUDGET = 1.2;

/** What avsc takes without conversions: it would be slower with them. */
const avscRow = (i: number): object => ({ ...orderRow(i), id: i, total: Buffer.from([0x04, 0xe2]), placed_at: 1_709_210_096_789_123 });

const events = Array.from(
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
    }),
);
const FIELDS = { txId: 1, lsn: 2, sequence: '[null,"2"]' };
const context = {
  pipeline: 'bench',
  version: '0.1.0',
  now: () => 1_709_210_097_000,
  sources: { shop: { connector: 'postgresql', database: 'shop', fields: () => FIELDS } },
};
const point = { epoch: 1, log: null, sources: {}, snapshots: [] };
const never = new AbortController().signal;

function batchOf(type: EnvelopeType, options: Record<string, unknown>): LaneBatch {
  const envelope = createEnvelope({ type, options }, context);
  const encoded = (): ReturnType<typeof envelope.encode> => envelope.encode(events);
  return { events, skip: new Set(), previous: point, through: point, worker: 0, encoded, envelope: { type, options, context } };
}

/** Gives schemas ids, and knows them again. */
function registry(): SchemaRegistry {
  const texts: string[] = [];
  const transport: Transport = {
    send: async ({ method, path, body }) => {
      if (method === 'GET') return { status: 200, body: JSON.stringify({ schema: texts[Number(path.split('/').at(-1))] }) };
      const { schema } = JSON.parse(body ?? '{}') as { schema: string };
      if (!texts.includes(schema)) texts.push(schema);
      return { status: 200, body: JSON.stringify({ id: texts.indexOf(schema) }) };
    },
    close: () => undefined,
  };
  const config = {
    url: 'http://registry',
    auto_register: true,
    subject_strategy: 'topic',
    request_timeout: 10_000,
    cache_ttl: 60_000,
    cache_size: 100,
  } as const;
  return new SchemaRegistry(config, ctx, () => Promise.resolve(transport));
}

const ctx: FormatContext = { pipeline: 'bench', name: 'bus', where: 'bench', clock: systemClock, random: () => 0, logger: silentLogger };

/** The least of some repeats, in µs of CPU (user and system) per event: other work on the machine only adds. */
async function cpuPerEvent(run: () => unknown): Promise<number> {
  for (let i = 0; i < ROUNDS / 2; i++) await run();
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.cpuUsage();
    for (let i = 0; i < ROUNDS; i++) await run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / ROUNDS / EVENTS);
  }
  return best;
}

const results: Record<string, number> = {};
async function measure(name: string, run: () => unknown, bytes = 0): Promise<void> {
  results[name] = round(await cpuPerEvent(run), 2);
  process.stdout.write(`${name.padEnd(34)} ${(results[name] ?? 0).toFixed(2)} µs${bytes === 0 ? '' : `  (${bytes} bytes)`}\n`);
}

const type = avsc.Type.forSchema(rowSchema(ORDERS, false) as never, { wrapUnions: 'never' } as never),
  values = Array.from({ length: EVENTS }, (_, i) => avscRow(i));
const written = values.map((v) => type.toBuffer(v));
await measure('avsc alone: write row', () => values.map((v) => type.toBuffer(v)));
await measure('avsc alone: read row', () => written.map((b) => type.fromBuffer(b) as unknown));

for (const [name, envelope, options] of [
  ['row', 'row', {}],
  ['plain', 'plain', {}],
  ['debezium', 'debezium', {}],
  ['debezium, compatible', 'debezium', { compatible: true }],
] as const) {
  const batch = batchOf(envelope, options),
    client = registry(),
    config = { on_schema_error: 'wait', message_format: 'avro' } as const;
  await measure(`${name}: JSON`, () => batch.encoded(), batch.encoded().value[0]?.length ?? 0);
  const encoder = new AvroRecords(config, ctx, 'avro', client);
  const encode = () => encoder.encode(batch, (_event, topic) => topic, never);
  const { records } = await encode();
  await measure(`${name}: write Avro, with keys`, encode, records.value[0]?.length ?? 0);
  const decoder = avroDecoder({ message_format: 'avro', envelope }, ctx, client, { key: null, value: null });
  const messages = [...records.event].map((_, i) => ({
    topic: 't',
    key: Uint8Array.from(records.key[i] as Uint8Array),
    value: Uint8Array.from(records.value[i] as Uint8Array),
    headers: null,
  }));
  await measure(`${name}: read Avro, with keys`, () => decoder.decode(messages, never));
}
const ratio = round((results['row: write Avro, with keys'] ?? Number.NaN) / (results['avsc alone: write row'] ?? Number.NaN), 2);
console.log(JSON.stringify({ scenario: 'formats', cpu_us_per_event: results, write_over_avsc: ratio, budget: BUDGET }));
if (!(ratio <= BUDGET)) process.exitCode = 1;
