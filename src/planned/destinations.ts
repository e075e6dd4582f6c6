// Systems that will be written to. Keys: seeds 000, 001, 002 and 004.

import { choice, duration, open, plannedDestination, secret, serverKeys, text, textOrTexts } from './define.ts';
import { FORMAT_KEYS, PULSAR_KEYS, S3_KEYS, searchKeys, sqlSinkKeys } from './systems.ts';

const TOPIC = 'Topic; {schema} and {table} stand for those of the event.';

export const pulsar = plannedDestination({
  type: 'pulsar',
  title: 'Pulsar topics',
  keys: {
    ...PULSAR_KEYS,
    ...FORMAT_KEYS,
    topic: text(TOPIC, 'persistent://public/default/processed'),
    producer_name: text('Name of the producer.', 'cdc'),
  },
});

export const elasticsearch = plannedDestination({
  type: 'elasticsearch',
  aliases: ['elastic'],
  title: 'Elasticsearch indices',
  keys: searchKeys,
});
export const opensearch = plannedDestination({ type: 'opensearch', title: 'OpenSearch indices', keys: searchKeys });
export const sqlserver = plannedDestination({
  type: 'sqlserver',
  aliases: ['mssql'],
  title: 'SQL Server tables',
  keys: sqlSinkKeys(1433, 'sqlserver'),
});
export const oracle = plannedDestination({ type: 'oracle', title: 'Oracle tables', keys: sqlSinkKeys(1521, 'oracle') });

export const mongodb = plannedDestination({
  type: 'mongodb',
  aliases: ['mongo'],
  title: 'MongoDB collections',
  keys: {
    ...serverKeys(27_017, 'mongodb'),
    connection_string: text('Connection string, in place of the parts.', 'mongodb://localhost:27017'),
    database: text('Database.', 'shop'),
    collection: text('Collection; {table} stands for that of the event.', '{table}'),
  },
});

export const s3 = plannedDestination({
  type: 's3',
  title: 'Objects in S3 and its kin',
  keys: {
    ...S3_KEYS,
    prefix: text('Objects are put below this; {schema} and {table} stand for those of the event.', 'cdc/{table}/'),
    format: choice(['ndjson', 'csv', 'parquet'], 'What the objects hold.'),
    compression: choice(['none', 'gzip', 'zstd'], 'How objects are compressed.'),
  },
});

export const http = plannedDestination({
  type: 'http',
  aliases: ['webhook'],
  title: 'HTTP requests',
  keys: {
    url: secret('Address.', 'WEBHOOK_URL'),
    method: choice(['POST', 'PUT', 'PATCH'], 'Method.'),
    headers: open('Headers of each request.'),
    urls: textOrTexts('Addresses to choose from.', 'https://example.com/hook'),
    request_timeout: duration('How long to wait for an answer.', '10s'),
  },
});
