// A transaction on one session: begun, committed or rolled back, and the one hard case told apart: a commit without an answer.

import { CdcError } from '../../sdk/index.ts';
import type { Session } from './connection.ts';
import { isCertainRollback } from './errors.ts';

/** Named in full: the defaults of a database could make it read-only, or serializable, where the fence would not wait. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE';

/**
 * Runs `work` in a transaction. What it throws is thrown after the rollback. `DESTINATION_OUTCOME_UNKNOWN` when the
 * connection broke during COMMIT: the server may have done it.
 */
export async function inTransaction<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query(BEGIN);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await rollBack(session);
    throw error;
  }
  await commit(session);
  return result;
}

async function commit(session: Session): Promise<void> {
  const { command } = await session.query('COMMIT').catch((cause: unknown) => {
    if (isCertainRollback(cause)) throw cause;
    throw new CdcError('DESTINATION_OUTCOME_UNKNOWN', 'The connection to PostgreSQL broke while a commit was under way.', {
      retriable: true,
      cause,
    });
  });
  // The server answers COMMIT of a failed transaction with ROLLBACK, and no error.
  if (command !== 'COMMIT') throw new CdcError('DESTINATION_FAILED', `PostgreSQL answered COMMIT with ${command}.`, { retriable: true });
}

/** Where the connection is gone the server rolls back by itself, and the error that led here says more than this one. */
export async function rollBack(session: Session): Promise<void> {
  await session.query('ROLLBACK').catch(() => {});
}
