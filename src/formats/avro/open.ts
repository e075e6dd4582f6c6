// Avro for an adapter: by schemas of tables and a registry, or by a schema of the user.

import { isSchemaFile, type KeyFormat, type MessageFormatConfig, type RecordFormatConfig } from '../config.ts';
import type { FormatContext } from '../context.ts';
import { GivenRecords } from '../given-records.ts';
import type { MessageDecoder, RecordEncoder } from '../messages.ts';
import { needRegistry, openRegistry } from '../registry/open.ts';
import { readSchemaFile } from '../schema-file.ts';
import { GivenAvro, type SchemaTexts } from './given-schema.ts';
import { avroDecoder } from './messages.ts';
import { AvroRecords } from './records.ts';

export async function avroRecords(config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat): Promise<RecordEncoder> {
  const { value_schema: given, schema_registry: registry } = config;
  if (given === undefined || (!isSchemaFile(given) && registry?.auto_register !== false))
    return new AvroRecords(config, ctx, keys, needRegistry(config, ctx));
  return new GivenRecords(config, ctx, keys, new GivenAvro(config, ctx, openRegistry(config, ctx), await textsOf(config, ctx)));
}

export async function avroMessages(config: MessageFormatConfig, ctx: FormatContext, placeholder?: string): Promise<MessageDecoder> {
  return avroDecoder(config, ctx, openRegistry(config, ctx), await textsOf(config, ctx), placeholder);
}

async function textsOf(config: RecordFormatConfig | MessageFormatConfig, ctx: FormatContext): Promise<SchemaTexts> {
  const read = async (name: 'key_schema' | 'value_schema'): Promise<string | null> => {
    const file = config[name];
    return file !== undefined && isSchemaFile(file) ? readSchemaFile(file, name, ctx) : null;
  };
  return { key: await read('key_schema'), value: await read('value_schema') };
}
