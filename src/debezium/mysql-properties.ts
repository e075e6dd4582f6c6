// Properties of Debezium's connectors for MySQL and MariaDB.
// https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-connector-properties

import { choice, handled, needless, type Rule, type Rules, refused, warning, whole } from './rules.ts';

const SSL_MODES = {
  disabled: 'disable',
  disable: 'disable',
  preferred: null,
  required: 'require',
  trust: 'require',
  verify_ca: 'verify-ca',
  'verify-ca': 'verify-ca',
  verify_identity: 'verify-full',
  'verify-full': 'verify-full',
};

const sslMode: Rule = (value, draft, property) => {
  choice('ssl_mode', SSL_MODES, 'Set `ssl_mode` to disable, require, verify-ca or verify-full.')(value, draft, property);
  if (value.toLowerCase() === 'preferred')
    draft.warn(
      property,
      'preferred leaves it open whether the connection is encrypted: here it is not',
      'Set `ssl_mode: require` beside `connector_config`.',
    );
};

const unsigned: Rule = (value, draft, property) => {
  if (value !== 'precise')
    draft.warn(
      property,
      'numbers above 2^63-1 keep their value',
      "Set `compatible: true` in the `envelope` where Debezium's negative numbers are wanted.",
    );
};

const GTIDS = refused('transactions are not chosen by the server that they come from', 'Leave it out.');

export const MYSQL: Rules = {
  'database.server.id': whole('server_id'),
  'database.server.id.offset': handled,
  'database.include.list': handled,
  'database.whitelist': handled,
  'database.exclude.list': handled,
  'database.blacklist': handled,
  'database.ssl.mode': sslMode,
  'database.protocol': refused('the driver is chosen here', 'Leave it out.', 'jdbc:mysql'),
  'database.jdbc.driver': needless('there is no JDBC'),
  'database.jdbc.protocol': needless('there is no JDBC'),
  'database.connectionTimeZone': warning('times without zone come as they are stored', 'Leave it out.'),
  'database.initial.statements': refused('no statements are run at the beginning', 'Set them in the server, or for the user.'),
  'gtid.source.includes': GTIDS,
  'gtid.source.excludes': GTIDS,
  'gtid.source.filter.dml.events': GTIDS,
  'include.query': warning('statements are not passed on', 'Leave it out.', 'false'),
  'bigint.unsigned.handling.mode': unsigned,
  'connect.keep.alive': needless('a connection without a word is given up after three `heartbeat_interval`s'),
  'connect.keep.alive.interval.ms': needless('a connection without a word is given up after three `heartbeat_interval`s'),
  'heartbeat.interval.ms': warning('there is no topic for heartbeats', 'Leave it out: places are saved while the database is quiet.', '0'),
  'heartbeat.action.query': needless('places are saved while the database is quiet'),
  'binlog.buffer.size': needless('transactions are not looked through before they are sent'),
  'binlog.read.delay': needless('the server sends on its own'),
  'enable.time.adjuster': warning('years are what the server stores', 'Leave it out.'),
  'inconsistent.schema.handling.mode': warning('an inconsistent table stops', 'Leave it out.', 'fail'),
  'min.row.count.to.stream.results': needless('tables are read in chunks'),
  'source.struct.version': handled,
  'use.nongraceful.disconnect': needless('connections end at once'),
};
