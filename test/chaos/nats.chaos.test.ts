// SIGKILL at random moments, of the server and of the pipeline, in both directions: nothing is lost, nothing comes twice into the
// stream, and a table that is filled from it equals it. NATS' own Go client reads the stream, too.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NatsPlace, natsServers } from '../helpers/nats.ts';
import { goProgram, readWithGo } from '../helpers/nats-go.ts';
import { OwnNats } from '../helpers/own-nats.ts';
import { openDatabase } from './evidence.ts';
import { chaosFolder, killsOf, TIMEOUT_MS } from './victim.ts';

const isThere = (await natsServers('nats')).length > 0;
const COUNT = 20_000;
const RETRY = 'error_handling: {retry: {initial_delay: 20ms, max_delay: 100ms}}';

interface Change {
  readonly op: string;
  readonly after: { readonly id: number; readonly [column: string]: unknown };
}

/** Kills the server, the pipeline, or both, with pauses of up to `pauseMs`. */
async function disturb(kills: number, pauseMs: number, server: OwnNats, pipeline: { kill(): Promise<void> }): Promise<void> {
  for (let n = 0; n < kills; n++) {
    await sleep(pauseMs * (0.3 + 0.7 * Math.random()));
    if (n % 3 !== 2) {
      await server.kill();
      if (n % 3 === 1) await pipeline.kill();
      await sleep(50 * Math.random());
      await server.start();
    } else await pipeline.kill();
  }
}

describe.skipIf(!isThere)('generator → nats → sqlite', () => {
  it('loses nothing, doubles nothing and keeps the order while both ends are killed', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using server = await OwnNats.start();
    work.write(
      'to.yaml',
      `
name: to
source: {type: generator, count: ${COUNT}, rate: 4000, seed: 3, tables: [orders], keys: ${COUNT}, mix: {create: 100, update: 0, delete: 0}}
destination: {type: nats, url: "${server.url}", subject: "shop.{table}", request_timeout: 2s, envelope: debezium}
sync: {mode: one_time, batch_size: 300, checkpoint_interval: 100ms}
state: {path: to.db, lease: 1s}
${RETRY}
`,
    );
    work.write(
      'from.yaml',
      `
name: from
source: {type: nats, url: "${server.url}", subject: shop.orders, request_timeout: 2s, ack_wait: 2s, envelope: debezium, create_stream: false}
destination: {type: sqlite, path: copy.db, table: orders}
sync: {mode: one_time, batch_size: 500}
state: {path: from.db, lease: 1s}
${RETRY}
`,
    );
    /** Runs until it has ended well, over the kills. */
    const runOver = async (file: string, kills: number): Promise<void> => {
      let current = work.start([file]);
      const pipeline = {
        kill: async (): Promise<void> => {
          current.child.kill('SIGKILL');
          await current.ended;
          current = work.start([file]);
        },
      };
      await disturb(kills, 900, server, pipeline);
      for (let tries = 0; tries < 5; tries++) {
        const { code, err } = await current.ended;
        if (code === 0) return;
        if (tries === 4) throw new Error(`${file} ended with ${code}: ${err.slice(-2000)}`);
        current = work.start([file]);
      }
    };
    await runOver('to.yaml', killsOf(9));
    await using place = await NatsPlace.at(server.url);
    const changes = (await place.messages('SHOP')).map((m) => JSON.parse(Buffer.from(m.data).toString()) as Change);
    expect(changes.map((c) => c.op)).toEqual(Array(COUNT).fill('c'));
    const ids = changes.map((c) => c.after.id);
    expect(new Set(ids).size).toBe(COUNT);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));

    const program = goProgram('reader');
    if (program !== null) {
      const read = readWithGo(program, server.url, 'shop.orders', COUNT);
      expect(read.map((m) => (JSON.parse(m.data) as Change).after.id)).toEqual(ids);
      expect(new Set(read.map((m) => m.id)).size).toBe(COUNT);
      expect(read[0]).toMatchObject({ subject: 'shop.orders', key: JSON.stringify({ id: ids[0] }) });
    }

    await runOver('from.yaml', killsOf(9));
    using copy = openDatabase(work.path('copy.db'));
    const rows = copy.db.prepare('SELECT * FROM orders ORDER BY id').all() as Record<string, unknown>[];
    expect(rows.map((r) => Number(r['id']))).toEqual(ids.map(Number));
    const info = await place.jsm.consumers.info('SHOP', 'cdc_run_from');
    expect(info).toMatchObject({ num_pending: 0, num_ack_pending: 0 });
  });
});
