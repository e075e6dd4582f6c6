// Has a table been altered between a place in the log and now? Where the log does not say the names of columns, the catalog may be
// believed only if nothing lies in between. The server lists its own log; asked once per DDL, and never with FULL metadata.

import { readStatement } from './binlog/statement.ts';
import type { Queries } from './connection.ts';
import { fileName, type LogPlace, parseFileName } from './position.ts';
import { logFiles } from './server-facts.ts';

/** Events of one answer. */
const EVENTS = 5_000;
const FIRST_POSITION = 4;

/** The first statement behind `place` that may have changed the table; `null`: there is none. Ask the catalog before this. */
export async function laterDdl(queries: Queries, place: LogPlace, database: string, table: string): Promise<string | null> {
  const files = (await logFiles(queries)).flatMap(({ name }) => {
    const file = parseFileName(name);
    return file !== null && file.base === place.base && file.number >= place.fileNumber ? [file] : [];
  });
  for (const file of files) {
    const name = fileName(file.base, file.number);
    let position = file.number === place.fileNumber ? place.eventPosition : FIRST_POSITION;
    for (;;) {
      const rows = await queries.query(`SHOW BINLOG EVENTS IN '${name.replaceAll("'", "''")}' FROM ${position} LIMIT ${EVENTS}`);
      for (const row of rows) {
        const info = row['Info'] ?? '';
        if (/^Query/.test(row['Event_type'] ?? '') && concerns(info, database, table)) return info;
      }
      if (rows.length < EVENTS) break;
      position = Number(rows.at(-1)?.['End_log_pos'] ?? 0);
    }
  }
  return null;
}

/** `` use `shop`; ALTER TABLE … `` */
function concerns(info: string, database: string, table: string): boolean {
  const [, home, sql = info] = /^use `((?:[^`]|``)*)`; (.*)$/s.exec(info) ?? [],
    statement = readStatement(sql, home ?? '');
  if (statement.kind === 'drop_database') return statement.database === database;
  if (statement.kind !== 'ddl' || statement.temporary || ['truncate', 'index'].includes(statement.verb)) return false;
  // Names that cannot be read may be any.
  if (statement.tables.length === 0) return true;
  return [...statement.tables, ...statement.renamedTo].some((t) => t.database === database && t.table === table);
}
