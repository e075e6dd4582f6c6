// Avro for an adapter: by schemas of tables and a registry, or by a schema of the user.

import type { KeyFormat, MessageFormatConfig, RecordFormatConfig } from '../config.ts';
import { isSchemaFile } from '../config.ts';
import type { FormatContext } from '../context.ts';
import type { MessageDecoder, RecordEncoder } from '../messages.ts';
import { needRegistry, openRegistry } from '../registry/open.ts';
import { readSchemaFile } from '../schema-file.ts';
import { GivenRecords } from './given-records.ts';
import { AvroMessages } from './messages.ts';
import { AvroRecords } from './records.ts';

export async function avroRecords(config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat): Promise<RecordEncoder> {
  const { value_schema: given, schema_registry: registry } = config;
  if (given !== undefined && (isSchemaFile(given) || registry?.auto_register === false)) {
    const file = isSchemaFile(given) ? await readSchemaFile(given, 'value_schema', ctx) : null;
    return new GivenRecords(config, ctx, keys, openRegistry(config, ctx), file);
  }
  return new AvroRecords(config, ctx, keys, needRegistry(config, ctx));
}

export async function avroMessages(config: MessageFormatConfig, ctx: FormatContext): Promise<MessageDecoder> {
  const read = async (name: 'key_schema' | 'value_schema'): Promise<string | null> => {
    const file = config[name];
    return file !== undefined && isSchemaFile(file) ? readSchemaFile(file, name, ctx) : null;
  };
  return new AvroMessages(config, ctx, openRegistry(config, ctx), { key: await read('key_schema'), value: await read('value_schema') });
}
