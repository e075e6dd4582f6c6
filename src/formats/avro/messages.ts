// Messages in Avro, each by the schema it was written with.

import { type RowShape, UNTYPED } from '../../envelope/debezium/decode.ts';
import { geometryColumn, isGeometry } from '../../envelope/debezium/decode-geometry.ts';
import { CdcError, type Column, type Value } from '../../sdk/index.ts';
import { type MessageFormatConfig, messageEnvelopeOf } from '../config.ts';
import type { FormatContext } from '../context.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { type SchemaCodec, SchemaMessages } from '../schema-messages.ts';
import { Bytes } from './binary.ts';
import { columnsOf } from './columns.ts';
import type { SchemaTexts } from './given-schema.ts';
import { type Reader, readerOf, readValue } from './reader.ts';
import { type AvroRecord, type AvroType, parseAvro, unreadableSchema, withoutNull } from './schema.ts';

/** A schema, ready to read with. */
interface Prepared {
  readonly read: Reader;
  readonly columns: readonly Column[];
  /** Values are ours but for geometries. */
  readonly shape: RowShape;
}

export function avroDecoder(
  config: MessageFormatConfig,
  ctx: FormatContext,
  registry: SchemaRegistry | null,
  given: SchemaTexts,
  placeholder?: string,
): SchemaMessages<Prepared> {
  const { key_format: format } = config,
    isChange = messageEnvelopeOf(config) !== 'row',
    knowsKeys = registry !== null || given.key !== null;
  const codec: SchemaCodec<Prepared> = {
    type: 'AVRO',
    name: 'Avro',
    hasKeys: format === undefined ? (knowsKeys ? null : false) : format === 'avro',
    prepare: (text, references) =>
      prepared(
        text,
        references.map((r) => r.text),
        isChange,
        ctx,
      ),
    read: ({ read, columns, shape }, bytes, at) => ({ value: readAll(read, bytes, at), columns, shape }),
  };
  const prepare = (text: string | null): Prepared | null => (text === null ? null : codec.prepare(text, []));
  return new SchemaMessages(config, ctx, registry, codec, { key: prepare(given.key), value: prepare(given.value) }, placeholder);
}

function prepared(text: string, references: readonly string[], isChange: boolean, { where }: FormatContext): Prepared {
  let type: AvroType;
  try {
    type = parseAvro(text, references);
  } catch (cause) {
    throw unreadableSchema('A schema', cause, where);
  }
  const columns = columnsIn(type, isChange),
    geometries = columns.filter((c) => isGeometry(c.nativeType)).map((c) => geometryColumn(c.name, c.nativeType));
  return { read: readerOf(type), columns, shape: { ...UNTYPED, geometries } };
}

function readAll(read: Reader, bytes: Uint8Array, at: number): Value {
  const from = new Bytes(bytes, at);
  let value: Value;
  try {
    value = readValue(read, from);
  } catch (cause) {
    throw new CdcError('SOURCE_DATA_INVALID', `The message does not fit its schema: ${(cause as Error).message}.`, { cause });
  }
  if (from.left > 0) throw new CdcError('SOURCE_DATA_INVALID', `The message has ${from.left} bytes more than its schema.`);
  return value;
}

const NO_COLUMNS: readonly Column[] = [];

/** `inside`: the row is the field `after` of a change event. */
function columnsIn(type: AvroType, inside: boolean): readonly Column[] {
  const record = withoutNull(type).type;
  if (record.kind !== 'record') return NO_COLUMNS;
  if (!inside) return columnsOf(record);
  const row = record.fields
    .map((f) => ({ name: f.name, type: withoutNull(f.type).type }))
    .find((f) => f.name === 'after' && f.type.kind === 'record');
  return row === undefined ? NO_COLUMNS : columnsOf(row.type as AvroRecord);
}
