// Slots that tests leave behind would keep the log of a shared server for ever.

import { eventually } from './eventually.ts';
import type { TestDatabase } from './postgres.ts';

/** Drops all slots of the database, and ends who still reads them. */
export function dropSlots(db: Pick<TestDatabase, 'query'>): Promise<void> {
  return eventually(async () => {
    const slots = await db.query<{ name: string; pid: number | null }>(
      'SELECT slot_name AS name, active_pid AS pid FROM pg_replication_slots WHERE database = current_database()',
    );
    for (const { name, pid } of slots) {
      if (pid !== null) await db.query('SELECT pg_terminate_backend($1)', [pid]);
      else await db.query('SELECT pg_drop_replication_slot($1)', [name]);
    }
    return slots.length === 0;
  }, 'all slots of the database are dropped');
}
