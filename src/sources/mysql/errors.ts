// What went wrong at a MySQL source, and whether trying again can help: decided here and only here.
// https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { driverProblem, errorNumber } from '../../systems/mysql/driver-errors.ts';
import { PoolExhausted } from '../../systems/mysql/pool.ts';
import { BinlogError } from './binlog/errors.ts';
import { ServerRefusal } from './dump/packets.ts';
import { StreamLost } from './dump/stream.ts';

/** What an error belongs to. `server` is `host:port/database`; `where` the component. */
export interface ErrorPlace {
  readonly server: string;
  readonly where: string;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly fix?: string;
}

const retry = (code: ErrorCode, fix?: string): Meaning => ({ code, retriable: true, ...(fix === undefined ? {} : { fix }) });
const stop = (code: ErrorCode, fix: string): Meaning => ({ code, retriable: false, fix });

export const READ_AGAIN = 'Set `snapshot_mode: when_needed` to read everything again, or drop the state of the pipeline and start it anew.';
const LOGIN = 'Check `username`, `password` and `ssl_mode`, and from which hosts the user may come.';
const GRANT = 'Grant REPLICATION SLAVE, REPLICATION CLIENT and SELECT to the user; `cdc-run plan` looks at them all.';

const MEANINGS: Readonly<Record<number, Meaning>> = {
  1040: retry('SOURCE_UNREACHABLE', 'Raise max_connections of the server.'),
  1044: stop('SOURCE_FORBIDDEN', GRANT),
  1045: stop('SOURCE_FORBIDDEN', LOGIN),
  1049: stop('SOURCE_MISCONFIGURED', 'Create the database, or correct `database`.'),
  1053: retry('SOURCE_UNREACHABLE'),
  1054: stop('SOURCE_MISCONFIGURED', 'Compare `columns`, `query` and `snapshot.where` with the table.'),
  1060: stop('SOURCE_MISCONFIGURED', 'Name one of the columns of `query` with AS.'),
  1064: stop('SOURCE_MISCONFIGURED', 'Correct the SQL in `query` or `snapshot.where`.'),
  1129: stop('SOURCE_FORBIDDEN', 'Run FLUSH HOSTS at the server: it blocks our host after failed logins.'),
  1130: stop('SOURCE_FORBIDDEN', LOGIN),
  1142: stop('SOURCE_FORBIDDEN', GRANT),
  1143: stop('SOURCE_FORBIDDEN', GRANT),
  1146: stop('SOURCE_MISCONFIGURED', 'Create the table, or correct `tables`.'),
  1158: retry('SOURCE_UNREACHABLE'),
  1159: retry('SOURCE_UNREACHABLE'),
  1160: retry('SOURCE_UNREACHABLE'),
  1161: retry('SOURCE_UNREACHABLE'),
  1203: retry('SOURCE_UNREACHABLE', 'Raise max_user_connections of the server.'),
  1205: retry('SOURCE_FAILED'),
  1213: retry('SOURCE_FAILED'),
  1226: retry('SOURCE_UNREACHABLE'),
  1227: stop('SOURCE_FORBIDDEN', GRANT),
  1251: stop('SOURCE_FORBIDDEN', LOGIN),
  1317: retry('SOURCE_FAILED'),
  // XA RECOVER of MySQL 8.0 without XA_RECOVER_ADMIN.
  1401: stop('SOURCE_FORBIDDEN', 'Grant XA_RECOVER_ADMIN to the user.'),
  1381: stop('SOURCE_MISCONFIGURED', 'Start the server with log_bin.'),
  1412: retry('SOURCE_FAILED'),
  1698: stop('SOURCE_FORBIDDEN', LOGIN),
  1927: retry('SOURCE_UNREACHABLE'),
  1969: retry('SOURCE_FAILED', 'Raise `statement_timeout`, or make chunks smaller.'),
  3024: retry('SOURCE_FAILED', 'Raise `statement_timeout`, or make chunks smaller.'),
  // MariaDB 10.11: replicas are told apart by their number alone. Our own connection of before may be the other one, for a moment.
  4052: retry('SOURCE_IN_USE', 'Stop the other reader, or set `server_id` to a number that no replica has.'),
  3159: stop('SOURCE_FORBIDDEN', 'Set `ssl_mode`: the server takes encrypted connections only.'),
};

/** ER_MASTER_FATAL_ERROR_READING_BINLOG: all that can be wrong with a place, told apart by the text. */
const FATAL_READING = 1236;
const FATAL_TEXTS: readonly (readonly [RegExp, Meaning])[] = [
  [
    /same server_uuid\/server_id|same server.?uuid|same server.?id/i,
    retry('SOURCE_IN_USE', 'Stop the other reader, or choose another `server_id`.'),
  ],
  [
    /more GTIDs than|does not contain GTID|not in the master's binlog|diverged|connecting slave requested to start from/i,
    stop('SOURCE_HISTORY_DIVERGED', READ_AGAIN),
  ],
  [
    /purged|Could not find first log|could not find next log|no such file|Could not find (?:GTID|log)|has been (?:purged|removed)|cannot find/i,
    stop('SOURCE_POSITION_GONE', READ_AGAIN),
  ],
  [/impossible position|> file size|beyond the end|past the end/i, stop('SOURCE_HISTORY_DIVERGED', READ_AGAIN)],
  [
    /bogus data|corrupt|event read from binlog did not pass crc|Found invalid event|binlog truncated|log event entry exceeded/i,
    stop('SOURCE_DATA_INVALID', 'Look into the log of the server: a place inside of an event was asked for, or its binary log is damaged.'),
  ],
  [/max_allowed_packet/i, stop('SOURCE_MISCONFIGURED', 'Raise max_allowed_packet of the server: an event is larger.')],
  [/GTID_MODE/i, stop('SOURCE_MISCONFIGURED', 'Set gtid_mode=ON at the server, or `use_gtid: false`.')],
  [/binary log is not open|Binary logging not/i, stop('SOURCE_MISCONFIGURED', 'Start the server with log_bin.')],
  [/checksum/i, stop('SOURCE_MISCONFIGURED', 'Report it with the version of the server: it does not take our answer about checksums.')],
];

function meaningOf(errno: number, message: string): Meaning {
  if (errno === FATAL_READING || errno === 1234 || errno === 1220) {
    const found = FATAL_TEXTS.find(([text]) => text.test(message));
    return found?.[1] ?? stop('SOURCE_POSITION_GONE', READ_AGAIN);
  }
  return MEANINGS[errno] ?? { code: 'SOURCE_FAILED', retriable: false };
}

/** Any error of a call as a `CdcError`. One that is one already keeps its own place. */
export function sourceError(error: unknown, place: ErrorPlace): CdcError {
  if (error instanceof CdcError) return error;
  if (error instanceof StreamLost) return unreachable(place, error.message, error);
  if (error instanceof PoolExhausted) return unreachable(place, error.message, error, 'Raise `connection_pool.max_connections`.');
  if (error instanceof BinlogError) return invalid(place, error.message, error);
  const errno = error instanceof ServerRefusal ? error.errno : errorNumber(error);
  if (errno === null) return driverError(error, place);
  const message = (error as Error).message,
    { code, retriable, fix } = meaningOf(errno, message);
  return new CdcError(code, `MySQL at ${place.server}: ${message} (error ${errno}).`, {
    where: place.where,
    retriable,
    ...(fix === undefined ? {} : { fix }),
    cause: error,
  });
}

function driverError(error: unknown, place: ErrorPlace): CdcError {
  const { kind, detail } = driverProblem(error),
    { server, where } = place;
  switch (kind) {
    case 'unreachable':
    case 'slow':
      return unreachable(place, detail, error);
    case 'no_encryption':
      return new CdcError('SOURCE_MISCONFIGURED', `MySQL at ${server} offers no encryption.`, {
        where,
        fix: 'Switch TLS on at the server, or set `ssl_mode: disable`.',
        cause: error,
      });
    case 'certificate':
      return new CdcError('SOURCE_FORBIDDEN', `The certificate of MySQL at ${server} is not accepted: ${detail}.`, {
        where,
        fix: 'Set `ssl.ca` to the certificate of its authority, and `host` to a name in the certificate.',
        cause: error,
      });
    case 'certificate_file':
      return new CdcError('SOURCE_MISCONFIGURED', detail, { where, fix: 'Correct the path under `ssl`.', cause: error });
    case 'login':
      return new CdcError('SOURCE_FORBIDDEN', `The login at ${server} failed: ${detail}.`, { where, fix: LOGIN, cause: error });
    case 'other':
      return new CdcError('SOURCE_FAILED', `Reading from MySQL at ${server} failed: ${detail}.`, { where, cause: error });
  }
}

const RUNS = 'Check that the server runs, and `host` and `port`.';

export function unreachable({ server, where }: ErrorPlace, why: string, cause?: unknown, fix = RUNS): CdcError {
  return new CdcError('SOURCE_UNREACHABLE', `MySQL at ${server} cannot be reached: ${why}.`, {
    where,
    fix,
    retriable: true,
    cause,
  });
}

function invalid({ server, where }: ErrorPlace, why: string, cause: unknown): CdcError {
  return new CdcError('SOURCE_DATA_INVALID', `The binary log of ${server} cannot be read: ${why}.`, {
    where,
    fix: 'Check what stands between here and the server; if nothing does, report it with the version of the server.',
    cause,
  });
}

export function positionGone(where: string, why: string): CdcError {
  return new CdcError('SOURCE_POSITION_GONE', why, { where, fix: READ_AGAIN });
}
/** By `binlog_do_db` or `binlog_ignore_db`. */
export function notLogged(database: string, where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `The server keeps the database ${database} out of its binary log.`, {
    where,
    fix: 'Start it without binlog_ignore_db and binlog_do_db, or leave out tables of that database.',
  });
}

export function diverged(where: string, why: string): CdcError {
  return new CdcError('SOURCE_HISTORY_DIVERGED', why, { where, fix: READ_AGAIN });
}

/** The statement asks for a privilege that the user lacks, of the whole server: PROCESS, REPLICATION CLIENT. */
export const lacksPrivilege = (error: unknown): boolean => errorNumber(error) === 1227;
