// The door to the formats. A codec, and the library behind it, is loaded with the first adapter that asks for it.

import type { ComponentContext } from '../sdk/index.ts';
import {
  keyFormatOf,
  type MessageFormatConfig,
  messageEnvelopeOf,
  messageFormatOf,
  type RecordFormatConfig,
  recordFormatOf,
} from './config.ts';
import type { FormatContext } from './context.ts';
import type { DebeziumTypes } from './debezium-types.ts';
import type { MessageDecoder, RecordEncoder } from './messages.ts';

/** Of a destination. Opens nothing yet: a registry that is away shows when a batch is encoded, and is tried again with it. */
export async function openRecordEncoder(config: RecordFormatConfig, component: ComponentContext): Promise<RecordEncoder> {
  const ctx: FormatContext = { ...component, where: `destination "${component.name}"` };
  const keys = keyFormatOf(config);
  switch (recordFormatOf(config)) {
    case 'json':
      return (await import('./json-records.ts')).jsonRecords(config, ctx, keys);
    case 'avro':
      return (await import('./avro/open.ts')).avroRecords(config, ctx, keys);
    case 'csv':
      return (await import('./csv-records.ts')).csvRecords(config, ctx, keys);
    case 'raw':
      return (await import('./raw-records.ts')).rawRecords(config, ctx, keys);
    case 'protobuf':
      return (await import('./protobuf/open.ts')).protobufRecords(config, ctx, keys);
  }
}

/** How a connector of Debezium was set. */
export interface DebeziumReading {
  /** What it shows for values that it does not know, where that is not its default. */
  readonly placeholder?: string | undefined;
  /** Of records without schemas. */
  readonly types?: DebeziumTypes | undefined;
}

/** Of a source. `debezium`: what else is known of records in that envelope. */
export async function openMessageDecoder(
  config: MessageFormatConfig,
  component: ComponentContext,
  debezium?: DebeziumReading,
): Promise<MessageDecoder> {
  const ctx: FormatContext = { ...component, where: `source "${component.name}"` };
  switch (messageFormatOf(config)) {
    case 'json':
      return (await import('./json-messages.ts')).jsonMessages(config, ctx, messageEnvelopeOf(config), debezium);
    case 'avro':
      return (await import('./avro/open.ts')).avroMessages(config, ctx, debezium?.placeholder);
    case 'csv':
      return (await import('./csv-messages.ts')).csvMessages(config, ctx);
    case 'raw':
      return (await import('./raw-messages.ts')).rawMessages(config, ctx);
    case 'protobuf':
      return (await import('./protobuf/open.ts')).protobufMessages(config, ctx);
  }
}
