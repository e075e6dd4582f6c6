// Preflight of the SQLite source: the file, its tables and keys, triggers, journal mode, watermark. Names everything at once,
// each with what to do about it.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Finding, toCdcError } from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import { matchesTable, missingCapture } from './capture.ts';
import { type Consumer, consumers, hasChangeTables, MAX_CAPTURED_COLUMNS } from './change-tables.ts';
import type { SqliteSourceConfig } from './config.ts';
import type { SourceConnection } from './connection.ts';
import { readTable, type SqliteTable, tableNames } from './introspect.ts';

/** A consumer that is silent for so long is probably forgotten; what it has not read is kept for it. */
const SILENT_MS = 7 * 24 * 3_600_000;

export async function* checkTriggers(
  connection: SourceConnection,
  config: SqliteSourceConfig,
  self: string,
  nowMs: number,
): AsyncIterable<Finding> {
  yield* checkWith(connection, config, true, (db) => [
    ...checkTables(db, config.tables),
    ...checkTriggersOf(db, config),
    ...checkConsumers(hasChangeTables(db) ? consumers(db) : [], self, nowMs),
    checkJournal(db),
  ]);
}

export async function* checkPolling(connection: SourceConnection, config: SqliteSourceConfig): AsyncIterable<Finding> {
  yield* checkWith(connection, config, false, (db) =>
    config.query === undefined ? checkWatermark(db, config) : checkQuery(db, config.query),
  );
}

async function* checkWith(
  connection: SourceConnection,
  config: SqliteSourceConfig,
  writes: boolean,
  look: (db: SqliteDatabase) => Finding[],
): AsyncIterable<Finding> {
  const file = checkFile(config.path, writes);
  yield* file;
  if (file.some((f) => f.level === 'error')) return;
  try {
    yield* await connection.read(look);
  } catch (error) {
    const { code, message, fix } = toCdcError(error, 'SOURCE_FAILED');
    yield { level: 'error', check: 'database', message, code, ...(fix === null ? {} : { fix }) };
  }
}

function checkFile(path: string, writes: boolean): Finding[] {
  if (!existsSync(path)) {
    return [
      {
        level: 'error',
        check: 'file',
        message: `There is no database at ${path}.`,
        fix: 'Create it, or correct `path` (it starts at the working directory).',
        code: 'SOURCE_UNREACHABLE',
      },
    ];
  }
  if (!statSync(path).isFile())
    return [{ level: 'error', check: 'file', message: `${path} is not a file.`, fix: 'Correct `path`.', code: 'SOURCE_UNREACHABLE' }];
  try {
    accessSync(path, writes ? constants.R_OK | constants.W_OK : constants.R_OK);
    // SQLite makes its journal beside the database.
    if (writes) accessSync(dirname(path), constants.W_OK);
  } catch {
    return [
      {
        level: 'error',
        check: 'file',
        message: `${path} or its folder is not ${writes ? 'writable' : 'accessible'}.`,
        fix: 'Give this user the right to.',
        code: 'SOURCE_FORBIDDEN',
      },
    ];
  }
  return [{ level: 'ok', check: 'file', message: `${path} is there.` }];
}

function checkTables(db: SqliteDatabase, patterns: readonly string[]): Finding[] {
  const findings: Finding[] = [],
    names = tableNames(db).filter((name) => matchesTable(patterns, name));
  for (const pattern of patterns) {
    if (names.some((name) => matchesTable([pattern], name))) continue;
    findings.push({
      level: 'error',
      check: 'tables',
      message: `No table matches "${pattern}".`,
      fix: 'Create the table, or correct `tables`.',
      code: 'SOURCE_MISCONFIGURED',
    });
  }
  for (const name of names) {
    const table = readTable(db, name);
    if (table !== null) findings.push(...checkTable(table));
  }
  if (names.length > 0)
    findings.push({
      level: 'ok',
      check: 'tables',
      message: `${names.length} table(s): ${names.slice(0, 10).join(', ')}${names.length > 10 ? ' …' : ''}.`,
    });
  return findings;
}

function checkTable({ name, key, columns, rowid }: SqliteTable): Finding[] {
  if (columns.length > MAX_CAPTURED_COLUMNS || rowid === '') {
    return [
      {
        level: 'error',
        check: 'tables',
        message: `"${name}" cannot be captured by triggers.`,
        fix: 'Leave it out of `tables`, or poll it.',
        code: 'SOURCE_MISCONFIGURED',
      },
    ];
  }
  if (key.length > 0) return [];
  return [
    {
      level: 'warning',
      check: 'key',
      message: `"${name}" has no primary key: its events have no key, and most destinations cannot apply its updates and deletes.`,
      fix: 'Give the table a primary key.',
    },
  ];
}

function checkTriggersOf(db: SqliteDatabase, config: SqliteSourceConfig): Finding[] {
  const missing = missingCapture(db, config.tables);
  if (missing.length === 0) return [{ level: 'ok', check: 'triggers', message: 'The triggers are in place.' }];
  if (config.install_triggers) return [{ level: 'ok', check: 'triggers', message: `To be created at the start: ${missing.join(', ')}.` }];
  return [
    {
      level: 'error',
      check: 'triggers',
      message: `${missing.join(', ')}.`,
      fix: 'Set `install_triggers: true`, at least for one start.',
      code: 'SOURCE_MISCONFIGURED',
    },
  ];
}

function checkConsumers(all: readonly Consumer[], self: string, nowMs: number): Finding[] {
  return all
    .filter((c) => c.name !== self && nowMs - c.seenMs > SILENT_MS)
    .map(
      ({ name, seenMs }): Finding => ({
        level: 'warning',
        check: 'consumers',
        message: `"${name}" has read nothing since ${new Date(seenMs).toISOString()}: changes are kept for it, and the database grows.`,
        fix: `Run it, or remove it: DELETE FROM _cdc_run_consumers WHERE name = '${name.replaceAll("'", "''")}'`,
      }),
    );
}

function checkJournal(db: SqliteDatabase): Finding {
  const mode = String(db.pragma('journal_mode', { simple: true }));
  if (mode === 'wal') return { level: 'ok', check: 'journal_mode', message: 'The database uses WAL: reading does not disturb writers.' };
  return {
    level: 'warning',
    check: 'journal_mode',
    message: `The journal mode is ${mode}: readers and writers wait for each other.`,
    fix: 'Run `PRAGMA journal_mode = wal` once.',
  };
}

// -- polling -------------------------------------------------------------------------------------------------------------

function checkWatermark(db: SqliteDatabase, config: SqliteSourceConfig): Finding[] {
  const findings = checkTables(db, config.tables).filter((f) => f.check === 'tables'),
    watermark = config.watermark;
  for (const name of tableNames(db).filter((n) => matchesTable(config.tables, n))) {
    const table = readTable(db, name);
    if (table === null || watermark === undefined) continue;
    const absent = [watermark.column, ...(watermark.key ?? [])].filter((column) => !table.columns.some((c) => c.name === column));
    if (absent.length > 0) {
      findings.push({
        level: 'error',
        check: 'watermark',
        message: `"${name}" has no column ${absent.map((c) => `"${c}"`).join(', ')}.`,
        fix: 'Correct `watermark`, or leave the table out of `tables`.',
        code: 'SOURCE_MISCONFIGURED',
      });
    } else if (!isIndexed(db, table, watermark.column)) {
      findings.push({
        level: 'warning',
        check: 'watermark',
        message: `"${name}.${watermark.column}" has no index: every look reads the whole table.`,
        fix: `Run \`CREATE INDEX ON ${quoteName(name)} (${quoteName(watermark.column)})\` with a name of your choice.`,
      });
    }
  }
  return findings;
}

function isIndexed(db: SqliteDatabase, table: SqliteTable, column: string): boolean {
  if (table.integerKey && table.key[0] === column) return true;
  return (
    db
      .prepare('SELECT 1 FROM pragma_index_list(?) AS l JOIN pragma_index_info(l.name) AS i WHERE i.seqno = 0 AND i.name = ?')
      .get(table.name, column) !== undefined
  );
}

function checkQuery(db: SqliteDatabase, query: string): Finding[] {
  const statement = db.prepare(query);
  if (!statement.readonly || !statement.reader)
    return [{ level: 'error', check: 'query', message: 'The query is no SELECT.', fix: 'Correct `query`.', code: 'SOURCE_MISCONFIGURED' }];
  return [
    {
      level: 'ok',
      check: 'query',
      message: `The query has the columns ${statement
        .columns()
        .map((c) => c.name)
        .join(', ')}.`,
    },
  ];
}
