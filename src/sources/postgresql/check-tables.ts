// What is said of the tables: whether they are there, can be read, and say enough of the rows that change. Pure.

import type { Finding } from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { CheckOptions } from './check.ts';
import { error, ok, warning } from './findings.ts';
import { matchesTable } from './names.ts';
import { qualified } from './replication/publication.ts';
import { type FoundTable, withRows } from './tables.ts';

/** A list of thousands helps nobody. */
const SHOWN = 10;

export function* tableFindings(
  all: readonly FoundTable[],
  wanted: readonly FoundTable[],
  options: Pick<CheckOptions, 'mode' | 'patterns' | 'readsRows'>,
): Iterable<Finding> {
  for (const pattern of options.patterns) {
    if (all.some((t) => matchesTable(pattern, t.schema, t.table))) continue;
    yield error('tables', `no table matches "${pattern}"`, 'Create the table, or correct `tables`.');
  }
  if (wanted.length > 0) yield ok('tables', `${wanted.length} table(s): ${namesOf(wanted)}`);
  const leaves = withRows(all, wanted);
  if (options.mode === 'polling' || options.readsRows) yield* readFindings(wanted);
  if (options.mode === 'polling') return;
  yield* identityFindings(leaves);
  const unlogged = leaves.filter((t) => t.isUnlogged);
  if (unlogged.length > 0)
    yield error(
      'unlogged',
      `changes of unlogged tables are not in the log: ${namesOf(unlogged)}`,
      sql(unlogged, (t) => `ALTER TABLE ${qualified(t)} SET LOGGED`),
    );
  const generated = wanted.filter((t) => t.generatedColumns.length > 0);
  if (generated.length > 0) {
    const columns = generated.map((t) => `${t.schema}.${t.table} (${t.generatedColumns.join(', ')})`);
    const fix = 'Nothing, if destinations can do without; else compute them there.';
    yield warning('generated_columns', `the log does not hold generated columns, so they are left out: ${shorten(columns)}`, fix);
  }
}

function* readFindings(wanted: readonly FoundTable[]): Iterable<Finding> {
  const unreadable = wanted.filter((t) => !t.isReadable);
  if (unreadable.length > 0) {
    const schemas = [...new Set(unreadable.map((t) => quoteName(t.schema)))].join(', ');
    const fix = `Run: GRANT USAGE ON SCHEMA ${schemas} TO the role; GRANT SELECT ON ${shorten(unreadable.map(qualified))} TO the role;`;
    yield error('select', `the role may not read ${namesOf(unreadable)}`, fix, 'SOURCE_FORBIDDEN');
  }
  const secured = wanted.filter((t) => t.hasRowSecurity);
  if (secured.length > 0) {
    const fix = 'Run: ALTER ROLE … BYPASSRLS; or write a policy that shows the role all rows.';
    yield error(
      'row_security',
      `policies hide rows from the role, so reading them would miss some: ${namesOf(secured)}`,
      fix,
      'SOURCE_FORBIDDEN',
    );
  }
}

/** Without an identity, the application's own UPDATE and DELETE fail from the moment the table is published. */
function* identityFindings(leaves: readonly FoundTable[]): Iterable<Finding> {
  const none = leaves.filter((t) => t.identity === 'none');
  if (none.length > 0) {
    const fix = `${sql(none, (t) => `ALTER TABLE ${qualified(t)} REPLICA IDENTITY FULL`)} Better: give them a primary key.`;
    yield error(
      'replica_identity',
      `once published, UPDATE and DELETE of these tables would fail, because they have no replica identity: ${namesOf(none)}`,
      fix,
    );
  }
  const keyless = leaves.filter((t) => t.identity === 'full' && !t.hasPrimaryKey);
  if (keyless.length > 0)
    yield warning(
      'key',
      `no primary key: events have no key, and the snapshot is one long pass: ${namesOf(keyless)}`,
      'Give the tables a primary key.',
    );
  const index = leaves.filter((t) => t.identity === 'index');
  if (index.length > 0)
    yield ok('replica_identity', `the old row of these tables has the columns of its replica identity index: ${namesOf(index)}`);
  const full = leaves.filter((t) => t.identity === 'full').length;
  if (none.length === 0 && leaves.length > 0)
    yield ok('replica_identity', `${leaves.length - full} table(s) send the key of the old row, ${full} the whole of it`);
}

const namesOf = (tables: readonly FoundTable[]): string => shorten(tables.map((t) => `${t.schema}.${t.table}`));

function shorten(names: readonly string[]): string {
  return names.length <= SHOWN ? names.join(', ') : `${names.slice(0, SHOWN).join(', ')} and ${names.length - SHOWN} more`;
}

function sql(tables: readonly FoundTable[], statement: (table: FoundTable) => string): string {
  return `Run: ${tables.slice(0, SHOWN).map(statement).join('; ')};${tables.length > SHOWN ? ' and so on.' : ''}`;
}
