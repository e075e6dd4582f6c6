// The options of the `debezium` envelope. Keys are Debezium's own with underscores for dots.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-connector-properties

import { type ConfigOf, Default, Keys, OneOf, Type } from '../../sdk/index.ts';

export const debeziumOptions = Keys(
  {
    compatible: Default(
      Type.Boolean({
        description:
          "Debezium's format byte for byte in shape: field order, `source` block, type mapping, and its losses (an unchanged out-of-line value is a placeholder). Without it the `source` block also has `ts_sec`, `pos` and `server_id`, and values keep their meaning: decimals and times are text, missing columns are missing.",
        examples: [true],
      }),
      false,
    ),
    schemas: Default(
      Type.Boolean({
        description:
          'Wrap key and value as `{"schema": …, "payload": …}`, as Kafka Connect\'s JsonConverter does with `schemas.enable`. What such a schema cannot describe (JSON documents, unsigned 64-bit integers) is then written as text.',
        examples: [true],
      }),
      false,
    ),
    tombstones_on_delete: Default(
      Type.Boolean({
        description: 'After a delete, send a second record with the same key and no value, so that log compaction removes the key.',
        examples: [false],
      }),
      true,
    ),
    provide_transaction_metadata: Default(
      Type.Boolean({
        description:
          'Send BEGIN and END of each transaction to `<topic_prefix>.transaction`. In compatible mode events carry their `transaction` block only with this.',
        examples: [true],
      }),
      false,
    ),
    topic_prefix: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Logical name of the source: `source.name`, the start of topic names (`<topic_prefix>.<schema>.<table>`) and of schema names. Default: the name of the source; in compatible mode topics start with it, otherwise they are `<schema>.<table>` unless this key is set.',
        examples: ['shop'],
      }),
    ),
    decimal_handling_mode: Type.Optional(
      OneOf(['precise', 'double', 'string'], {
        description:
          'Decimals as unscaled bytes in base64 (`precise`), floating point numbers that may lose digits (`double`), or text (`string`). Default: `precise` in compatible mode, else `string`.',
        examples: ['string'],
      }),
    ),
    time_precision_mode: Type.Optional(
      OneOf(['adaptive', 'adaptive_time_microseconds', 'connect', 'isostring'], {
        description:
          "Dates and times without zone as counts since the epoch in a unit after the column's precision (`adaptive`), the same with times always in microseconds (`adaptive_time_microseconds`), milliseconds (`connect`, cuts microseconds off), or ISO-8601 text in UTC (`isostring`). Default in compatible mode: `adaptive`, for MySQL and MariaDB `adaptive_time_microseconds`; else ISO-8601 text as the source has it.",
        examples: ['isostring'],
      }),
    ),
    interval_handling_mode: Type.Optional(
      OneOf(['numeric', 'string'], {
        description:
          'Intervals as microseconds, a month taken as 30.4375 days (`numeric`), or as text `P1Y2M3DT4H5M6.789S` (`string`). Counts with `time_precision_mode` or in compatible mode. Default: `numeric`.',
        examples: ['string'],
      }),
    ),
    hstore_handling_mode: Type.Optional(
      OneOf(['json', 'map'], {
        description: 'hstore in compatible mode: as text of a JSON document (`json`), or as a map (`map`). Default: `json`.',
        examples: ['map'],
      }),
    ),
    binary_handling_mode: Type.Optional(
      OneOf(['bytes', 'base64', 'base64-url-safe', 'hex'], {
        description: 'Bytes as base64 of type bytes (`bytes`), or as text: `base64`, `base64-url-safe`, `hex`. Default: `bytes`.',
        examples: ['hex'],
      }),
    ),
  },
  { description: "Debezium's change event: before, after, source, op, ts_ms, transaction." },
);

export type DebeziumOptions = ConfigOf<typeof debeziumOptions>;
