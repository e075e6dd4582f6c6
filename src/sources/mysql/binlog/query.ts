// QUERY and its relatives. The text is in the character set of the client that sent it.
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Query__event.html

import { charsetOf } from './charsets.ts';
import type { EventHeader, QueryEvent } from './events.ts';
import type { EventReader } from './reader.ts';
import { readStatement } from './statement.ts';
import { unpack } from './unpack.ts';

/** Status variables in the order in which servers write them, up to the one of interest: bytes of each. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 4], // flags
  [1, 8], // sql_mode
  [3, 4], // auto_increment_increment and _offset
]);
const CATALOG = 6,
  CHARSET = 4;

/** The collation of the client; `null` when the event does not say. */
function clientCollation(r: EventReader): number | null {
  while (r.left > 0) {
    const code = r.byte('a status variable'),
      fixed = FIXED_BYTES.get(code);
    if (code === CHARSET) return r.uint16('the character set');
    if (fixed !== undefined) r.take(fixed, 'a status variable');
    else if (code === CATALOG) r.take(r.byte('a length'), 'the catalog');
    else return null;
  }
  return null;
}

function decode(header: EventHeader, r: EventReader, isExecuteLoad: boolean, maxUnpackedBytes: number | null): QueryEvent {
  const threadId = r.uint32('the thread');
  r.uint32('the time it took');
  const databaseBytes = r.byte('the length of the database'),
    errorCode = r.uint16('the error'),
    statusBytes = r.uint16('the length of the status');
  // File id, places of the file's name, what becomes of duplicates.
  if (isExecuteLoad) r.take(13, 'the post-header');
  const collation = clientCollation(r.part(statusBytes, 'the status'));
  const database = r.text(databaseBytes, 'the database');
  r.byte('the end of the database');
  const bytes = maxUnpackedBytes === null ? r.view(r.left, 'the text') : unpack(r.bytes, r.at, r.end, maxUnpackedBytes);
  const sql = collation === null ? bytes.toString('utf8') : charsetOf(collation).decode(bytes, 0, bytes.length);
  const statement = isExecuteLoad ? ({ kind: 'change', verb: 'load', table: null } as const) : readStatement(sql, database);
  return { kind: 'query', header, database, sql, threadId, errorCode, statement };
}

export function decodeQuery(header: EventHeader, r: EventReader): QueryEvent {
  return decode(header, r, false, null);
}

/** MariaDB with `log_bin_compress`. */
export function decodeCompressedQuery(header: EventHeader, r: EventReader, maxUnpackedBytes: number): QueryEvent {
  return decode(header, r, false, maxUnpackedBytes);
}

/** LOAD DATA logged as a statement. */
export function decodeExecuteLoad(header: EventHeader, r: EventReader): QueryEvent {
  return decode(header, r, true, null);
}
