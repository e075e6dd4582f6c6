// Properties of a Debezium connector → our own source of that database. Pure; the loader uses it for `connector_config`, the
// command `migrate` for files.

import { MYSQL } from './mysql-properties.ts';
import { POSTGRESQL, POSTGRESQL_PUBLICATION, POSTGRESQL_SLOT } from './postgresql-properties.ts';
import { globsOfList, type Rules, shown } from './rules.ts';
import { PREFIXES, SHARED } from './shared-properties.ts';
import { Draft, type Note, propertiesOf, type SourceType, type Translation } from './translation.ts';

const CLASSES: Readonly<Record<string, SourceType>> = {
  'io.debezium.connector.postgresql.PostgresConnector': 'postgresql',
  'io.debezium.connector.mysql.MySqlConnector': 'mysql',
  'io.debezium.connector.mariadb.MariaDbConnector': 'mysql',
};
const OWN_RULES: Readonly<Record<SourceType, Rules>> = { postgresql: POSTGRESQL, mysql: MYSQL };
/** What the space of tables is called in properties. */
const SPACE: Readonly<Record<SourceType, 'schema' | 'database'>> = { postgresql: 'schema', mysql: 'database' };

/** What stands beside the properties, in our own words. */
export interface Beside {
  readonly captureMode?: string;
  /** Keys of our own source: they come before what the properties say. */
  readonly keys: Readonly<Record<string, unknown>>;
}

/** A connector that cannot be translated at all is the note alone. */
export function translateConnector(
  config: Readonly<Record<string, unknown>>,
  { captureMode, keys: beside }: Beside = { keys: {} },
): Translation | Note {
  const { properties, notes } = propertiesOf(config),
    type = typeOf(properties.get('connector.class'));
  if (typeof type !== 'string') return type;
  const draft = new Draft(properties);
  draft.notes.push(...notes);
  setMode(draft, type, captureMode);
  for (const [property, value] of properties) apply(property, value, draft, OWN_RULES[type]);
  if (!('tables' in beside || 'table' in beside || 'query' in beside)) tables(draft, type);
  if (!properties.has('skipped.operations') && captureMode !== 'polling') draft.set('on_truncate', 'ignore', 'connector.class');
  if (captureMode === 'polling') withoutLog(draft);
  else if (type === 'postgresql') slot(draft);
  for (const key of Object.keys(beside)) draft.origins.delete(key);
  return {
    type,
    name: properties.get('topic.prefix') ?? properties.get('database.server.name') ?? null,
    keys: { ...draft.keys, ...beside },
    origins: draft.origins,
    notes: draft.notes,
    envelope: draft.envelope,
  };
}

function typeOf(name: string | undefined): SourceType | Note {
  const type = name !== undefined && Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  if (type !== undefined) return type;
  return {
    property: 'connector.class',
    level: 'error',
    message: name === undefined ? 'is missing: it says which database is captured' : `${shown(name)} is no connector that is translated`,
    fix: `Set it to one of ${Object.keys(CLASSES).join(', ')}; the topics of other connectors are read with \`topic_prefix\`.`,
  };
}

function apply(property: string, value: string, draft: Draft, own: Rules): void {
  const named = Object.hasOwn(own, property) ? own[property] : Object.hasOwn(SHARED, property) ? SHARED[property] : undefined;
  const rule = named ?? PREFIXES.find(([prefix]) => property.startsWith(prefix))?.[1];
  if (rule !== undefined) rule(value, draft, property);
  else draft.warn(property, 'is no property that is known', 'Correct it, or leave it out.');
}

function setMode(draft: Draft, type: SourceType, captureMode: string | undefined): void {
  if (captureMode === undefined) return;
  // Both names for the log: the word of one database is not wrong for the other.
  const mode = captureMode === 'polling' ? 'polling' : type === 'postgresql' ? 'wal' : 'binlog';
  draft.set('cdc_mode', mode, 'connector.class');
}

/** Keys that only the log has: polling asks for rows. */
function withoutLog(draft: Draft): void {
  for (const key of [
    'slot_drop_on_stop',
    'failover',
    'heartbeat',
    'logical_messages',
    'on_truncate',
    'status_interval',
    'server_id',
    'snapshot_mode',
  ]) {
    const property = draft.origins.get(key);
    if (property === undefined) continue;
    delete draft.keys[key];
    draft.origins.delete(key);
    if (property !== 'connector.class')
      draft.warn(property, 'is of the log, and `capture_mode: polling` does not read it', 'Leave it out.');
  }
}

function slot(draft: Draft): void {
  const name = draft.get('slot.name'),
    publication = draft.get('publication.name'),
    autocreate = draft.get('publication.autocreate.mode') ?? 'all_tables';
  draft.set('slot_name', name ?? POSTGRESQL_SLOT, name === undefined ? 'connector.class' : 'slot.name');
  const create = autocreate === 'all_tables' || autocreate === 'filtered';
  draft.set(
    'publication',
    { name: publication ?? POSTGRESQL_PUBLICATION, create },
    publication === undefined ? 'connector.class' : 'publication.name',
  );
  if (autocreate === 'no_tables')
    draft.warn('publication.autocreate.mode', 'a publication without tables is not made', 'Make it, or set `publication: {create: true}`.');
}

/** Both lists must agree in Debezium; lists of what is left out have no counterpart. */
function tables(draft: Draft, type: SourceType): void {
  const space = SPACE[type],
    fix = 'List what is captured in `tables` beside `connector_config`.';
  const read = (...names: string[]): [property: string, value: string] | null => {
    for (const name of names) {
      const value = draft.get(name);
      if (value !== undefined && value !== '') return [name, value];
    }
    return null;
  };
  for (const out of [read('table.exclude.list', 'table.blacklist'), read(`${space}.exclude.list`, `${space}.blacklist`)])
    if (out !== null) draft.refuse(out[0], 'tables are named by what is captured, not by what is left out', fix);
  const included = read('table.include.list', 'table.whitelist'),
    spaces = read(`${space}.include.list`, `${space}.whitelist`);
  const spaceGlobs = spaces === null ? null : globsOfList(spaces[1], 1, draft, spaces[0], fix);
  if (included === null) {
    draft.set(
      'tables',
      (spaceGlobs ?? ['*']).map((glob) => `${glob}.*`),
      spaces?.[0] ?? 'connector.class',
    );
    return;
  }
  const globs = globsOfList(included[1], 2, draft, included[0], fix);
  if (globs === null) return;
  draft.set('tables', globs, included[0]);
  const outside = spaceGlobs === null ? [] : globs.filter((glob) => !spaceGlobs.some((s) => s === '*' || s === glob.split('.')[0]));
  if (spaces !== null && outside.length > 0)
    draft.refuse(spaces[0], `${outside.join(', ')} may be outside of it`, `Keep \`${included[0]}\` alone, with what both name.`);
}
