// Databases that will be captured. Keys: seeds 000 and 001.

import { Type } from '../sdk/index.ts';
import { captureKeys, choice, duration, flag, group, plannedSource, pollingKeys, secret, serverKeys, text, texts } from './define.ts';

export const mongodb = plannedSource({
  type: 'mongodb',
  aliases: ['mongo'],
  title: 'MongoDB: change streams',
  keys: {
    ...serverKeys(27_017, 'mongodb'),
    connection_string: text('Connection string, in place of the parts.', 'mongodb://localhost:27017'),
    database: text('Database, or `*`.', 'shop'),
    collections: texts('Collections to capture; empty = all.', 'orders'),
    snapshot_mode: choice(['initial', 'initial_only', 'never', 'when_needed'], 'Whether existing documents are read first.'),
    full_document: choice(['default', 'update_lookup', 'when_available', 'required'], 'What updates carry.'),
    full_document_before_change: flag('Ask for the document before the change.'),
    pipeline: Type.Optional(
      Type.Array(Type.Object({}, { additionalProperties: true }), {
        description: 'Stages that filter at the server.',
        examples: [[{ $match: { operationType: 'insert' } }]],
      }),
    ),
  },
});

export const sqlserver = plannedSource({
  type: 'sqlserver',
  aliases: ['mssql'],
  title: 'SQL Server: change tables or change tracking',
  keys: {
    ...serverKeys(1433, 'sqlserver'),
    database: text('Database.', 'shop'),
    ...captureKeys,
    poll_interval_ms: duration('Time between two queries.', 500, 'ms'),
    use_change_tracking: flag('Change tracking instead of change tables.'),
  },
});

export const dynamodb = plannedSource({
  type: 'dynamodb',
  title: 'DynamoDB: streams',
  keys: {
    region: text('AWS region.', 'eu-central-1'),
    endpoint: text('Address, for local servers.', 'http://localhost:8000'),
    table_name: text('Table.', 'orders'),
    stream_arn: text('Stream; else the one of the table.', 'arn:aws:dynamodb:…'),
    starting_position: choice(['trim_horizon', 'latest', 'at_sequence_number'], 'Where to begin.'),
    sequence_number: text('For at_sequence_number.', '49590…'),
    snapshot_mode: choice(['initial', 'initial_only', 'never', 'when_needed'], 'Whether existing items are read first.'),
    credentials: group(
      {
        access_key_id: text('Access key id.', 'AKIA…'),
        secret_access_key: secret('Secret access key.', 'AWS_SECRET_ACCESS_KEY'),
        session_token: secret('Session token.', 'AWS_SESSION_TOKEN'),
      },
      'Without: the usual places of AWS.',
    ),
  },
});

export const oracle = plannedSource({
  type: 'oracle',
  title: 'Oracle: LogMiner or polling',
  keys: {
    ...serverKeys(1521, 'oracle'),
    database: text('Service name.', 'ORCL'),
    ...captureKeys,
    ...pollingKeys,
    cdc_mode: choice(['logminer', 'polling'], 'logminer = every change; polling = what a query finds.'),
    logminer_config: group(
      {
        start_scn: Type.Optional(
          Type.Union([Type.String({ minLength: 1 }), Type.Integer({ minimum: 0 })], {
            description: 'Change number to begin with, or auto.',
            examples: ['auto'],
          }),
        ),
        archive_log_dest: text('Folder of archived logs.', '/opt/oracle/archive'),
        supplemental_logging: flag('The database logs the columns that capture needs.'),
      },
      'How to read the log.',
    ),
    monitored_tables: texts('Tables to capture.', 'HR.EMPLOYEES'),
  },
});

export const cockroachdb = plannedSource({
  type: 'cockroachdb',
  aliases: ['cockroach'],
  title: 'CockroachDB: changefeeds',
  keys: {
    ...serverKeys(26_257, 'postgresql'),
    database: text('Database.', 'shop'),
    ...captureKeys,
    resolved: duration('How often the server confirms progress.', '1s'),
  },
});
