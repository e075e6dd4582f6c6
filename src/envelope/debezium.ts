// The `debezium` shape: Debezium's change event, in our lossless values or, with `compatible`, as Debezium writes it.

import { decodeDebezium } from './debezium/decode.ts';
import { DebeziumEnvelope } from './debezium/encode.ts';
import { debeziumOptions } from './debezium/options.ts';
import type { ReadableShape } from './envelope.ts';

export const debezium: ReadableShape<typeof debeziumOptions> = {
  options: debeziumOptions,
  create: (options, ctx) => new DebeziumEnvelope(options, ctx),
  decode: decodeDebezium,
};
