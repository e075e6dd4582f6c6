// Protobuf for an adapter.

import { CdcError } from '../../sdk/index.ts';
import { isSchemaFile, type KeyFormat, type MessageFormatConfig, type RecordFormatConfig } from '../config.ts';
import type { FormatContext } from '../context.ts';
import { GivenRecords } from '../given-records.ts';
import type { MessageDecoder, RecordEncoder } from '../messages.ts';
import { openRegistry } from '../registry/open.ts';
import { GivenProtobuf, type ProtoText, type ProtoTexts } from './given-schema.ts';
import { protobufDecoder } from './messages.ts';
import { readProto } from './schema.ts';

export async function protobufRecords(config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat): Promise<RecordEncoder> {
  return new GivenRecords(config, ctx, keys, new GivenProtobuf(config, ctx, openRegistry(config, ctx), await textsOf(config, ctx)));
}

export async function protobufMessages(config: MessageFormatConfig, ctx: FormatContext): Promise<MessageDecoder> {
  return protobufDecoder(config, ctx, openRegistry(config, ctx), await textsOf(config, ctx));
}

async function textsOf(config: RecordFormatConfig | MessageFormatConfig, { where }: FormatContext): Promise<ProtoTexts> {
  const read = async (name: 'key_schema' | 'value_schema'): Promise<ProtoText | null> => {
    const file = config[name];
    if (file === undefined || !isSchemaFile(file)) return null;
    try {
      return await readProto(file);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      throw new CdcError('CONFIG_FILE_UNREADABLE', `The schema file ${file} cannot be read: ${code ?? message}.`, {
        where,
        fix: `Correct ${name}.`,
        cause,
      });
    }
  };
  return { key: await read('key_schema'), value: await read('value_schema') };
}
