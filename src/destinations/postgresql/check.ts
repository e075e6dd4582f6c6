// What can be found out before anything is written: reachable, version, privileges, the target table where its name is known.

import { encryptionFindings, error, ok, warning } from '../../relational/findings.ts';
import { POINTS_TABLE } from '../../relational/points.ts';
import { isConstant } from '../../relational/target-name.ts';
import type { Finding } from '../../sdk/index.ts';
import type { Endpoint } from '../../systems/postgresql/endpoint.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { Session } from './connection.ts';
import { readTable } from './pg-catalog.ts';
import { qualified } from './sql.ts';

/** `attgenerated`, on which the catalog query relies, came with version 12. */
const OLDEST_VERSION = 120_000;

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
  yield* checkServer(session, options);
  yield* encryptionFindings(options.endpoint);
  yield* checkSchema(session, options.schema, options.create, 'the target tables');
  yield* checkPoints(session, options);
  if (isConstant(options.template)) yield* checkTable(session, { schema: options.schema, name: options.template }, options.create);
}

async function* checkServer(session: Session, { server }: CheckOptions): AsyncIterable<Finding> {
  const { rows } = await session.query(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number, pg_is_in_recovery() AS standby, current_setting('fsync') AS fsync`,
  );
  const { version, number, standby, fsync } = rows[0] ?? {};
  yield ok('reachable', `PostgreSQL ${version} at ${server}`);
  if (Number(number) < OLDEST_VERSION)
    yield error('version', `version ${version} is too old`, 'Use PostgreSQL 12 or later.', 'DESTINATION_MISCONFIGURED');
  if (standby === 't')
    yield error('writable', 'the server is a standby, it cannot be written', 'Connect to the primary.', 'DESTINATION_MISCONFIGURED');
  if (fsync === 'off')
    yield warning('fsync', 'the server runs with fsync=off: a crash of its machine can lose what it has confirmed', 'Set fsync=on.');
}

async function* checkSchema(session: Session, schema: string, create: boolean, what: string): AsyncIterable<Finding> {
  const { rows } = await session.query(
    `SELECT to_regnamespace($1) AS found, has_database_privilege(current_database(), 'CREATE') AS may_create,
    has_schema_privilege(to_regnamespace($1)::oid, 'USAGE') AS usage, has_schema_privilege(to_regnamespace($1)::oid, 'CREATE') AS may_add`,
    [quoteName(schema)],
  );
  const { found, may_create: mayCreate, usage, may_add: mayAdd } = rows[0] ?? {};
  if (found == null) {
    if (!create)
      yield error(
        'schema',
        `the schema ${schema} of ${what} does not exist`,
        `Run: CREATE SCHEMA ${quoteName(schema)};`,
        'DESTINATION_MISCONFIGURED',
      );
    else if (mayCreate !== 't')
      yield error(
        'schema',
        `the schema ${schema} of ${what} does not exist, and the role may not create it`,
        `Run as its owner: GRANT CREATE ON DATABASE … TO the role, or CREATE SCHEMA ${quoteName(schema)}.`,
        'DESTINATION_FORBIDDEN',
      );
    else yield ok('schema', `the schema ${schema} of ${what} will be created`);
    return;
  }
  if (usage !== 't')
    yield error(
      'schema',
      `the role may not use the schema ${schema}`,
      `Run: GRANT USAGE ON SCHEMA ${quoteName(schema)} TO the role;`,
      'DESTINATION_FORBIDDEN',
    );
  else if (create && mayAdd !== 't')
    yield error(
      'schema',
      `the role may not create tables in the schema ${schema}`,
      `Run: GRANT CREATE ON SCHEMA ${quoteName(schema)} TO the role; or set \`create_tables: false\`.`,
      'DESTINATION_FORBIDDEN',
    );
  else yield ok('schema', `the schema ${schema} of ${what} can be used`);
}

/** The points are needed always, so their table is made also where `create_tables` is off. */
async function* checkPoints(session: Session, { pointsSchema: schema }: CheckOptions): AsyncIterable<Finding> {
  const name = { schema, name: POINTS_TABLE };
  if ((await readTable(session, name)) === null) yield* checkSchema(session, schema, true, `the table ${POINTS_TABLE}`);
  else yield* checkPrivileges(session, name, ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
}

async function* checkTable(session: Session, name: { schema: string; name: string }, create: boolean): AsyncIterable<Finding> {
  const table = await readTable(session, name);
  if (table === null) {
    if (create) yield ok('table', `the table ${name.schema}.${name.name} will be created`);
    else
      yield error(
        'table',
        `the table ${name.schema}.${name.name} does not exist`,
        'Create it, or set `create_tables: true`.',
        'DESTINATION_MISCONFIGURED',
      );
    return;
  }
  if (table.uniqueKeys.length === 0) {
    yield warning(
      'key',
      `the table ${name.schema}.${name.name} has no unique key: only inserts of tables without a key can be stored`,
      `Run: ALTER TABLE ${qualified(name)} ADD PRIMARY KEY (…);`,
    );
  }
  yield* checkPrivileges(session, name, ['SELECT', 'INSERT', 'UPDATE', 'DELETE']);
}

async function* checkPrivileges(
  session: Session,
  name: { schema: string; name: string },
  wanted: readonly string[],
): AsyncIterable<Finding> {
  const { rows } = await session.query('SELECT p FROM unnest($2::text[]) AS p WHERE NOT has_table_privilege($1, p)', [
    qualified(name),
    wanted,
  ]);
  const missing = rows.map((r) => r['p']).join(', ');
  if (missing === '') yield ok('privileges', `the role may write ${name.schema}.${name.name}`);
  else
    yield error(
      'privileges',
      `the role lacks ${missing} on ${name.schema}.${name.name}`,
      `Run: GRANT ${missing} ON ${qualified(name)} TO the role;`,
      'DESTINATION_FORBIDDEN',
    );
}
