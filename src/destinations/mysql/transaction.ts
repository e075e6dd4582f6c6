// A transaction on one session: begun, committed or rolled back, and the one hard case told apart: a commit without an answer.

import { CdcError } from '../../sdk/index.ts';
import type { Session } from './connection.ts';
import { isCertainRollback } from './errors.ts';

/** Named in full: the server's defaults could make it repeatable read, where statements lock rows that are not there, or read-only. */
const BEGIN = ['SET TRANSACTION ISOLATION LEVEL READ COMMITTED', 'START TRANSACTION READ WRITE'];

/**
 * Runs `work` in a transaction. What it throws is thrown after the rollback. `DESTINATION_OUTCOME_UNKNOWN` when the
 * connection broke during COMMIT: the server may have done it.
 */
export async function inTransaction<T>(session: Session, work: () => Promise<T>): Promise<T> {
  session.isBusy = true;
  await session.script(BEGIN);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await rollBack(session);
    throw error;
  }
  await commit(session);
  session.isBusy = false;
  return result;
}

async function commit(session: Session): Promise<void> {
  await session.query('COMMIT').catch((cause: unknown) => {
    if (isCertainRollback(cause)) throw cause;
    throw new CdcError('DESTINATION_OUTCOME_UNKNOWN', 'The connection to the server broke while a commit was under way.', {
      retriable: true,
      cause,
    });
  });
}

/** Where the connection is gone the server rolls back by itself, and the error that led here says more than this one. */
async function rollBack(session: Session): Promise<void> {
  await session.query('ROLLBACK').then(
    () => {
      session.isBusy = false;
    },
    () => {},
  );
}
