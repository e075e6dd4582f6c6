// What a server says of itself: which it is, whether it logs what capture needs, how it counts transactions.

import type { Queries, TextRow } from './connection.ts';

export interface ServerFacts {
  readonly flavor: 'mysql' | 'mariadb';
  readonly version: string;
  /** Of MySQL its UUID; of MariaDB, which has none, its number. */
  readonly identity: string;
  readonly serverId: number;
  readonly hasBinlog: boolean;
  readonly format: string;
  readonly rowImage: string;
  /** `FULL`, `MINIMAL`; `null`: the server is too old for it. */
  readonly rowMetadata: string | null;
  /** Resuming by transaction ids is possible. */
  readonly hasGtids: boolean;
  /** Partial JSON documents are written where the session does not say. */
  readonly rowValueOptions: string;
  /** Names of tables are compared in lower case. */
  readonly lowerCaseNames: boolean;
}

const NAMES = [
  'version',
  'server_uuid',
  'server_id',
  'log_bin',
  'binlog_format',
  'binlog_row_image',
  'binlog_row_metadata',
  'gtid_mode',
  'binlog_row_value_options',
  'lower_case_table_names',
];

/** Global variables by name; those that the server lacks are absent. */
export async function variables(queries: Queries, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const list = names.map(() => '?').join(', ');
  const rows = await queries.query(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${list})`, names);
  return new Map(rows.map((r) => [r['Variable_name'] ?? '', r['Value'] ?? '']));
}

export async function serverFacts(queries: Queries): Promise<ServerFacts> {
  const found = await variables(queries, NAMES),
    version = found.get('version') ?? '',
    flavor = /mariadb/i.test(version) ? 'mariadb' : 'mysql',
    serverId = Number(found.get('server_id') ?? 0);
  return {
    flavor,
    version,
    identity: found.get('server_uuid') ?? `server_id ${serverId}`,
    serverId,
    hasBinlog: found.get('log_bin') === 'ON',
    format: found.get('binlog_format') ?? 'STATEMENT',
    rowImage: (found.get('binlog_row_image') ?? 'FULL').toUpperCase(),
    rowMetadata: found.get('binlog_row_metadata')?.toUpperCase() ?? null,
    hasGtids: flavor === 'mariadb' || found.get('gtid_mode') === 'ON',
    rowValueOptions: found.get('binlog_row_value_options') ?? '',
    lowerCaseNames: (found.get('lower_case_table_names') ?? '0') !== '0',
  };
}

/** Where the log ends, and which transactions it has. */
export interface LogEnd {
  readonly file: string;
  readonly position: number;
  /** The text of the set, or of the position per domain; `null`: the server does not count by ids, or cannot tell which are before its end. */
  readonly gtids: string | null;
}

/** How often a log that grows is looked at until it stands still between two looks. */
const END_TRIES = 20;

/** `null`: the server writes no log. */
export async function logEnd(queries: Queries, facts: ServerFacts): Promise<LogEnd | null> {
  for (let tries = 1; ; tries++) {
    const status = await masterStatus(queries, facts),
      file = status?.['File'],
      position = Number(status?.['Position'] ?? 0);
    if (status === undefined || file === undefined || file === null || file === '') return null;
    if (!facts.hasGtids) return { file, position, gtids: null };
    if (facts.flavor === 'mysql') return { file, position, gtids: (status['Executed_Gtid_Set'] ?? '').replaceAll(/\s/g, '') };
    const gtids = await gtidsBefore(queries, facts, file, position);
    if (gtids !== null || tries === END_TRIES) return { file, position, gtids };
  }
}

/** Of MariaDB, which reads the file for it: an event above its max_allowed_packet ends that. Then what holds now, if the log still ends there. */
async function gtidsBefore(queries: Queries, facts: ServerFacts, file: string, position: number): Promise<string | null> {
  const [found] = await queries.query('SELECT BINLOG_GTID_POS(?, ?) AS gtids', [file, position]);
  if (found?.['gtids'] != null) return found['gtids'];
  const [now] = await queries.query('SELECT @@GLOBAL.gtid_binlog_pos AS gtids'),
    status = await masterStatus(queries, facts);
  return status?.['File'] === file && Number(status['Position']) === position ? (now?.['gtids'] ?? null) : null;
}

async function masterStatus(queries: Queries, { flavor, version }: ServerFacts): Promise<TextRow | undefined> {
  const [major = 0, minor = 0] = version.split('.').map(Number.parseFloat);
  const isNew = flavor === 'mysql' && (major > 8 || (major === 8 && minor >= 2));
  const [row] = await queries.query(isNew ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
  return row;
}

/** Of these databases those that the server keeps out of its log (`binlog_do_db`, `binlog_ignore_db`). */
export async function unloggedOf(queries: Queries, facts: ServerFacts, databases: readonly string[]): Promise<string[]> {
  const status = await masterStatus(queries, facts),
    list = (name: string): string[] => (status?.[name] ?? '').split(',').filter((database) => database !== '');
  const logged = list('Binlog_Do_DB'),
    ignored = list('Binlog_Ignore_DB');
  // The first list counts where there is one.
  return [...new Set(databases)].filter((database) => (logged.length > 0 ? !logged.includes(database) : ignored.includes(database)));
}

export interface LogFile {
  readonly name: string;
  readonly size: number;
}

/** In order; the first is the oldest that the server still has. */
export async function logFiles(queries: Queries): Promise<LogFile[]> {
  const rows = await queries.query('SHOW BINARY LOGS');
  return rows.map((r) => ({ name: r['Log_name'] ?? '', size: Number(r['File_size'] ?? 0) }));
}
