// Properties that Debezium's connectors for PostgreSQL, MySQL and MariaDB have in common.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-connector-properties

import {
  choice,
  handled,
  milliseconds,
  needless,
  patterns,
  type Rule,
  type Rules,
  record,
  refused,
  text,
  warning,
  whole,
} from './rules.ts';

const OF_KAFKA = needless('there is no Kafka Connect');
const HISTORY = needless('the history of schemas is kept with the state of the pipeline');
const OFFSETS = needless('places are kept with the state of the pipeline, and where it can with the data of the destination');
const SIGNALS = needless('`cdc-run snapshot` reads tables again while the pipeline runs');
const TUNING = needless('queues are bounded by `sync.batch_size`, `sync.batch_bytes` and `log`');
const RETRIES = needless('a source that is away is tried again until it is there');
const KEYSTORE = refused(
  'certificates are read from files in PEM, not from key stores of Java',
  'Convert it, and set `ssl.ca`, `ssl.cert` and `ssl.key`.',
);
const ENVELOPE = 'Set the `envelope` of the destination, or a transformer.';

const SNAPSHOT_MODES = {
  initial: 'initial',
  initial_only: 'initial_only',
  never: 'never',
  no_data: 'never',
  schema_only: 'never',
  when_needed: 'when_needed',
};

const skippedOperations: Rule = (value, draft, property) => {
  const ops = value.split(',').map((op) => op.trim());
  draft.set('on_truncate', ops.includes('t') ? 'ignore' : 'emit', property);
  const others = ops.filter((op) => op !== 't' && op !== 'none' && op !== '');
  if (others.length > 0)
    draft.refuse(
      property,
      `the operations ${others.join(', ')} are captured`,
      'Add the transformer `filter`, which drops them by their `op`.',
    );
};

/** Also for the sinks of Debezium Server that write its JSON. */
export const RECORD_PROPERTIES: Rules = {
  'tombstones.on.delete': record('tombstones_on_delete'),
  'provide.transaction.metadata': record('provide_transaction_metadata'),
  'decimal.handling.mode': record('decimal_handling_mode'),
  'time.precision.mode': record('time_precision_mode'),
  'interval.handling.mode': record('interval_handling_mode'),
  'hstore.handling.mode': record('hstore_handling_mode'),
  'binary.handling.mode': record('binary_handling_mode'),
  'value.converter.schemas.enable': record('schemas'),
};

export const SHARED: Rules = {
  'connector.class': handled,
  name: handled,
  'topic.prefix': handled,
  'database.server.name': handled,
  'table.include.list': handled,
  'table.whitelist': handled,
  'table.exclude.list': handled,
  'table.blacklist': handled,
  'database.hostname': text('host'),
  'database.port': whole('port'),
  'database.user': text('username'),
  'database.password': text('password'),
  'database.query.timeout.ms': milliseconds('statement_timeout'),
  'column.include.list': patterns('columns.include', 3, 'Name the columns in `columns.include`.'),
  'column.exclude.list': patterns('columns.exclude', 3, 'Name the columns in `columns.exclude`.'),
  'snapshot.mode': choice('snapshot_mode', SNAPSHOT_MODES, 'Set `snapshot_mode` to initial, initial_only, never or when_needed.'),
  'snapshot.include.collection.list': patterns('snapshot.tables', 2, 'Name the tables in `snapshot.tables`.'),
  'snapshot.max.threads': whole('snapshot.workers'),
  'incremental.snapshot.chunk.size': whole('snapshot.chunk_rows'),
  'snapshot.fetch.size': needless('tables are read in chunks of `snapshot.chunk_rows`'),
  'snapshot.delay.ms': needless('a snapshot begins at once'),
  'snapshot.locking.mode': needless('snapshots lock no tables'),
  'snapshot.isolation.mode': needless('snapshots lock no tables'),
  'snapshot.lock.timeout.ms': needless('snapshots lock no tables'),
  'snapshot.tables.order.by.row.count': needless('tables are read beside each other'),
  'snapshot.query.mode': refused('own queries for snapshots are not known', 'Set `snapshot.where`.', 'select_all'),
  'snapshot.select.statement.overrides': refused(
    'statements of snapshots are made here',
    'Set `snapshot.where`: a condition for each table.',
  ),
  'skipped.operations': skippedOperations,
  ...RECORD_PROPERTIES,
  'message.key.columns': refused('the key of a table is its primary key', 'Set `key_field` in the destination, or give the table a key.'),
  'unavailable.value.placeholder': warning(
    'is of the records',
    "Records have Debezium's usual placeholder with `compatible: true`, else the column is absent.",
  ),
  'include.schema.changes': handled,
  'include.schema.comments': warning('comments are not read', 'Leave it out.', 'false'),
  'column.propagate.source.type': warning('is of the records', ENVELOPE),
  'datatype.propagate.source.type': warning('is of the records', ENVELOPE),
  'field.name.adjustment.mode': warning('is of the records', 'Names stay as they are; in Avro they are adjusted.', 'none'),
  'schema.name.adjustment.mode': warning('is of the records', 'Names stay as they are; in Avro they are adjusted.', 'none'),
  'sanitize.field.names': warning('is of the records', 'Names stay as they are; in Avro they are adjusted.', 'false'),
  'sourceinfo.struct.maker': refused('the `source` block cannot be made by a class', ENVELOPE),
  'topic.naming.strategy': refused(
    'topics cannot be named by a class',
    'Set `topic` in the destination.',
    'io.debezium.schema.SchemaTopicNamingStrategy',
  ),
  'topic.delimiter': warning('is of the destination', 'Set `topic` there.', '.'),
  'topic.cache.size': TUNING,
  'topic.transaction': warning('is of the destination', 'Marks of transactions go to `<topic_prefix>.transaction`.', 'transaction'),
  'topic.heartbeat.prefix': needless('there is no topic for heartbeats'),
  'heartbeat.topics.prefix': needless('there is no topic for heartbeats'),
  'event.processing.failure.handling.mode': warning(
    'what cannot be read goes to the dead letter queue',
    'Set `error_handling.dead_letter_queue`.',
    'fail',
  ),
  'event.converting.failure.handling.mode': warning(
    'what cannot be read goes to the dead letter queue',
    'Set `error_handling.dead_letter_queue`.',
  ),
  'connection.validation.timeout.ms': needless('the checks before a start have limits of their own'),
  'guardrail.collections.max': needless('tables are not limited'),
  'guardrail.collections.limit.action': needless('tables are not limited'),
  converters: refused('converters of your own are not known', ENVELOPE),
  'custom.metric.tags': needless('metrics have the names of pipeline, source and destination'),
  'poll.interval.ms': needless('changes are sent as soon as they are there'),
  'max.batch.size': needless('set `sync.batch_size`'),
  'max.queue.size': TUNING,
  'max.queue.size.in.bytes': TUNING,
  'executor.shutdown.timeout.ms': needless('set `sync.shutdown_timeout`'),
  'errors.max.retries': RETRIES,
  'errors.retry.delay.initial.ms': RETRIES,
  'errors.retry.delay.max.ms': RETRIES,
  'retriable.restart.connector.wait.ms': RETRIES,
  'connect.timeout.ms': milliseconds('connection_pool.connection_timeout'),
  'tasks.max': warning('one process reads the log', 'Leave it out.', '1'),
  'read.only': needless('nothing is written at the source'),
};

/** Properties by what they begin with. */
export const PREFIXES: readonly (readonly [prefix: string, rule: Rule])[] = [
  ['column.mask.', refused('values would go out unmasked', 'Add the transformer `data_masking`.')],
  ['column.truncate.', refused('values would go out uncut', 'Add a transformer of your own.')],
  ['snapshot.select.statement.overrides.', handled],
  ['snapshot.mode.', refused('snapshots by a class or by parts are not known', 'Set `snapshot_mode`.')],
  ['snapshot.query.mode.', handled],
  ['snapshot.locking.mode.', needless('snapshots lock no tables')],
  ['schema.history.internal', HISTORY],
  ['database.history', HISTORY],
  ['offset.', OFFSETS],
  ['signal.', SIGNALS],
  ['incremental.snapshot.', needless('chunks of a snapshot need no window: rows that changed meanwhile are recognised')],
  ['notification.', needless('`hooks` are told what happens')],
  ['openlineage.', needless('it is not supported')],
  ['opentelemetry.', needless('it is not supported')],
  [
    'transforms',
    refused('transformations of Kafka Connect do not run here', 'Use transformers, or `envelope` and `topic` of the destination.'),
  ],
  ['predicates', handled],
  ['key.converter', warning('is of the destination', 'Set `message_format` and `key_format` there.')],
  ['value.converter', warning('is of the destination', 'Set `message_format` there.')],
  ['header.converter', warning('is of the destination', 'Headers are texts.')],
  ['errors.', OF_KAFKA],
  ['producer.override.', warning('is of the destination', 'Set it there.')],
  ['consumer.override.', OF_KAFKA],
  ['admin.override.', OF_KAFKA],
  ['topic.creation.', warning('is of the destination', 'Set `create_topics` and `topic_defaults` there.')],
  ['config.', OF_KAFKA],
  ['exactly.once', needless('`transactional: true` in the destination')],
  ['transaction.boundary', OF_KAFKA],
  ['connector.client.', OF_KAFKA],
  ['database.ssl.keystore', KEYSTORE],
  ['database.ssl.truststore', KEYSTORE],
  ['internal.', needless('it is internal to Debezium')],
];
