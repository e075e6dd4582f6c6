// Messages in Protobuf: by the schema whose id they carry, or by a file.

import type protobuf from 'protobufjs';
import { UNTYPED } from '../../envelope/debezium/decode.ts';
import { CdcError, type Column } from '../../sdk/index.ts';
import { type MessageFormatConfig, messageEnvelopeOf } from '../config.ts';
import type { FormatContext } from '../context.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { readMessageIndexes } from '../registry/wire.ts';
import { type SchemaCodec, SchemaMessages } from '../schema-messages.ts';
import type { ProtoText, ProtoTexts } from './given-schema.ts';
import { messageAt, messageNamed, type ProtoFile, type ProtoSource, parseProto } from './schema.ts';
import { columnsOf, decoderOf } from './values.ts';

/** A file, of which each message says which of its messages it is; or a message. */
type Prepared = { readonly file: ProtoFile } | { readonly type: protobuf.Type };

const NO_COLUMNS: readonly Column[] = [];

export function protobufDecoder(
  config: MessageFormatConfig,
  ctx: FormatContext,
  registry: SchemaRegistry | null,
  given: ProtoTexts,
): SchemaMessages<Prepared> {
  const columns = new WeakMap<protobuf.Type, readonly Column[]>(),
    isChange = messageEnvelopeOf(config) !== 'row';
  const columnsOnce = (type: protobuf.Type): readonly Column[] => {
    const known = columns.get(type) ?? (isChange ? NO_COLUMNS : columnsOf(type));
    columns.set(type, known);
    return known;
  };
  const codec: SchemaCodec<Prepared> = {
    type: 'PROTOBUF',
    name: 'Protobuf',
    hasKeys: config.key_format === 'protobuf',
    prepare: (text, references) => ({ file: parsed(text, references, ctx) }),
    read: (prepared, bytes, head) => {
      const { type, at } = typeOf(prepared, bytes, head);
      try {
        const value = decoderOf(type)(type.decode(bytes.subarray(at)) as unknown as Record<string, unknown>);
        return { value, columns: columnsOnce(type), shape: UNTYPED };
      } catch (cause) {
        throw new CdcError('SOURCE_DATA_INVALID', `The message is no ${type.fullName.slice(1)}: ${(cause as Error).message}`, { cause });
      }
    },
  };
  const named = (text: ProtoText | null, name: string | undefined): Prepared | null =>
    text === null ? null : { type: messageOf(parsed(text.text, text.references, ctx), name, ctx) };
  const types = { key: named(given.key, config.key_message), value: named(given.value, config.value_message) };
  return new SchemaMessages(config, ctx, registry, codec, types);
}

function parsed(text: string, references: readonly ProtoSource[], { where }: FormatContext): ProtoFile {
  try {
    return parseProto(text, references);
  } catch (cause) {
    throw new CdcError('REGISTRY_SCHEMA_UNKNOWN', `A schema is no Protobuf: ${(cause as Error).message}`, {
      where,
      fix: 'Correct the schema.',
      cause,
    });
  }
}

function messageOf(file: ProtoFile, name: string | undefined, { where }: FormatContext): protobuf.Type {
  const found = messageNamed(file, name);
  if (found !== null) return found.type;
  throw new CdcError('SOURCE_MISCONFIGURED', `The schema has no message${name === undefined ? '' : ` "${name}"`}.`, {
    where,
    fix: 'Correct value_message or key_message.',
  });
}

function typeOf(prepared: Prepared, bytes: Uint8Array, head: number): { readonly type: protobuf.Type; readonly at: number } {
  if ('type' in prepared) return { type: prepared.type, at: head };
  const { path, end } = readMessageIndexes(bytes, head),
    type = messageAt(prepared.file, path);
  if (type === null) throw new CdcError('SOURCE_DATA_INVALID', `The schema has no message at the place ${path.join('.')}.`);
  return { type, at: end };
}
