// What can be found out before anything is written: reachable, version, settings, privileges, the target table where its name is
// known.

import { encryptionFindings, error, ok, warning } from '../../relational/findings.ts';
import { POINTS_TABLE } from '../../relational/points.ts';
import { isConstant } from '../../relational/target-name.ts';
import type { Finding } from '../../sdk/index.ts';
import type { Endpoint } from '../../systems/mysql/endpoint.ts';
import { qualified, quoteName, textLiteral } from '../../systems/mysql/names.ts';
import { productOf } from '../../systems/mysql/server.ts';
import { readTable } from './catalog.ts';
import type { Session } from './connection.ts';
import { type Grants, parseGrants } from './grants.ts';

/** The JSON type of MySQL; in MariaDB the collation that tells blanks apart. */
const OLDEST = { mysql: 50_700, mariadb: 100_207 };
const ROW_PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
const TABLE_PRIVILEGES = ['CREATE', 'ALTER', ...ROW_PRIVILEGES];

export interface CheckOptions {
  readonly server: string;
  readonly endpoint: Endpoint;
  readonly schema: string;
  readonly pointsSchema: string;
  readonly template: string;
  readonly create: boolean;
}

/** Findings of a session that could be opened. */
export async function* findings(session: Session, options: CheckOptions): AsyncIterable<Finding> {
  const { schema, pointsSchema, create, template } = options;
  yield* checkVersion(session, options);
  yield* checkSettings(session);
  yield* encryptionFindings(options.endpoint);
  const { rows } = await session.query('SHOW GRANTS');
  const grants = parseGrants(rows.map((r) => Object.values(r)[0] ?? ''));
  yield* checkSchema(session, grants, schema, create, 'the target tables');
  yield* checkPoints(session, grants, pointsSchema);
  if (isConstant(template)) yield* checkTable(session, grants, { schema, name: template }, create);
}

function* checkVersion({ server: facts }: Session, { server }: CheckOptions): Iterable<Finding> {
  const { version, number, flavor } = facts;
  yield ok('reachable', `${productOf(facts)} ${version} at ${server}`);
  if (number < OLDEST[flavor])
    yield error('version', `version ${version} is too old`, 'Use MySQL 5.7, MariaDB 10.2.7, or later.', 'DESTINATION_MISCONFIGURED');
}

async function* checkSettings(session: Session): AsyncIterable<Finding> {
  const { rows } = await session.query(
    `SELECT @@global.read_only AS readOnly, @@log_bin AS binlog, @@global.binlog_format AS format, @@session.sql_mode AS mode,
    @@global.innodb_flush_log_at_trx_commit AS flush, @@global.sync_binlog AS sync`,
  );
  const { readOnly, binlog, format, mode = '', flush, sync } = rows[0] ?? {};
  if (readOnly === '1') yield warning('writable', 'the server is read-only for users without SUPER', 'Connect to the primary.');
  if (binlog === '1' && format === 'STATEMENT')
    yield error(
      'binlog_format',
      'with binlog_format=STATEMENT the server refuses our transactions',
      'Set binlog_format=ROW.',
      'DESTINATION_MISCONFIGURED',
    );
  if (!/STRICT_ALL_TABLES/.test(mode ?? '') || /ANSI_QUOTES|NO_BACKSLASH_ESCAPES/.test(mode ?? ''))
    yield error(
      'sql_mode',
      `the server or a proxy changes our sql_mode to "${mode}"`,
      'Let sessions set their own sql_mode.',
      'DESTINATION_MISCONFIGURED',
    );
  else yield ok('sql_mode', 'strict in our sessions');
  if (flush !== '1' || (binlog === '1' && sync === '0'))
    yield warning(
      'durability',
      `the server runs with innodb_flush_log_at_trx_commit=${flush}, sync_binlog=${sync}: a crash of its machine can lose what it has confirmed`,
      'Set both to 1.',
    );
}

async function* checkSchema(session: Session, grants: Grants, schema: string, create: boolean, what: string): AsyncIterable<Finding> {
  const { count } = await session.query(`SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${textLiteral(schema)}`);
  if (count === 0 && !create) {
    const fix = `Run: CREATE DATABASE ${quoteName(schema)};`;
    yield error('database', `the database ${schema} of ${what} does not exist`, fix, 'DESTINATION_MISCONFIGURED');
    return;
  }
  if (count === 0) yield ok('database', `the database ${schema} of ${what} will be created`);
  yield* checkPrivileges(grants, create ? TABLE_PRIVILEGES : [], schema, undefined, `the database ${schema} of ${what}`);
}

/** The points are needed always, so their table is made also where `create_tables` is off. */
async function* checkPoints(session: Session, grants: Grants, schema: string): AsyncIterable<Finding> {
  const name = { schema, name: POINTS_TABLE };
  if ((await readTable(session, name)) === null) yield* checkSchema(session, grants, schema, true, `the table ${POINTS_TABLE}`);
  else yield* checkPrivileges(grants, ROW_PRIVILEGES, schema, POINTS_TABLE, `the table ${schema}.${POINTS_TABLE}`);
}

async function* checkTable(
  session: Session,
  grants: Grants,
  name: { schema: string; name: string },
  create: boolean,
): AsyncIterable<Finding> {
  const table = await readTable(session, name),
    text = `the table ${name.schema}.${name.name}`;
  if (table === null) {
    if (create) yield ok('table', `${text} will be created`);
    else yield error('table', `${text} does not exist`, 'Create it, or set `create_tables: true`.', 'DESTINATION_MISCONFIGURED');
    return;
  }
  if (table.uniqueKeys.length === 0)
    yield warning(
      'key',
      `${text} has no unique key: only inserts of tables without a key can be stored`,
      `Run: ALTER TABLE ${qualified(name)} ADD PRIMARY KEY (…);`,
    );
  yield* checkPrivileges(grants, ROW_PRIVILEGES, name.schema, name.name, text);
}

function* checkPrivileges(
  grants: Grants,
  wanted: readonly string[],
  schema: string,
  table: string | undefined,
  what: string,
): Iterable<Finding> {
  const missing = grants.missing(wanted, schema, table).join(', ');
  const fix = `Run: GRANT ${missing} ON ${quoteName(schema)}.${table === undefined ? '*' : quoteName(table)} TO the user;`;
  if (missing === '') yield ok('privileges', `the user may write ${what}`);
  else if (grants.hasRoles) yield warning('privileges', `the user itself lacks ${missing} on ${what}; a role may have it`, fix);
  else yield error('privileges', `the user lacks ${missing} on ${what}`, fix, 'DESTINATION_FORBIDDEN');
}
