// Properties of Debezium's connector for PostgreSQL.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-connector-properties

import { choice, flag, handled, milliseconds, needless, patterns, type Rule, type Rules, refused, text, warning } from './rules.ts';

const SSL_MODES = {
  disable: 'disable',
  allow: null,
  prefer: null,
  require: 'require',
  'verify-ca': 'verify-ca',
  'verify-full': 'verify-full',
};

const sslMode: Rule = (value, draft, property) => {
  choice('ssl_mode', SSL_MODES, 'Set `ssl_mode` to disable, require, verify-ca or verify-full.')(value, draft, property);
  if (value === 'prefer' || value === 'allow')
    draft.warn(
      property,
      `${value} leaves it open whether the connection is encrypted: here it is not`,
      'Set `ssl_mode: require` beside `connector_config`.',
    );
};

const plugin: Rule = (value, draft, property) => {
  if (value !== 'pgoutput')
    draft.warn(
      property,
      `the slot is read with pgoutput, and one of ${value} cannot be taken over`,
      "Set `slot_name` to a new one beside `connector_config`; Debezium's is dropped when it is not needed any more.",
    );
};

const key: Rule = (value, draft, property) => {
  draft.set('ssl.key', value, property);
  draft.warn(property, "the key is read in PEM, Debezium's is in DER", 'Convert it: openssl pkcs8 -inform DER -in key.pk8 -out key.pem.');
};

const heartbeat: Rule = (value, draft, property) => {
  if (value === '0') return;
  if (draft.get('heartbeat.action.query') === undefined)
    draft.warn(
      property,
      'there is no topic for heartbeats',
      'Set `heartbeat: {interval: …}` where the database is quiet and others of the server write.',
    );
  else milliseconds('heartbeat.interval')(value, draft, property);
};

const PREFIXES_FIX = 'Write prefixes with * in `logical_messages`.';

export const POSTGRESQL: Rules = {
  'database.dbname': text('database'),
  'plugin.name': plugin,
  'slot.name': handled,
  'slot.drop.on.stop': flag('slot_drop_on_stop'),
  'slot.failover': flag('failover'),
  'slot.stream.params': refused('options of the stream are set here', 'Leave it out, or set `publication` and `logical_messages`.', ''),
  'slot.max.retries': needless('a slot that is in use is waited for'),
  'slot.retry.delay.ms': needless('a slot that is in use is waited for'),
  'publication.name': handled,
  'publication.autocreate.mode': handled,
  'publish.via.partition.root': refused(
    'changes come with the table of the partition',
    'Make the publication with publish_via_partition_root yourself, and set `publication: {name: …, create: false}`.',
    'false',
  ),
  'replica.identity.autoset.values': refused('tables are not altered', 'ALTER TABLE … REPLICA IDENTITY … yourself.'),
  'schema.include.list': handled,
  'schema.whitelist': handled,
  'schema.exclude.list': handled,
  'schema.blacklist': handled,
  'database.sslmode': sslMode,
  'database.sslcert': text('ssl.cert'),
  'database.sslkey': key,
  'database.sslrootcert': text('ssl.ca'),
  'database.sslpassword': refused(
    'the key of a certificate is read without a password',
    'Write it in PEM without one, readable by this process alone.',
  ),
  'database.sslfactory': refused('it is a class of Java', 'Set `ssl_mode` and `ssl`.'),
  'database.tcpkeepalive': handled,
  'database.tcpKeepAlive': handled,
  'database.initial.statements': refused('no statements are run at the beginning', 'Set them for the role: ALTER ROLE … SET ….'),
  'heartbeat.interval.ms': heartbeat,
  'heartbeat.action.query': warning('is replaced by a message in the log (pg_logical_emit_message)', 'Allow the role to execute it.'),
  'message.prefix.include.list': patterns('logical_messages.include', 1, PREFIXES_FIX),
  'message.prefix.exclude.list': patterns('logical_messages.exclude', 1, PREFIXES_FIX),
  'status.update.interval.ms': milliseconds('status_interval'),
  'xmin.fetch.interval.ms': needless('xmin is not read'),
  'lsn.flush.mode': needless('the slot moves on once destinations have confirmed'),
  'flush.lsn.source': refused('the slot moves on once destinations have confirmed, or it could not be used again', 'Leave it out.', 'true'),
  'schema.refresh.mode': needless('schemas come with the stream'),
  'include.unknown.datatypes': warning('values of other types come as text', 'Leave it out.', 'false'),
  'money.fraction.digits': warning('money has the digits that the database has', 'Leave it out.'),
  'offset.mismatch.strategy': needless('`snapshot_mode: when_needed` reads again when the slot is lost'),
};

/** What Debezium does unless it is told otherwise, and we do not. */
export const POSTGRESQL_SLOT = 'debezium';
export const POSTGRESQL_PUBLICATION = 'dbz_publication';
