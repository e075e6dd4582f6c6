// The columns of a record's schema: what `reader.ts` makes of its types.
//
// | Avro | column |
// |---|---|
// | int, long | int32 (int16 by `connect.type`), int64 |
// | date, time-*, timestamp-*, local-timestamp-* and Debezium's | date, time, timestamptz, timestamp |
// | bytes or fixed with decimal, VariableScaleDecimal | decimal |
// | string with Uuid, Json, Xml, Enum, ZonedTimestamp, ZonedTime, Interval | uuid, json, xml, enum, timestamptz, timetz, interval |
// | record, map, union of several | json |

import { logicalColumnType } from '../../envelope/debezium/decode-columns.ts';
import type { Column, ColumnType } from '../../sdk/index.ts';
import { type AvroNotes, type AvroRecord, type AvroType, withoutNull } from './schema.ts';

const BY_LOGICAL: Readonly<Record<string, ColumnType>> = {
  decimal: 'decimal',
  date: 'date',
  'time-millis': 'time',
  'time-micros': 'time',
  'timestamp-millis': 'timestamptz',
  'timestamp-micros': 'timestamptz',
  'timestamp-nanos': 'timestamptz',
  'local-timestamp-millis': 'timestamp',
  'local-timestamp-micros': 'timestamp',
  'local-timestamp-nanos': 'timestamp',
  uuid: 'uuid',
};

export function columnsOf(record: AvroRecord): readonly Column[] {
  return record.fields.map(({ column, type }) => columnOf(column, type));
}

function columnOf(name: string, field: AvroType): Column {
  const { type, nullable } = withoutNull(field),
    notes = type.kind === 'union' ? null : type.notes,
    columnType = typeOf(type, notes);
  const decimal = columnType === 'decimal' ? decimalOf(notes) : {},
    allowed = notes?.parameters['allowed'];
  return {
    name,
    type: columnType,
    nativeType: notes?.connectName ?? notes?.logicalType ?? type.kind,
    nullable,
    ...decimal,
    ...(columnType === 'enum' ? { values: type.kind === 'enum' ? type.symbols : String(allowed ?? '').split(',') } : {}),
    ...(type.kind === 'array' ? { element: elementOf(type.items) } : {}),
  };
}

function decimalOf(notes: AvroNotes | null): { precision?: number; scale?: number } {
  if (notes === null || notes.logicalType !== 'decimal') return {};
  return { ...(notes.precision === null ? {} : { precision: notes.precision }), scale: notes.scale ?? 0 };
}

function elementOf(items: AvroType): ColumnType {
  const { type } = withoutNull(items);
  return typeOf(type, type.kind === 'union' ? null : type.notes);
}

function typeOf(type: AvroType, notes: AvroNotes | null): ColumnType {
  const named =
    (notes?.connectName !== null && notes !== null ? logicalColumnType(notes.connectName) : undefined) ??
    (notes?.logicalType !== null && notes !== null ? BY_LOGICAL[notes.logicalType] : undefined);
  if (named !== undefined) return named;
  switch (type.kind) {
    case 'boolean':
    case 'string':
    case 'bytes':
    case 'enum':
    case 'array':
      return type.kind;
    case 'int':
      return notes?.connectType === 'int16' || notes?.connectType === 'int8' ? 'int16' : 'int32';
    case 'long':
      return 'int64';
    case 'float':
      return 'float32';
    case 'double':
      return 'float64';
    case 'fixed':
      return 'bytes';
    case 'null':
      return 'any';
    default:
      return 'json';
  }
}
