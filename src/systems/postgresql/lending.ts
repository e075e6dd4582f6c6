// What the pools of sources and destinations have in common: values as texts, losses that end nobody, and a wait that ends when
// the caller is stopped.

import type { Pool, PoolClient, PoolConfig } from 'pg';
import type { Logger } from '../../sdk/index.ts';

/** A dead peer is noticed by the kernel's keepalives from this idle time on. */
export const KEEPALIVE_DELAY_MS = 10_000;

/** Values as the server spells them: nothing is parsed into lossy types. */
export const RAW_TEXT = { getTypeParser: () => (value: unknown) => value } as unknown as NonNullable<PoolConfig['types']>;

/**
 * The loss of a connection ends nobody: the query under way reports it anyway. Who listens only once a connection is lent comes too late:
 * a server that ends may say so in the same bytes as the end of our login, all of which the driver reads in one turn.
 */
export function surviveLosses(pool: Pool, logger: Pick<Logger, 'debug'>): void {
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', (error) => logger.debug('an idle connection was lost', { error: error.message }));
}

/** A connection of the pool, unless stopped first; one that arrives late is given back. */
export function lend(pool: Pick<Pool, 'connect'>, signal: AbortSignal | null): Promise<PoolClient> {
  const connecting = pool.connect();
  if (signal === null) return connecting;
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      connecting.then(
        (late) => late.release(),
        () => {},
      );
      reject(signal.reason as Error);
    };
    // Whoever was stopped just before hears of no abort.
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    connecting.then(
      (client) => {
        signal.removeEventListener('abort', abort);
        if (!signal.aborted) resolve(client);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', abort);
        reject(error as Error);
      },
    );
  });
}
