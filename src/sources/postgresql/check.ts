// What can be found out before anything is read: the server and its settings, the role, the slot, the publication, the
// tables. All findings at once, each with what to run.

import type { Finding } from '../../sdk/index.ts';
import type { Endpoint } from '../../systems/postgresql/endpoint.ts';
import { quoteName } from '../../util/sql-names.ts';
import { tableFindings } from './check-tables.ts';
import { SET_WAL_LEVEL } from './errors.ts';
import { error, ok, warning } from './findings.ts';
import type { Queries } from './queries.ts';
import { planPublication, readPublication } from './replication/publication.ts';
import { keepOnStandbysCommand, lookAtSlot, slotProblem } from './replication/slot.ts';
import type { TextRow } from './replication/socket.ts';
import { allTables, captured, type FoundTable } from './tables.ts';

/** `messages 'true'` of pgoutput, and what we rely on of the catalog. */
const OLDEST_VERSION = 140_000;
const STANDBY_DECODING_VERSION = 160_000;
const FAILOVER_VERSION = 170_000;

export interface CheckOptions {
  readonly server: string;
  readonly endpoint: Endpoint;
  readonly mode: 'wal' | 'polling';
  readonly patterns: readonly string[];
  readonly pipeline: string;
  readonly slot: string;
  readonly publication: { readonly name: string; readonly create: boolean };
  readonly failover: boolean;
  readonly heartbeat: boolean;
  readonly truncate: boolean;
  readonly readsRows: boolean;
}

const SERVER = `
SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number, current_database() AS database,
  pg_is_in_recovery() AS standby, current_setting('wal_level') AS wal_level, current_setting('max_replication_slots') AS max_slots,
  current_setting('max_wal_senders') AS max_senders, current_setting('max_slot_wal_keep_size') AS keep_size,
  (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS slots, (SELECT count(*) FROM pg_catalog.pg_stat_replication) AS senders,
  (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout') AS sender_timeout_ms,
  current_setting('synchronized_standby_slots', true) AS standby_slots,
  (SELECT string_agg(slot_name, ', ' ORDER BY slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical') AS physical_slots,
  r.rolname AS role, r.rolsuper AS superuser, r.rolreplication AS replication,
  (SELECT string_agg(g.rolname, ',') FROM pg_catalog.pg_roles AS g
    WHERE g.rolname IN ('rds_replication', 'rds_superuser', 'cloudsqlreplica') AND pg_has_role(g.oid, 'MEMBER') AND NOT r.rolsuper) AS groups,
  (SELECT bool_or(true) FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication') AS is_rds,
  has_database_privilege(current_database(), 'CREATE') AS may_create,
  pg_encoding_to_char(d.encoding) AS encoding
FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d WHERE r.rolname = current_user AND d.datname = current_database()`;

/** Findings of a session that could be opened. That it could not is said by `errors.ts`. */
export async function* findings(queries: Queries, options: CheckOptions): AsyncIterable<Finding> {
  const server = (await queries.query(SERVER)).rows[0] ?? {};
  yield* serverFindings(server, options);
  yield* encryptionFindings(options.endpoint);
  const tables = await allTables(queries);
  const wanted = captured(tables, options.patterns);
  yield* tableFindings(tables, wanted, options);
  if (options.mode === 'polling') return;
  yield* logFindings(server, options);
  yield* roleFindings(server);
  yield* await slotFindings(queries, server, options);
  yield* await publicationFindings(queries, server, wanted, options);
  if (options.heartbeat) yield* await heartbeatFindings(queries);
}

export function* serverFindings({ version, number, encoding }: TextRow, { server }: CheckOptions): Iterable<Finding> {
  yield ok('reachable', `PostgreSQL ${version} at ${server}`);
  if (Number(number) < OLDEST_VERSION) yield error('version', `version ${version} is too old`, 'Use PostgreSQL 14 or later.');
  if (encoding === 'SQL_ASCII') {
    const fix = 'Make a database with an encoding, or leave out columns with texts that are not UTF-8.';
    yield warning('encoding', 'the database has no encoding (SQL_ASCII): rows with texts that are not UTF-8 go to the dead letters', fix);
  }
}

function* encryptionFindings({ sslMode, sslCa, host = 'localhost' }: Endpoint): Iterable<Finding> {
  const isLocal = /^(localhost|127\.|::1$|\/)/.test(host);
  if (sslMode === 'disable' && !isLocal)
    yield warning('encryption', `the connection to ${host} is not encrypted`, 'Set `ssl_mode: verify-full`.');
  if (sslMode === 'require' && sslCa === undefined) {
    const fix = 'Set `ssl_mode: verify-full`, and `ssl.ca` where the authority is your own.';
    yield warning('encryption', 'the connection is encrypted, but nobody checks who answers', fix);
  }
}

/** Does the server write a log that can be decoded, and for how long does it keep it? */
export function* logFindings(row: TextRow, { failover }: CheckOptions): Iterable<Finding> {
  const version = Number(row['number']);
  if (row['wal_level'] === 'logical') yield ok('wal_level', 'the log holds what decoding needs');
  else {
    const fix = row['is_rds'] === 't' ? 'Set rds.logical_replication = 1 in the parameter group, and restart the server.' : SET_WAL_LEVEL;
    yield error('wal_level', `wal_level is ${row['wal_level']}, capture needs logical`, fix);
  }
  if (row['standby'] === 't' && version < STANDBY_DECODING_VERSION)
    yield error('standby', `a standby of version ${row['version']} cannot decode its log`, 'Connect to the primary.');
  else if (row['standby'] === 't') {
    const fix = 'Connect to the primary, or make the publication there and set hot_standby_feedback = on here.';
    yield warning('standby', 'the server is a standby: a slot here is lost when the primary removes rows it needs', fix);
  }
  if (failover) yield* failoverFindings(row, version);
  if (row['keep_size'] === '-1') {
    const fix = `Run: ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf(); with a size that the disk has room for.`;
    yield warning(
      'max_slot_wal_keep_size',
      'the server keeps log for a slot without a limit: while the pipeline is stopped its disk may fill up',
      fix,
    );
  } else
    yield ok('max_slot_wal_keep_size', `the server keeps up to ${row['keep_size']} of log for the slot; behind that, the slot is lost`);
  if (row['sender_timeout_ms'] === '0')
    yield warning(
      'wal_sender_timeout',
      'wal_sender_timeout is off: the slot of a process that vanished stays in use',
      "Run: ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf();",
    );
}

/** Will a promoted standby have the slot, and all that was read from it? */
function* failoverFindings(row: TextRow, version: number): Iterable<Finding> {
  if (version < FAILOVER_VERSION) {
    yield error('failover', '`failover: true` needs PostgreSQL 17', 'Set `failover: false`: the slot does not outlive a failover.');
    return;
  }
  if (row['standby'] === 't') {
    yield error('failover', 'a slot of a standby cannot outlive a failover', 'Connect to the primary, or set `failover: false`.');
    return;
  }
  if ((row['standby_slots'] ?? '') !== '') {
    yield ok('failover', `changes are sent once the standby of ${row['standby_slots']} has them`);
    return;
  }
  const names = row['physical_slots'] ?? '<slot of the standby>';
  yield warning(
    'failover',
    'synchronized_standby_slots is empty: the pipeline may be ahead of the standby that is promoted, and is then refused there',
    `Run: ALTER SYSTEM SET synchronized_standby_slots = '${names}'; SELECT pg_reload_conf(); with the primary_slot_name of each standby.`,
  );
}

export function* roleFindings(row: TextRow): Iterable<Finding> {
  const role = row['role'] ?? '';
  if (row['superuser'] === 't' || row['replication'] === 't' || row['groups'] != null) {
    yield ok('role', `the role ${role} may replicate`);
    return;
  }
  const fix =
    row['is_rds'] === 't' ? `Run: GRANT rds_replication TO ${quoteName(role)};` : `Run: ALTER ROLE ${quoteName(role)} REPLICATION;`;
  yield error('role', `the role ${role} may not replicate`, fix, 'SOURCE_FORBIDDEN');
}

/** The slot as it is, or room for it. */
export async function slotFindings(queries: Queries, row: TextRow, { slot: name, failover }: CheckOptions): Promise<Finding[]> {
  const slot = await lookAtSlot(queries, name),
    found: Finding[] = [];
  const problem = slotProblem(slot, { name, database: row['database'] ?? '', from: null, where: 'slot_name' });
  if (problem !== null) found.push(error('slot', problem.message, problem.fix ?? 'Choose another `slot_name`.', problem.code));
  else if (slot !== null) {
    const use = slot.activePid === null ? '' : `, in use by process ${slot.activePid}`;
    found.push(ok('slot', `the replication slot ${name} is there${use}`));
    if (failover && slot.failover === false)
      found.push(ok('failover', `to be run at the start, over the replication protocol: ${keepOnStandbysCommand(name)}`));
    if (slot.walStatus === 'unreserved')
      found.push(
        warning('slot', `the replication slot ${name} is about to be lost`, 'Start the pipeline, or raise max_slot_wal_keep_size.'),
      );
  } else if (Number(row['slots']) >= Number(row['max_slots'])) {
    const fix = `Run: SELECT slot_name, active FROM pg_replication_slots; drop what nobody uses, or ALTER SYSTEM SET max_replication_slots = ${Number(row['max_slots']) + 5}; and restart the server.`;
    found.push(error('slots', `all ${row['max_slots']} replication slots of the server are taken`, fix));
  } else found.push(ok('slot', `the replication slot ${name} will be created`));
  if (slot?.activePid == null && Number(row['senders']) >= Number(row['max_senders'])) {
    const fix = `Run: ALTER SYSTEM SET max_wal_senders = ${Number(row['max_senders']) + 5}; and restart the server.`;
    found.push(error('senders', `all ${row['max_senders']} walsenders of the server are taken`, fix));
  }
  return found;
}

async function publicationFindings(
  queries: Queries,
  row: TextRow,
  tables: readonly FoundTable[],
  { publication: { name, create }, pipeline, truncate }: CheckOptions,
): Promise<Finding[]> {
  const state = await readPublication(queries, name);
  const plan = planPublication(state, { name, create, pipeline, tables, truncate });
  const found = plan.problems.map(({ message, fix }) => error('publication', message, fix));
  if (plan.statements.length > 0) {
    found.push(ok('publication', `to be run at the start: ${plan.statements.join('; ')}`));
    found.push(...ownershipFindings(row, tables, state === null ? tables : tables.filter((t) => !isPublished(state, t))));
  } else if (plan.problems.length === 0) found.push(ok('publication', `the publication ${name} holds all tables`));
  const filtered = (state?.tables ?? []).filter(
    (t) => t.rowFilter !== null && tables.some((w) => w.schema === t.schema && w.table === t.table),
  );
  if (filtered.length > 0) {
    const names = filtered.map((t) => `${t.schema}.${t.table}`).join(', ');
    const fix = 'Nothing, if that is meant: an update that moves a row out of the filter comes as a delete.';
    found.push(warning('publication', `the publication ${name} sends only some rows of ${names}`, fix));
  }
  return found;
}

const isPublished = (state: { readonly tables: readonly { schema: string; table: string }[] }, { schema, table }: FoundTable): boolean =>
  state.tables.some((t) => t.schema === schema && t.table === table);

/** To publish a table one must own it; to make a publication, have CREATE on the database. */
function ownershipFindings(row: TextRow, tables: readonly FoundTable[], added: readonly FoundTable[]): Finding[] {
  const role = quoteName(row['role'] ?? ''),
    found: Finding[] = [];
  if (row['may_create'] !== 't') {
    const fix = `Run: GRANT CREATE ON DATABASE ${quoteName(row['database'] ?? '')} TO ${role}; or make the publication yourself.`;
    found.push(error('publication', 'the role may not create publications in this database', fix, 'SOURCE_FORBIDDEN'));
  }
  const foreign = added.filter((t) => !t.isOwned);
  if (foreign.length > 0) {
    const names = foreign.map((t) => `${t.schema}.${t.table}`).join(', ');
    const list = tables.map((t) => `${quoteName(t.schema)}.${quoteName(t.table)}`).join(', ');
    const fix = `Run as their owner: CREATE PUBLICATION … FOR TABLE ${list} WITH (publish_via_partition_root = true); and name it in \`publication\`.`;
    found.push(error('publication', `only the owner of ${names} may publish them`, fix, 'SOURCE_FORBIDDEN'));
  }
  return found;
}

async function heartbeatFindings(queries: Queries): Promise<Finding[]> {
  // Since 17 it has a fourth argument: it is found by the three that all versions have.
  const { rows } = await queries.query(
    `SELECT has_function_privilege(p.oid, 'EXECUTE') AS may, p.oid::regprocedure::text AS function, pg_is_in_recovery() AS standby, current_user AS role
     FROM pg_proc p WHERE p.proname = 'pg_logical_emit_message' AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proargtypes[2] = 'text'::regtype`,
  );
  const { may, function: name, standby, role } = rows[0] ?? {};
  if (standby === 't') return [error('heartbeat', 'a standby cannot write heartbeats', 'Remove `heartbeat`, or connect to the primary.')];
  if (may === 't') return [ok('heartbeat', 'the role may write heartbeats')];
  const fix = `Run: GRANT EXECUTE ON FUNCTION pg_catalog.${name ?? ''} TO ${quoteName(role ?? '')};`;
  return [error('heartbeat', 'the role may not write heartbeats', fix, 'SOURCE_FORBIDDEN')];
}
