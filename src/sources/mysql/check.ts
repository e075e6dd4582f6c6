// What is looked at before a pipeline starts: reachable, privileges, settings of the log, tables. All findings, each with a fix.

import { CdcError, type Finding } from '../../sdk/index.ts';
import type { CatalogTable } from './catalog.ts';
import { type MysqlSourceConfig, tablePatterns } from './config.ts';
import { notLogged } from './errors.ts';
import { keptSeconds } from './lag.ts';
import { tableFilter } from './names.ts';
import type { Server } from './server.ts';
import type { ServerFacts } from './server-facts.ts';
import { unloggedOf, variables } from './server-facts.ts';

export const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message });
export const error = (check: string, message: string, fix: string, code: Finding['code'] = 'SOURCE_MISCONFIGURED'): Finding => ({
  level: 'error',
  check,
  message,
  fix,
  ...(code === undefined ? {} : { code }),
});
export const warning = (check: string, message: string, fix: string): Finding => ({ level: 'warning', check, message, fix });

const DAY_S = 86_400;

export async function* checkSource(server: Server, config: MysqlSourceConfig): AsyncIterable<Finding> {
  let facts: ServerFacts;
  try {
    facts = await server.freshFacts();
  } catch (cause) {
    yield problem('reachable', cause);
    return;
  }
  yield ok('reachable', `${facts.flavor === 'mariadb' ? 'MariaDB' : 'MySQL'} ${facts.version} at ${server.place.server}`);
  yield* checkLog(facts, config);
  yield* guarded('privileges', () => checkPrivileges(server));
  yield* guarded('retention', () => checkRetention(server));
  yield* guarded('xa', () => checkPrepared(server));
  yield* guarded('tables', () => checkTables(server, config, facts));
}

export async function* guarded(check: string, work: () => AsyncIterable<Finding>): AsyncIterable<Finding> {
  try {
    yield* work();
  } catch (cause) {
    yield problem(check, cause);
  }
}

export function problem(check: string, cause: unknown): Finding {
  const found = cause instanceof CdcError ? cause : new CdcError('SOURCE_FAILED', cause instanceof Error ? cause.message : String(cause));
  return { level: 'error', check, message: found.message, code: found.code, ...(found.fix === null ? {} : { fix: found.fix }) };
}

function* checkLog(facts: ServerFacts, config: MysqlSourceConfig): Iterable<Finding> {
  if (!facts.hasBinlog) {
    yield error('log_bin', 'The server writes no binary log.', 'Start the server with log_bin.');
    return;
  }
  yield ok('log_bin', 'The binary log is on.');
  if (facts.format === 'ROW') yield ok('binlog_format', 'ROW');
  else
    yield error(
      'binlog_format',
      `binlog_format is ${facts.format}.`,
      "Run: SET GLOBAL binlog_format = 'ROW'; and let sessions connect anew.",
    );
  if (facts.rowImage === 'FULL') yield ok('binlog_row_image', 'FULL');
  else if (config.binlog_row_image === 'FULL')
    yield error(
      'binlog_row_image',
      `binlog_row_image is ${facts.rowImage}: events lack columns that did not change.`,
      "Run: SET GLOBAL binlog_row_image = 'FULL'; or accept it with `binlog_row_image`.",
    );
  else yield warning('binlog_row_image', `${facts.rowImage}: events lack columns that did not change.`, 'Have it FULL where you can.');
  if (facts.rowMetadata === 'FULL') yield ok('binlog_row_metadata', 'FULL: the log says the names and types of columns.');
  else
    yield warning(
      'binlog_row_metadata',
      `${facts.rowMetadata ?? 'The server is too old for it'}: the log does not say the names of columns; a DDL between a change and its reading stops the table.`,
      'Run: SET GLOBAL binlog_row_metadata = FULL; (MySQL 8.0, MariaDB 10.5).',
    );
  if (/PARTIAL_JSON/.test(facts.rowValueOptions))
    yield warning(
      'binlog_row_value_options',
      'PARTIAL_JSON: documents come as differences, which can be read only where the log has the whole row as it was.',
      "Run: SET GLOBAL binlog_row_value_options = '';",
    );
  if (config.use_gtid === true && !facts.hasGtids)
    yield error('gtid_mode', 'The server has no transaction ids.', 'Set gtid_mode=ON at the server, or leave out `use_gtid`.');
  else if (facts.hasGtids) yield ok('gtid_mode', 'Transactions have ids: reading can go on at another server.');
  else yield warning('gtid_mode', 'Without transaction ids reading cannot go on behind a failover.', 'Set gtid_mode=ON where you can.');
}

async function* checkPrivileges(server: Server): AsyncIterable<Finding> {
  const rows = await server.query('SHOW GRANTS'),
    text = rows.map((r) => Object.values(r)[0] ?? '').join('\n'),
    has = (pattern: RegExp): boolean => /GRANT ALL PRIVILEGES ON \*\.\*/.test(text) || pattern.test(text);
  const needed: readonly (readonly [string, RegExp])[] = [
    ['REPLICATION SLAVE', /REPLICATION SLAVE(?! ADMIN)|REPLICATION REPLICA/],
    ['REPLICATION CLIENT', /REPLICATION CLIENT|BINLOG MONITOR/],
  ];
  // Roles may bring them without being listed.
  const isRole = /GRANT [`'"]?\w+[`'"]?(?:@[`'"][^`'"]*[`'"])? TO/.test(text);
  for (const [name, pattern] of needed) {
    if (has(pattern)) yield ok('privileges', `The user has ${name}.`);
    else if (isRole)
      yield warning(
        'privileges',
        `${name} is not among the user's own privileges.`,
        `Make sure that a role brings it, or run: GRANT ${name} ON *.* TO …;`,
      );
    else yield error('privileges', `The user lacks ${name}.`, `Run: GRANT ${name} ON *.* TO …;`, 'SOURCE_FORBIDDEN');
  }
}

async function* checkRetention(server: Server): AsyncIterable<Finding> {
  const seconds = await keptSeconds(server);
  if (seconds === null) yield ok('retention', 'The binary log is kept until it is purged by hand.');
  else if (seconds < DAY_S)
    yield warning(
      'retention',
      `The binary log is kept for ${Math.round(seconds / 360) / 10} h: a pipeline that stands still for longer must read everything again.`,
      "Raise binlog_expire_logs_seconds (on RDS: CALL mysql.rds_set_configuration('binlog retention hours', 72)).",
    );
  else yield ok('retention', `The binary log is kept for ${Math.round(seconds / DAY_S)} days.`);
  const found = await variables(server, ['read_only', 'log_slave_updates', 'log_replica_updates', 'basedir']);
  const isReplica = found.get('read_only') === 'ON',
    logs = (found.get('log_replica_updates') ?? found.get('log_slave_updates')) === 'ON';
  if (isReplica && !logs)
    yield error('replica', 'The server is a replica and does not log what it gets.', 'Start it with log_slave_updates.');
  if (/\/rdsdbbin/.test(found.get('basedir') ?? ''))
    yield warning(
      'rds',
      'RDS purges the log as soon as it can, unless told otherwise.',
      "Run: CALL mysql.rds_set_configuration('binlog retention hours', 72);",
    );
}

/** What was prepared before capture begins is committed at some time, and the log then does not say what it changed. */
async function* checkPrepared(server: Server): AsyncIterable<Finding> {
  let prepared: number;
  try {
    prepared = (await server.query('XA RECOVER')).length;
  } catch (cause) {
    // MySQL 8.0 shows them to few: XA_RECOVER_ADMIN.
    if (cause instanceof CdcError && cause.code === 'SOURCE_FORBIDDEN') return;
    throw cause;
  }
  if (prepared === 0) return;
  yield warning(
    'xa',
    `${prepared} XA ${prepared === 1 ? 'transaction is' : 'transactions are'} prepared: one that was prepared before capture began is not followed when it is committed, but goes to the dead letter queue.`,
    'End them (XA RECOVER; then XA COMMIT or XA ROLLBACK) before the first start.',
  );
}

function noneIfForbidden(cause: unknown): string[] {
  if (cause instanceof CdcError && cause.code === 'SOURCE_FORBIDDEN') return [];
  throw cause;
}

/** `facts`: of a server whose log is read. */
export async function* checkTables(server: Server, config: MysqlSourceConfig, facts: ServerFacts | null = null): AsyncIterable<Finding> {
  const patterns = tablePatterns(config),
    tables = await server.catalog.tables(tableFilter(patterns, server.home));
  if (tables.length === 0) {
    yield error(
      'tables',
      `No table matches ${patterns.map((p) => `"${p}"`).join(', ')}.`,
      'Correct `tables` and `database`, create the tables first, or grant SELECT on them.',
    );
    return;
  }
  yield ok('tables', `${tables.length} tables are captured.`);
  for (const table of tables) yield* checkTable(table);
  const databases = tables.map((t) => t.database),
    // Who lacks the privilege to see it is told so where privileges are looked at.
    unlogged = facts === null ? [] : await unloggedOf(server, facts, databases).catch(noneIfForbidden);
  for (const database of unlogged) yield problem('tables', notLogged(database, server.place.where));
}

function* checkTable({ database, table, key, engine }: CatalogTable): Iterable<Finding> {
  const name = `${database}.${table}`;
  if (key.length === 0)
    yield warning(
      'tables',
      `${name} has no key: its rows are read in one pass, and destinations cannot tell them apart.`,
      'Give it a primary key.',
    );
  if (engine !== '' && !/^(InnoDB|RocksDB|TokuDB|ndbcluster)$/i.test(engine))
    yield warning(
      'tables',
      `${name} is of engine ${engine}: it has no transactions, and existing rows are not read at one moment.`,
      'Have it InnoDB where you can.',
    );
}
