// The rows that are captured: `orders` of facts measured before (186 bytes of text per row), 1,000 rows per transaction, with a
// slot made before each phase and never confirmed, so that a phase can be drained again and again.

import type pg from 'pg';

export const PHASES = ['inserts', 'full_updates'] as const;
export type PhaseName = (typeof PHASES)[number];

export interface Phase {
  readonly name: PhaseName;
  readonly events: number;
  /** Never confirmed. To be copied, not to be read. */
  readonly slot: string;
  readonly endLsn: string;
}

export const PUBLICATION = 'bench';

const TABLE = `
CREATE TABLE orders (
  id bigint PRIMARY KEY, customer text NOT NULL, status text NOT NULL, note text,
  amount numeric(12,2), created_at timestamptz, paid boolean, meta jsonb);
CREATE PUBLICATION ${PUBLICATION} FOR TABLE orders;
CREATE PROCEDURE insert_orders(first int, n int) LANGUAGE plpgsql AS $$
BEGIN FOR t IN 0..n/1000-1 LOOP
  INSERT INTO orders SELECT g, 'customer-' || (g % 50021) || '@example.com', (array['new','paid','shipped','returned'])[1 + g % 4],
    'Leave at the back door, gate code ' || (g % 9999) || CASE WHEN g % 50 = 0 THEN E' \\u00e9t\\u00e9 "quoted"\\n' ELSE '' END,
    (g % 100000)::numeric / 100, '2026-01-01'::timestamptz + g * interval '1.234567 second', g % 3 = 0,
    jsonb_build_object('sku', 'SKU-' || (g % 777), 'qty', g % 9, 'tags', jsonb_build_array('a','b'))
  FROM generate_series(first + t * 1000 + 1, first + t * 1000 + 1000) g; COMMIT; END LOOP; END $$;
CREATE PROCEDURE update_orders(n int, st text) LANGUAGE plpgsql AS $$
BEGIN FOR t IN 0..n/1000-1 LOOP
  UPDATE orders SET status = st, amount = amount + 1 WHERE id BETWEEN t * 1000 + 1 AND t * 1000 + 1000; COMMIT; END LOOP; END $$;`;

/** Every reader sees a place beyond the end of the last phase. */
const BEYOND = `SELECT pg_logical_emit_message(false, 'bench', repeat('x', 8000)) FROM generate_series(1, 20)`;

/** `inserts`, `updates`: how many, in thousands of their own transactions. */
export async function createWorkload(client: pg.Client, inserts: number, updates: number): Promise<Phase[]> {
  await client.query(TABLE);
  const phases: Phase[] = [];
  const phase = async (name: PhaseName, events: number, statement: string): Promise<void> => {
    const slot = `bench_${name}`;
    await client.query(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
    await client.query(statement);
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    phases.push({ name, events, slot, endLsn: rows[0]?.lsn ?? '' });
  };
  await phase('inserts', inserts, `CALL insert_orders(0, ${inserts})`);
  await client.query('ALTER TABLE orders REPLICA IDENTITY FULL');
  await phase('full_updates', updates, `CALL update_orders(${updates}, 'sent')`);
  await client.query(BEYOND);
  await client.query('SELECT pg_switch_wal()');
  await client.query('CHECKPOINT');
  return phases;
}
