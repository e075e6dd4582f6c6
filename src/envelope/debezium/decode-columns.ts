// The columns of a row, as the schema of Kafka Connect describes them that came with it.

import type { Column, ColumnType, Value } from '../../sdk/index.ts';
import { fieldsOf, member } from './decode-value.ts';

const BY_NAME: Readonly<Record<string, ColumnType>> = {
  'org.apache.kafka.connect.data.Decimal': 'decimal',
  'org.apache.kafka.connect.data.Date': 'date',
  'org.apache.kafka.connect.data.Time': 'time',
  'org.apache.kafka.connect.data.Timestamp': 'timestamp',
  'io.debezium.data.VariableScaleDecimal': 'decimal',
  'io.debezium.data.Bits': 'bits',
  'io.debezium.data.Uuid': 'uuid',
  'io.debezium.data.Json': 'json',
  'io.debezium.data.Xml': 'xml',
  'io.debezium.data.Enum': 'enum',
  'io.debezium.data.geometry.Point': 'geometry',
  'io.debezium.data.geometry.Geometry': 'geometry',
  'io.debezium.data.geometry.Geography': 'geometry',
  'io.debezium.time.Date': 'date',
  'io.debezium.time.IsoDate': 'date',
  'io.debezium.time.Time': 'time',
  'io.debezium.time.MicroTime': 'time',
  'io.debezium.time.NanoTime': 'time',
  'io.debezium.time.IsoTime': 'time',
  'io.debezium.time.Timestamp': 'timestamp',
  'io.debezium.time.MicroTimestamp': 'timestamp',
  'io.debezium.time.NanoTimestamp': 'timestamp',
  'io.debezium.time.IsoTimestamp': 'timestamp',
  'io.debezium.time.ZonedTimestamp': 'timestamptz',
  'io.debezium.time.ZonedTime': 'timetz',
  'io.debezium.time.Interval': 'interval',
  'io.debezium.time.MicroDuration': 'interval',
  'io.debezium.time.NanoDuration': 'interval',
};
const BY_TYPE: Readonly<Record<string, ColumnType>> = {
  boolean: 'boolean',
  int8: 'int16',
  int16: 'int16',
  int32: 'int32',
  int64: 'int64',
  float: 'float32',
  double: 'float64',
  string: 'string',
  bytes: 'bytes',
  array: 'array',
};

/** Of a logical type of Connect or Debezium; `undefined`: it is not known. */
export function logicalColumnType(name: string): ColumnType | undefined {
  return Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
}

export function columnsOfSchema(schema: Value | undefined): readonly Column[] {
  return fieldsOf(schema).map(([name, field]) => columnOf(name, field));
}

function columnOf(name: string, field: Value | undefined): Column {
  const type = typeOf(field),
    logical = member(field, 'name'),
    parameters = member(field, 'parameters');
  const allowed = member(parameters, 'allowed');
  return {
    name,
    type,
    nativeType: typeof logical === 'string' ? logical : String(member(field, 'type')),
    nullable: member(field, 'optional') === true,
    ...(logical === 'org.apache.kafka.connect.data.Decimal' ? decimalOf(parameters) : {}),
    ...(type === 'bits' ? bitsOf(parameters) : {}),
    ...(type === 'enum' && typeof allowed === 'string' ? { values: allowed.split(',') } : {}),
    ...(type === 'array' ? { element: typeOf(member(field, 'items')) } : {}),
  };
}

function typeOf(schema: Value | undefined): ColumnType {
  const name = member(schema, 'name'),
    type = String(member(schema, 'type'));
  const named = typeof name === 'string' ? logicalColumnType(name) : undefined;
  return named ?? (Object.hasOwn(BY_TYPE, type) ? (BY_TYPE[type] as ColumnType) : 'json');
}

function decimalOf(parameters: Value | undefined): { scale: number; precision?: number } {
  const precision = member(parameters, 'connect.decimal.precision');
  return { scale: Number(member(parameters, 'scale') ?? 0), ...(precision === undefined ? {} : { precision: Number(precision) }) };
}

/** `bit varying` without a length has the largest number. */
function bitsOf(parameters: Value | undefined): { length?: number } {
  const length = Number(member(parameters, 'length') ?? 0);
  return length > 0 && length < 2_147_483_647 ? { length } : {};
}
