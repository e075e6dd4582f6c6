// Makes and changes target tables. Each statement commits by itself, before the rows that need it: a crash behind it leaves a table
// that already fits, and what is done twice finds nothing more to do.

import { describeTarget, type TableName } from '../../relational/table.ts';
import type { Column, TableSchema } from '../../sdk/index.ts';
import { quoteName, textLiteral } from '../../systems/mysql/names.ts';
import { readTable } from './catalog.ts';
import type { Session } from './connection.ts';
import { alterStatement, createTableStatement, type Decision, nullableStatement } from './ddl.ts';
import { isDdlRefusal, tableChangeRefused } from './errors.ts';
import type { CatalogTable } from './target-table.ts';

/** Everybody queues behind a change that waits for its lock, readers too: better to give up and come again. Seconds. */
const LOCK_SECONDS = 5;
/** Keeps two of us from changing tables at the same time. */
const ADVISORY_LOCK = 'cdc_run_alter';

/** Makes the table, with its database if need be. */
export async function createTable(session: Session, name: TableName, source: TableSchema, columns: readonly Column[]): Promise<void> {
  const { count } = await session.query(`SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${textLiteral(name.schema)}`);
  if (count === 0) await session.query(`CREATE DATABASE IF NOT EXISTS ${quoteName(name.schema)}`);
  await session.query(createTableStatement(name, columns, source.key, session.server));
}

/**
 * Decides again when no other of us changes tables: another worker, or an operator, may have changed the table since it was read,
 * and a type that was wider a moment ago would be narrower now. Returns the table as it is then.
 */
export function alterTable(session: Session, name: TableName, decide: (found: CatalogTable | null) => Decision): Promise<CatalogTable> {
  return alone(session, async () => {
    const decision = decide(await readTable(session, name));
    if (decision.add.length > 0 || decision.widen.length > 0) await change(session, name, alterStatement(name, decision, session.server));
    return (await readTable(session, name)) as CatalogTable;
  });
}

/** `false`: the server does not let it be NULL (a primary key). */
export function loosenColumn(session: Session, name: TableName, column: string): Promise<boolean> {
  return alone(session, async () => {
    const statement = await looseningOf(session, name, column);
    if (statement === null) return false;
    try {
      await impatiently(session, statement);
      return true;
    } catch (error) {
      if (isDdlRefusal(error)) return false;
      throw error;
    }
  });
}

/** The statement that lets a column take NULLs; `null` when there is no such column. */
export async function looseningOf(session: Session, name: TableName, column: string): Promise<string | null> {
  const found = (await readTable(session, name))?.columns.find((c) => c.name === column);
  return found === undefined ? null : nullableStatement(name, found);
}

async function change(session: Session, name: TableName, statement: string): Promise<void> {
  try {
    await impatiently(session, statement);
  } catch (error) {
    throw isDdlRefusal(error) ? tableChangeRefused(error, describeTarget(name), statement) : error;
  }
}

async function impatiently(session: Session, statement: string): Promise<void> {
  const { rows } = await session.query('SELECT @@lock_wait_timeout AS seconds');
  try {
    await session.script([`SET SESSION lock_wait_timeout=${LOCK_SECONDS}`, statement]);
  } finally {
    await session.query(`SET SESSION lock_wait_timeout=${Number(rows[0]?.['seconds'])}`).catch(() => {});
  }
}

/** Goes on without the lock after a while: it only saves work that would be done twice. */
async function alone<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query(`SELECT GET_LOCK('${ADVISORY_LOCK}', ${LOCK_SECONDS})`);
  try {
    return await work();
  } finally {
    // With a connection that is gone, the lock is, too.
    await session.query(`SELECT RELEASE_LOCK('${ADVISORY_LOCK}')`).catch(() => {});
  }
}
