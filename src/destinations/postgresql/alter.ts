// Changes target tables. Each change is a transaction of its own before the rows that need it: a crash behind it leaves a table
// that already fits, and what is done twice finds nothing more to do.

import { describeTarget, type TableName } from '../../relational/table.ts';
import type { Session } from './connection.ts';
import { alterStatement, type Decision, nullableStatement } from './ddl.ts';
import { isDdlRefusal, tableChangeRefused } from './errors.ts';
import { type CatalogTable, readTable } from './pg-catalog.ts';
import { qualified } from './sql.ts';
import { inTransaction } from './transaction.ts';

/** Everybody queues behind a lock that waits, readers too: better to give up and come again. */
const LOCK_TIMEOUT = '5s';

/**
 * Decides again under the lock: another worker, or an operator, may have changed the table since it was read, and a type that was
 * wider a moment ago would be narrower now. Returns the table as it is then.
 */
export function alterTable(session: Session, name: TableName, decide: (found: CatalogTable | null) => Decision): Promise<CatalogTable> {
  return inTransaction(session, async () => {
    await lock(session, name);
    const decision = decide(await readTable(session, name));
    if (decision.add.length > 0 || decision.widen.length > 0) await change(session, name, alterStatement(name, decision));
    return (await readTable(session, name)) as CatalogTable;
  });
}

/** `false`: the server does not let it be NULL (a primary key). */
export async function loosenColumn(session: Session, name: TableName, column: string): Promise<boolean> {
  try {
    await inTransaction(session, async () => {
      await lock(session, name);
      await session.query(nullableStatement(name, column));
    });
    return true;
  } catch (error) {
    if (isDdlRefusal(error)) return false;
    throw error;
  }
}

async function lock(session: Session, name: TableName): Promise<void> {
  await session.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
  await session.query(`LOCK TABLE ${qualified(name)} IN ACCESS EXCLUSIVE MODE`);
}

async function change(session: Session, name: TableName, statement: string): Promise<void> {
  try {
    await session.query(statement);
  } catch (error) {
    throw isDdlRefusal(error) ? tableChangeRefused(error, describeTarget(name), statement) : error;
  }
}
