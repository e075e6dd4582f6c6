// What went wrong, decided here and only here: an error of the driver or the server becomes a `CdcError`, and is an event's
// fault, temporary, or neither. Numbers: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html,
// https://mariadb.com/kb/en/mariadb-error-code-reference/ (from 1900 to 2000 and from 4000 on)

import type { TableName } from '../../relational/table.ts';
import type { RefusedNull } from '../../relational/targets.ts';
import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { driverProblem, errorNumber, isServerError, type ServerError } from '../../systems/mysql/driver-errors.ts';
import { PoolExhausted } from '../../systems/mysql/pool.ts';

/** What one error means to us. */
interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly fix?: string;
}

const retry = (code: ErrorCode, fix?: string): Meaning => ({ code, retriable: true, ...(fix === undefined ? {} : { fix }) });
const stop = (code: ErrorCode, fix: string): Meaning => ({ code, retriable: false, fix });

const PRIVILEGE = stop('DESTINATION_FORBIDDEN', 'Grant the missing privilege to the user.');
const LOGIN = stop('DESTINATION_FORBIDDEN', 'Check `username` and `password`, and from which hosts the user may come in.');
const UNLIKE = stop('DESTINATION_MISCONFIGURED', 'Compare the target table with the source table.');
const READ_ONLY = retry('DESTINATION_FAILED', 'Connect to the primary: this server is read-only.');
const GONE = retry('DESTINATION_UNREACHABLE');
const BUSY = retry('DESTINATION_UNREACHABLE', 'Raise max_connections of the server, or lower `connection_pool.max_connections`.');
const FULL = retry('DESTINATION_FULL', 'Free disk space on the server.');
const AGAIN = retry('DESTINATION_FAILED');
const SLOW = retry('DESTINATION_FAILED', 'Raise `statement_timeout` if statements need longer.');

/** What is not listed is `DESTINATION_FAILED` and not tried again. */
const MEANINGS: ReadonlyMap<number, Meaning> = new Map(
  (
    [
      [PRIVILEGE, [1044, 1142, 1143, 1227, 1370, 1410, 1419]],
      [LOGIN, [1045, 1130, 1251, 1275, 1698, 1820, 1862, 3118, 3878, 4151]],
      [stop('DESTINATION_FORBIDDEN', 'Set `ssl_mode: verify-full`, or `require`.'), [3159]],
      [stop('DESTINATION_FORBIDDEN', 'Run `FLUSH HOSTS` at the server, or correct the address.'), [1129]],
      [stop('DESTINATION_MISCONFIGURED', 'Create the database, or correct `database`.'), [1049]],
      [UNLIKE, [1054, 1109, 1146, 1136, 1348, 1471, 3105, 1906]],
      [stop('DESTINATION_MISCONFIGURED', 'Set binlog_format=ROW at the server.'), [1665]],
      [{ code: 'INTERNAL_UNEXPECTED', retriable: false }, [1064]],
      // A lock or a deadlock; a row or table that changed meanwhile; a column that somebody else has just added.
      [AGAIN, [1205, 1213, 1020, 1412, 1615, 1060, 3572, 1637, 1030, 1015, 1180, 3101, 1038, 1047]],
      [SLOW, [1317, 3024, 1969]],
      [READ_ONLY, [1290, 1792, 1836]],
      [GONE, [1053, 1077, 1078, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 3032, 3169, 4031]],
      [BUSY, [1040, 1203, 1226]],
      [FULL, [1021, 1114, 3, 28]],
      [retry('DESTINATION_FAILED', 'Give the server more memory.'), [1037, 1041]],
    ] as readonly (readonly [Meaning, readonly number[]])[]
  ).flatMap(([meaning, numbers]) => numbers.map((number) => [number, meaning] as const)),
);

/** A statement with one row alone is longer than the server takes. */
export class RowTooLong extends Error {
  override readonly name = 'RowTooLong';

  constructor(bytes: number, limit: number) {
    super(`the row makes a statement of ${bytes} bytes, the server takes ${limit} (max_allowed_packet)`);
  }
}

/**
 * The data is at fault, not the server or the set-up: a constraint (23), a value (22), a trigger that raised (45), and those
 * that have no such state: truncated 1265, refused 1364, of another character set 1366, SIGNAL 1644, a row that is too long
 * 1118, a partition 1526, checks 3819 and 4025.
 */
export function isDataError(error: unknown): boolean {
  if (error instanceof RowTooLong) return true;
  if (!isServerError(error)) return false;
  return (
    /^(22|23|44|45)/.test(error.sqlState) ||
    [1118, 1264, 1265, 1292, 1364, 1366, 1367, 1411, 1416, 1526, 1644, 1690, 1748, 3819, 4025].includes(error.errno)
  );
}

/** After this error of COMMIT nothing was stored for certain; after any other the outcome is unknown. */
export function isCertainRollback(error: unknown): boolean {
  return isServerError(error) && (isDataError(error) || [1205, 1213, 1020, 3101].includes(error.errno));
}

const refusedBy = new WeakMap<Error, TableName>();

/** Servers do not say of which table a column refused NULL: whoever sent the statement knows. */
export function noteTable(error: unknown, { schema, name }: TableName): void {
  const number = errorNumber(error);
  if (error instanceof Error && (number === 1048 || number === 1364)) refusedBy.set(error, { schema, name });
}

export function refusedNull(error: unknown): RefusedNull | null {
  if (!(error instanceof Error)) return null;
  const table = refusedBy.get(error),
    column = /'(.+)'/.exec(error.message)?.[1];
  return table === undefined || column === undefined ? null : { ...table, column };
}

/** The server will not change the table: not ours, used by a foreign key, a default that cannot be converted. */
export function isDdlRefusal(error: unknown): boolean {
  if (!isServerError(error)) return false;
  return MEANINGS.get(error.errno)?.retriable !== true && /^(0A|22|23|42|HY000|01)/.test(error.sqlState);
}

export function tableChangeRefused(error: unknown, target: string, statement: string): CdcError {
  const isForbidden = MEANINGS.get(errorNumber(error) ?? 0) === PRIVILEGE;
  return new CdcError(
    isForbidden ? 'DESTINATION_FORBIDDEN' : 'DESTINATION_MISCONFIGURED',
    `The server does not change ${target}: ${describe(error as ServerError)}.`,
    {
      fix: `Run${isForbidden ? ' as a user who may' : ''}: ${statement}; or give the table another mode in \`schema_evolution.tables\`.`,
      cause: error,
    },
  );
}

/** An event that the server refuses. The message names the rule, never the value. */
export function refusal(error: unknown, what: string): CdcError {
  const isRule = isServerError(error) && error.sqlState.startsWith('23');
  const fix = isRule
    ? 'Correct the row at the source, or loosen the constraint.'
    : error instanceof RowTooLong
      ? 'Raise max_allowed_packet of the server.'
      : 'Change the column of the target table, or convert the value by a transformer.';
  const text = isServerError(error) ? describe(error) : (error as Error).message;
  return new CdcError('DESTINATION_EVENT_REJECTED', `${what}: ${text}.`, { fix });
}

/**
 * `Duplicate entry '4111' for key 'items.name'` → without the value. The column, key or constraint stands behind it, or alone; what
 * a trigger says is its author's, up to the first colon.
 */
function describe(error: ServerError): string {
  const where = `(error ${error.errno}, SQLSTATE ${error.sqlState})`;
  if (!isDataError(error)) return `${error.message} ${where}`;
  const text = error.message
    .replace(
      /(Duplicate entry|Incorrect [\w ]+ value:|Truncated incorrect [\w ]+ value:|Incorrect value:) .*?(?= for | at row |$)/s,
      '$1 …',
    )
    .replace(/(Invalid JSON text)[:.].*$/s, '$1')
    .replace(/Table has no partition for value .*$/s, 'Table has no partition for the value');
  return `${error.errno === 1644 || error.sqlState.startsWith('45') ? text.replace(/[:"'].*$/s, '').trim() : text} ${where}`;
}

/** Any error of a call as a `CdcError`. `server` is `host:port/database` for messages. */
export function classify(error: unknown, server: string): CdcError {
  if (error instanceof CdcError) return error;
  if (isServerError(error)) return classifyServer(error, server);
  if (error instanceof PoolExhausted) return unreachable(server, error.message, error, BUSY.fix);
  return classifyDriver(error, server);
}

function classifyDriver(error: unknown, server: string): CdcError {
  const { kind, detail } = driverProblem(error);
  switch (kind) {
    case 'unreachable':
      return unreachable(server, detail, error);
    case 'slow':
      return new CdcError('DESTINATION_FAILED', `A statement at ${server} took too long.`, {
        fix: 'Raise `statement_timeout` if statements need longer.',
        retriable: true,
        cause: error,
      });
    case 'no_encryption':
      return new CdcError('DESTINATION_MISCONFIGURED', `The server at ${server} offers no encryption.`, {
        fix: 'Switch TLS on at the server, or set `ssl_mode: disable`.',
        cause: error,
      });
    case 'certificate':
      return new CdcError('DESTINATION_FORBIDDEN', `The certificate of the server at ${server} is not accepted: ${detail}.`, {
        fix: 'Set `ssl.ca` to the certificate of its authority, and `host` to a name in the certificate.',
        cause: error,
      });
    case 'certificate_file':
      return new CdcError('DESTINATION_MISCONFIGURED', detail, { where: 'ssl', fix: 'Correct the path under `ssl`.', cause: error });
    case 'login':
      return new CdcError('DESTINATION_FORBIDDEN', `The login at ${server} failed: ${detail}.`, { fix: 'Set `password`.' });
    case 'other':
      return new CdcError('DESTINATION_FAILED', `Writing at ${server} failed: ${detail}.`, { cause: error });
  }
}

function classifyServer(error: ServerError, server: string): CdcError {
  const { code, retriable, fix } = MEANINGS.get(error.errno) ?? { code: 'DESTINATION_FAILED', retriable: false };
  const message = `The server at ${server}: ${describe(error)}.`;
  // Errors about data carry rows in their texts, so they are not passed on as causes.
  return new CdcError(code, message, { retriable, ...(fix === undefined ? {} : { fix }), ...(isDataError(error) ? {} : { cause: error }) });
}

function unreachable(server: string, why: string, cause: unknown, fix = 'Check that the server runs, and `host` and `port`.'): CdcError {
  return new CdcError('DESTINATION_UNREACHABLE', `The server at ${server} cannot be reached: ${why}.`, { fix, retriable: true, cause });
}
