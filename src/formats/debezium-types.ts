// Types of columns for Debezium's records without schemas, as the user writes them: what the schema would say.
//
// | written | the schema of |
// |---|---|
// | `decimal(2)` | `decimal.handling.mode=precise`, numeric(…, 2) |
// | `variable_decimal` | numeric without a scale |
// | `date`, `time`, `micro_time`, `timestamp`, `micro_timestamp` … | `time.precision.mode=adaptive`; `time` and `timestamp` are milliseconds, as with `connect` |
// | `bytes`, `bits(8)`, `json`, `int64`, `double` | bytes in base64, bits, a document, 64 bits, a number that may be NaN |

import { type RowShape, rowShape } from '../envelope/debezium/decode.ts';
import type { Value } from '../sdk/index.ts';

/** Table → column → type. */
export type DebeziumTypes = Readonly<Record<string, Readonly<Record<string, string>>>>;

const NAMED: Readonly<Record<string, readonly [type: string, name: string]>> = {
  decimal: ['bytes', 'org.apache.kafka.connect.data.Decimal'],
  variable_decimal: ['struct', 'io.debezium.data.VariableScaleDecimal'],
  date: ['int32', 'io.debezium.time.Date'],
  time: ['int32', 'io.debezium.time.Time'],
  micro_time: ['int64', 'io.debezium.time.MicroTime'],
  nano_time: ['int64', 'io.debezium.time.NanoTime'],
  timestamp: ['int64', 'io.debezium.time.Timestamp'],
  micro_timestamp: ['int64', 'io.debezium.time.MicroTimestamp'],
  nano_timestamp: ['int64', 'io.debezium.time.NanoTimestamp'],
  iso_timestamp: ['string', 'io.debezium.time.IsoTimestamp'],
  iso_date: ['string', 'io.debezium.time.IsoDate'],
  iso_time: ['string', 'io.debezium.time.IsoTime'],
  duration: ['int64', 'io.debezium.time.MicroDuration'],
  json: ['string', 'io.debezium.data.Json'],
  bits: ['bytes', 'io.debezium.data.Bits'],
  point: ['struct', 'io.debezium.data.geometry.Point'],
  geometry: ['struct', 'io.debezium.data.geometry.Geometry'],
};
const PLAIN: ReadonlySet<string> = new Set(['bytes', 'int64', 'double']);
/** What stands in brackets. */
const PARAMETERS: Readonly<Record<string, string>> = { decimal: 'scale', bits: 'length' };

export const DEBEZIUM_TYPES: readonly string[] = [
  ...Object.keys(NAMED).map((name) => (Object.hasOwn(PARAMETERS, name) ? `${name}(n)` : name)),
  ...PLAIN,
];

/** The schema of a column; `null`: it is no type. */
export function schemaOfType(text: string): { [name: string]: Value } | null {
  const [, name = '', digits] = /^([a-z0-9_]+)(?:\((\d{1,4})\))?$/.exec(text) ?? [];
  const parameter = Object.hasOwn(PARAMETERS, name) ? (PARAMETERS[name] as string) : null;
  if ((parameter === null) !== (digits === undefined)) return null;
  if (PLAIN.has(name)) return { type: name };
  const named = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (named === undefined) return null;
  return { type: named[0], name: named[1], ...(parameter === null ? {} : { parameters: { [parameter]: digits as string } }) };
}

/** By the name of the table. Columns that are not named stay as JSON has them, so the table as a whole has no columns. */
export function shapesOf(types: DebeziumTypes): ReadonlyMap<string, RowShape> {
  return new Map(
    Object.entries(types).map(([table, columns]) => {
      const fields = Object.entries(columns).map(([field, type]): Value => ({ ...schemaOfType(type), field }));
      const side = (field: string): Value => ({ type: 'struct', field, fields });
      return [table, { ...rowShape({ type: 'struct', fields: [side('before'), side('after')] }), columns: [] }];
    }),
  );
}
