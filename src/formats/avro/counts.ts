// Texts of dates and times → the numbers that logical types count them in.

import { countText, type Moment, parseDate, parseMoment, parseTime } from '../../envelope/temporal.ts';
import type { AvroNotes } from './schema.ts';

/** `null`: the text is none, or finer than the unit. */
export type Count = (text: string) => number | bigint | null;

/** Exact, or `null`: digits below the unit would be lost. */
function inUnit(moment: Moment | null, unit: 'ms' | 'us' | 'ns'): number | bigint | null {
  if (moment === null) return null;
  const perUnit = unit === 'ms' ? 1_000_000 : unit === 'us' ? 1_000 : 1;
  if (moment.nanos % perUnit !== 0) return null;
  const count = moment.seconds * (1_000_000_000 / perUnit) + moment.nanos / perUnit;
  return Number.isSafeInteger(count) ? count : BigInt(countText(moment, unit));
}

const moments =
  (unit: 'ms' | 'us' | 'ns'): Count =>
  (text) =>
    inUnit(parseMoment(text), unit);
const times =
  (unit: 'ms' | 'us' | 'ns'): Count =>
  (text) =>
    inUnit(parseTime(text), unit);
const days: Count = parseDate;

const COUNTS: Readonly<Record<string, Count>> = {
  date: days,
  'time-millis': times('ms'),
  'time-micros': times('us'),
  'timestamp-millis': moments('ms'),
  'timestamp-micros': moments('us'),
  'timestamp-nanos': moments('ns'),
  'local-timestamp-millis': moments('ms'),
  'local-timestamp-micros': moments('us'),
  'local-timestamp-nanos': moments('ns'),
  'io.debezium.time.Date': days,
  'io.debezium.time.Time': times('ms'),
  'io.debezium.time.MicroTime': times('us'),
  'io.debezium.time.NanoTime': times('ns'),
  'io.debezium.time.Timestamp': moments('ms'),
  'io.debezium.time.MicroTimestamp': moments('us'),
  'io.debezium.time.NanoTimestamp': moments('ns'),
};

/** How the text of a date or time is counted; `null`: the type is a plain number. */
export function countOf({ logicalType, connectName }: AvroNotes): Count | null {
  for (const name of [logicalType, connectName]) if (name !== null && Object.hasOwn(COUNTS, name)) return COUNTS[name] as Count;
  return null;
}
