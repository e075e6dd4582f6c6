// Keys that a system's source and destination have in common.

import { Type } from '../sdk/index.ts';
import { choice, flag, type Properties, secret, serverKeys, text, textOrTexts } from './define.ts';

/** How messages are read or written. */
export const FORMAT_KEYS: Properties = {
  message_format: choice(['json', 'avro', 'protobuf', 'debezium', 'raw'], 'Format of the messages.'),
  schema_registry_url: text('Address of the schema registry.', 'http://localhost:8081'),
};

export const PULSAR_KEYS: Properties = {
  service_url: text('Address of the service.', 'pulsar://localhost:6650'),
  token: secret('Token to log in with.', 'PULSAR_TOKEN'),
};

export const S3_KEYS: Properties = {
  bucket: text('Bucket.', 'my-bucket'),
  region: text('Region.', 'eu-central-1'),
  endpoint: text('Address, for other stores than AWS.', 'http://localhost:9000'),
  access_key_id: text('Access key id. Without: the usual places of AWS.', 'AKIA…'),
  secret_access_key: secret('Secret access key.', 'AWS_SECRET_ACCESS_KEY'),
  session_token: secret('Session token.', 'AWS_SESSION_TOKEN'),
  force_path_style: flag('Name the bucket in the path instead of the host.'),
};

/** A SQL database that is written to. */
export const sqlSinkKeys = (port: number, scheme: string): Properties => ({
  ...serverKeys(port, scheme),
  database: text('Database.', 'analytics'),
  schema: text('Schema of the tables.', 'public'),
  table: text('Table; {schema} and {table} stand for those of the event.', '{table}'),
  conflict_resolution: choice(['upsert', 'replace', 'ignore'], 'What to do when the key is there already.'),
  create_tables: Type.Optional(Type.Boolean({ description: 'Create missing tables.', examples: [true] })),
});

/** A search engine. */
export const searchKeys: Properties = {
  ...serverKeys(9200, 'https'),
  hosts: textOrTexts('Addresses of the nodes.', 'https://localhost:9200'),
  api_key: secret('Key to log in with.', 'SEARCH_API_KEY'),
  index: text('Index; {schema} and {table} stand for those of the event.', 'events'),
  id_field: text('Field that is the id of the document. Without: the key.', 'id'),
};
