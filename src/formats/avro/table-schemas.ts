// Schemas of the envelopes `row` and `plain`, made of a table: Avro's own logical types, which every reader knows.
//
// | column | Avro |
// |---|---|
// | decimal with precision · without | bytes, `decimal` · string |
// | uint64 | bytes, `decimal(20,0)` |
// | date · timestamptz · timestamp | int `date` · long `timestamp-micros` · long `local-timestamp-micros` |
// | time of a day · other times, timetz, interval | long `time-micros` · string |
// | json, xml, enum, bits | string |
// | any | null, boolean, long, double, string or bytes |

import { type Column, formatTableId, type TableSchema } from '../../sdk/index.ts';
import { fieldNames, schemaName, splitName } from './names.ts';
import { COLUMN_NOTE } from './schema.ts';

export type AvroJson = string | readonly AvroJson[] | { readonly [name: string]: unknown };

const MICROS = 6;
const UNSIGNED_64_DIGITS = 20;

/** `public.orders`, as Avro takes it. */
export const tableName = (table: TableSchema): string => schemaName(formatTableId(table.id));

/** The row of a table. `partial`: columns may be missing, so all but the key may be null. */
export function rowSchema(table: TableSchema, partial: boolean): AvroJson {
  return recordOf(`${tableName(table)}.Row`, table.columns, (column) => column.nullable || (partial && !table.key.includes(column.name)));
}

/** `null`: the table has no key. */
export function keySchema(table: TableSchema): AvroJson | null {
  if (table.key.length === 0) return null;
  const columns = table.key.map((name) => table.columns.find((c) => c.name === name)).filter((c) => c !== undefined);
  return recordOf(`${tableName(table)}.Key`, columns, () => false);
}

const optional = (type: AvroJson): AvroJson => ['null', type];

function recordOf(fullName: string, columns: readonly Column[], isOptional: (column: Column) => boolean): AvroJson {
  const names = fieldNames(columns.map((c) => c.name));
  const fields = columns.map((column, i) => ({
    name: names[i],
    type: isOptional(column) ? withNull(typeOf(column)) : typeOf(column),
    ...(names[i] === column.name ? {} : { [COLUMN_NOTE]: column.name }),
    ...(isOptional(column) ? { default: null } : {}),
  }));
  return { type: 'record', ...splitName(fullName), fields };
}

const withNull = (type: AvroJson): AvroJson => (Array.isArray(type) ? (type.includes('null') ? type : ['null', ...type]) : optional(type));

function typeOf(column: Column): AvroJson {
  switch (column.type) {
    case 'boolean':
    case 'bytes':
      return column.type;
    case 'int16':
    case 'int32':
      return 'int';
    case 'int64':
      return 'long';
    case 'uint64':
      return { type: 'bytes', logicalType: 'decimal', precision: UNSIGNED_64_DIGITS, scale: 0 };
    case 'float32':
      return 'float';
    case 'float64':
      return 'double';
    case 'decimal':
      if (column.precision === undefined || column.precision < 1) return 'string';
      return { type: 'bytes', logicalType: 'decimal', precision: column.precision, scale: column.scale ?? 0 };
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'timestamptz':
      return momentType(column, 'timestamp-micros');
    case 'timestamp':
      return momentType(column, 'local-timestamp-micros');
    case 'time':
      // Of others (MySQL) a time may be negative, or longer than a day.
      return /^time(\(\d\))? without/.test(column.nativeType) ? { type: 'long', logicalType: 'time-micros' } : 'string';
    case 'uuid':
      return { type: 'string', logicalType: 'uuid' };
    case 'array':
      return { type: 'array', items: withNull(elementOf(column)) };
    case 'geometry':
      return ['bytes', 'string'];
    // Texts to everybody, but Kafka Connect and our own source know what they hold.
    case 'json':
      return { type: 'string', 'connect.name': 'io.debezium.data.Json' };
    case 'xml':
      return { type: 'string', 'connect.name': 'io.debezium.data.Xml' };
    case 'any':
      return ['null', 'boolean', 'long', 'double', 'string', 'bytes'];
    default:
      return 'string';
  }
}

const momentType = ({ precision }: Column, logicalType: string): AvroJson =>
  precision !== undefined && precision > MICROS ? 'string' : { type: 'long', logicalType };

function elementOf({ name, element = 'any', nativeType }: Column): AvroJson {
  return typeOf({ name, type: element, nativeType: nativeType.replace(/\[\]$/, ''), nullable: true });
}

/** The `plain` envelope. `absent`: columns of `after` that the source did not send, of an incomplete update. */
export function plainSchema(table: TableSchema): AvroJson {
  const name = tableName(table),
    key = keySchema(table);
  const record = (inner: string, fields: readonly object[]): AvroJson => ({ type: 'record', ...splitName(`${name}.${inner}`), fields });
  const text = (field: string): object => ({ name: field, type: ['null', 'string'], default: null });
  return record('Change', [
    { name: 'op', type: 'string' },
    text('database'),
    text('schema'),
    { name: 'table', type: 'string' },
    { name: 'key', type: key === null ? 'null' : optional(key), default: null },
    { name: 'before', type: optional(rowSchema(table, true)), default: null },
    { name: 'after', type: optional(`${name}.Row`), default: null },
    { name: 'incomplete', type: 'boolean', default: false },
    { name: 'absent', type: { type: 'array', items: 'string' }, default: [] },
    {
      name: 'message',
      type: optional(
        record('Message', [
          { name: 'prefix', type: 'string' },
          { name: 'content', type: 'bytes' },
        ]),
      ),
      default: null,
    },
    { name: 'schema_change', type: optional(record('SchemaChange', [{ name: 'kind', type: 'string' }, text('ddl')])), default: null },
    { name: 'ts_ms', type: 'long' },
    { name: 'id', type: 'string' },
  ]);
}
