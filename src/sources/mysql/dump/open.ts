// Opens the binary log: the driver connects, logs in and encrypts, the session says how it wants events, and then the socket is
// ours. The driver would hand over one event at a time, and four kinds of them.

import type { Clock } from '../../../sdk/index.ts';
import { quoteText } from '../../../util/sql-names.ts';
import { type Login, openDriverConnection } from '../connection.ts';
import type { ServerFacts } from '../server-facts.ts';
import { dumpBehindGtids, dumpFrom, type LogAddress, registerReplica } from './commands.ts';
import { BinlogStream } from './stream.ts';

/** Where to begin. `set`: of MySQL, as COM_BINLOG_DUMP_GTID takes it; `position`: of MariaDB, as `@slave_connect_state` does. */
export type DumpStart =
  | { readonly by: 'address'; readonly address: LogAddress }
  | { readonly by: 'mysql_gtids'; readonly set: Buffer }
  | { readonly by: 'mariadb_gtids'; readonly position: string };

export interface DumpSettings {
  readonly serverId: number;
  /** Tells us from others with the same number. */
  readonly uuid: string;
  readonly name: string;
  readonly start: DumpStart;
  readonly heartbeatMs: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  /** Ends at the end of the log, instead of waiting there. */
  readonly nonBlock?: boolean;
}

/** A year: while the socket is paused the server must not give up on us (`net_write_timeout` is one minute otherwise). */
const WRITE_TIMEOUT_S = 31_536_000;
const NS_PER_MS = 1_000_000;
/** Of events that MariaDB may send: all. */
const MARIADB_CAPABILITY = 4;

export function sessionStatements({ flavor }: ServerFacts, { start, heartbeatMs, uuid }: DumpSettings): string[] {
  const heartbeat = Math.round(heartbeatMs) * NS_PER_MS;
  const statements = [
    // The server's own algorithm: it then sends what stands in the file. Servers before 5.6 have no such variable.
    'SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum',
    `SET @master_heartbeat_period = ${heartbeat}, @source_heartbeat_period = ${heartbeat}`,
    `SET SESSION net_write_timeout = ${WRITE_TIMEOUT_S}`,
  ];
  if (flavor === 'mysql') statements.push(`SET @slave_uuid = ${quoteText(uuid)}, @replica_uuid = ${quoteText(uuid)}`);
  else {
    statements.push(`SET @mariadb_slave_capability = ${MARIADB_CAPABILITY}`);
    if (start.by === 'mariadb_gtids')
      statements.push(
        `SET @slave_connect_state = ${quoteText(start.position)}, @slave_gtid_strict_mode = 1, @slave_gtid_ignore_duplicates = 0`,
      );
  }
  return statements;
}

function dumpCommand({ serverId, start, nonBlock = false }: DumpSettings): Buffer {
  switch (start.by) {
    case 'mysql_gtids':
      return dumpBehindGtids(serverId, start.set, nonBlock);
    case 'mariadb_gtids':
      return dumpFrom(serverId, { file: '', position: 4 }, nonBlock);
    default:
      return dumpFrom(serverId, start.address, nonBlock);
  }
}

/** Throws errors of the driver, `ServerRefusal` and `StreamLost`: `errors.ts` says what they mean. */
export async function openDump(login: Login, facts: ServerFacts, settings: DumpSettings, signal: AbortSignal): Promise<BinlogStream> {
  const connection = await openDriverConnection(login, signal);
  try {
    for (const sql of sessionStatements(facts, settings)) await connection.query(sql);
    const socket = connection.takeOver();
    const stream = new BinlogStream(socket, settings, () => connection.destroy());
    connection.onError((error) => stream.fail(error));
    await stream.begin(registerReplica(settings.serverId, settings.name), dumpCommand(settings), signal);
    return stream;
  } catch (error) {
    connection.destroy();
    signal.throwIfAborted();
    throw error;
  }
}
