// Logical messages: which of the applications' are passed on, and our own, which keep the slot moving while this database is
// quiet and others of the server write. https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION

import type { SourceContext } from '../../sdk/index.ts';
import { globToRegExp } from '../../util/glob.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import type { Server } from './server.ts';

/** Our heartbeats are nobody's message. */
export function messageFilter({ logical_messages, heartbeat }: PostgresqlSourceConfig): (prefix: string) => boolean {
  const include = logical_messages.include.map((p) => globToRegExp(p, '.')),
    exclude = logical_messages.exclude.map((p) => globToRegExp(p, '.'));
  return (prefix) => prefix !== heartbeat?.prefix && include.some((p) => p.test(prefix)) && !exclude.some((p) => p.test(prefix));
}

/** In a transaction of its own: what is outside of transactions moves the slot less reliably. Ends with `signal`. */
export async function sendHeartbeats(
  server: Server,
  { interval, prefix }: NonNullable<PostgresqlSourceConfig['heartbeat']>,
  { clock, logger }: SourceContext,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await clock.sleep(interval, signal);
    if (signal.aborted) return;
    try {
      await server.use(signal, (session) => session.query("SELECT pg_logical_emit_message(true, $1::text, ''::text)", [prefix]));
    } catch (error) {
      // The stream tells whether the server is there; a heartbeat that fails costs nothing but the next one's wait.
      if (!signal.aborted)
        logger.warn('a heartbeat could not be written', { error: error instanceof Error ? error.message : String(error) });
    }
  }
}
