// Slots that tests leave behind would keep the log of a shared server for ever.

import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from './postgres.ts';

const PATIENCE_MS = 20_000;

/** Drops all slots of the database, and ends who still reads them. */
export async function dropSlots(db: Pick<TestDatabase, 'query'>): Promise<void> {
  for (const began = performance.now(); ; await sleep(50)) {
    const slots = await db.query<{ name: string; pid: number | null }>(
      'SELECT slot_name AS name, active_pid AS pid FROM pg_replication_slots WHERE database = current_database()',
    );
    if (slots.length === 0) return;
    if (performance.now() - began > PATIENCE_MS) throw new Error(`these slots cannot be dropped: ${slots.map((s) => s.name).join(', ')}`);
    for (const { name, pid } of slots) {
      if (pid !== null) await db.query('SELECT pg_terminate_backend($1)', [pid]);
      else await db.query('SELECT pg_drop_replication_slot($1)', [name]).catch(() => undefined);
    }
  }
}
