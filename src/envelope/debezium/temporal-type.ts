// Dates, times and intervals in Debezium's time modes. Values that are no date or time are written as they are.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-temporal-types

import type { Column, Value } from '../../sdk/index.ts';
import { isoOfInterval, microsOfInterval, parseInterval } from '../interval.ts';
import { jsonValue } from '../json.ts';
import {
  countText,
  dateOfDays,
  daysOfDate,
  type Moment,
  momentText,
  parseDate,
  parseMoment,
  parseTime,
  parseZonedTime,
  timeText,
} from '../temporal.ts';
import type { ConnectSchema } from './connect-schema.ts';
import type { DebeziumType } from './types.ts';

export type TimeMode = 'adaptive' | 'adaptive_time_microseconds' | 'connect' | 'isostring';
type Unit = 'ms' | 'us' | 'ns';

const SECONDS_PER_DAY = 86_400;

// PostgreSQL's infinity as Debezium sees it: pgjdbc's DATE_POSITIVE_INFINITY and DATE_NEGATIVE_INFINITY, taken as microseconds.
export const INFINITE_DAYS: Readonly<Record<string, number>> = {
  infinity: daysOfDate(-5_877_611, 6, 21),
  '-infinity': daysOfDate(-5_877_611, 6, 22),
};
export const INFINITE_MOMENTS: Readonly<Record<string, Moment>> = {
  infinity: { seconds: 9_223_372_036_825, nanos: 200_000_000 },
  '-infinity': { seconds: -9_223_372_036_833, nanos: 600_000_000 },
};

const debezium = (type: ConnectSchema['type'], name: string): ConnectSchema => ({ type, name: `io.debezium.time.${name}`, version: 1 });
const connect = (type: ConnectSchema['type'], name: string): ConnectSchema => ({
  type,
  name: `org.apache.kafka.connect.data.${name}`,
  version: 1,
});
const made = (schema: ConnectSchema, write: DebeziumType['write'], zero: string): DebeziumType => ({
  schema,
  write,
  zero,
  unavailable: null,
});

/** A writer of texts that `parse` understands; anything else is written by its JS type. */
function writer<T>(parse: (text: string) => T | null, format: (parsed: T) => string): (value: Value) => string {
  return (value) => {
    const parsed = typeof value === 'string' ? parse(value) : null;
    return parsed === null ? jsonValue(value) : format(parsed);
  };
}

const days = (text: string): number | null => (Object.hasOwn(INFINITE_DAYS, text) ? (INFINITE_DAYS[text] as number) : parseDate(text));
const moment = (text: string): Moment | null =>
  Object.hasOwn(INFINITE_MOMENTS, text) ? (INFINITE_MOMENTS[text] as Moment) : parseMoment(text);
/** Milliseconds and ISO text cannot carry MySQL's times beyond a day. */
const timeOfDay = (text: string): Moment | null => {
  const time = parseTime(text);
  return time === null || time.seconds < 0 || time.seconds > SECONDS_PER_DAY ? null : time;
};

export function temporalType(column: Column, mode: TimeMode, interval: 'numeric' | 'string', defaultFraction: number): DebeziumType {
  const fraction = column.precision ?? defaultFraction;
  switch (column.type) {
    case 'date':
      return dateType(mode);
    case 'time':
      return timeType(mode, fraction);
    case 'timestamp':
      return timestampType(mode, fraction);
    case 'timetz':
      return made(
        debezium('string', 'ZonedTime'),
        writer(parseZonedTime, (t) => `"${timeText(t, null)}Z"`),
        '"00:00:00Z"',
      );
    case 'timestamptz':
      return zonedTimestampType(fraction);
    default:
      if (interval === 'string')
        return made(
          debezium('string', 'Interval'),
          writer(parseInterval, (i) => `"${isoOfInterval(i)}"`),
          '"P0Y0M0DT0H0M0S"',
        );
      return made(debezium('int64', 'MicroDuration'), writer(parseInterval, microsOfInterval), '0');
  }
}

/** ZonedTimestamp pads to the column's digits; with none it prints those that are there. */
function zonedTimestampType(fraction: number): DebeziumType {
  const width = fraction === 0 ? null : fraction;
  const done = new RegExp(`^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d${width === null ? '' : `\\.\\d{${width}}`}Z$`);
  const convert = writer(parseMoment, (m) => `"${momentText(m, width)}Z"`);
  // Sources in UTC send what is asked for: looking at the form is an eighth of taking it apart.
  const write = (value: Value): string => (typeof value === 'string' && done.test(value) ? `"${value}"` : convert(value));
  return { ...made(debezium('string', 'ZonedTimestamp'), write, '"1970-01-01T00:00:00Z"'), fromText: width ?? -1 };
}

function dateType(mode: TimeMode): DebeziumType {
  if (mode === 'isostring')
    return made(
      debezium('string', 'IsoDate'),
      writer(days, (d) => `"${dateOfDays(d)}Z"`),
      '"1970-01-01Z"',
    );
  return made(mode === 'connect' ? connect('int32', 'Date') : debezium('int32', 'Date'), writer(days, String), '0');
}

function timeType(mode: TimeMode, fraction: number): DebeziumType {
  if (mode === 'isostring') {
    // 24:00:00 becomes midnight, as LocalTime.plus does.
    return made(
      debezium('string', 'IsoTime'),
      writer(timeOfDay, (t) => `"${timeText({ seconds: t.seconds % SECONDS_PER_DAY, nanos: t.nanos }, null)}Z"`),
      '"00:00:00Z"',
    );
  }
  if (mode === 'connect')
    return made(
      connect('int32', 'Time'),
      writer(timeOfDay, (t) => countText(t, 'ms')),
      '0',
    );
  const unit: Unit = mode === 'adaptive_time_microseconds' ? 'us' : unitOf(fraction);
  const schema = { ms: debezium('int32', 'Time'), us: debezium('int64', 'MicroTime'), ns: debezium('int64', 'NanoTime') }[unit];
  return made(
    schema,
    writer(parseTime, (t) => countText(t, unit)),
    '0',
  );
}

function timestampType(mode: TimeMode, fraction: number): DebeziumType {
  if (mode === 'isostring')
    return made(
      debezium('string', 'IsoTimestamp'),
      writer(moment, (m) => `"${momentText(m, null)}Z"`),
      '"1970-01-01T00:00:00Z"',
    );
  if (mode === 'connect')
    return made(
      connect('int64', 'Timestamp'),
      writer(moment, (m) => countText(m, 'ms')),
      '0',
    );
  const unit = unitOf(fraction);
  const schema = { ms: debezium('int64', 'Timestamp'), us: debezium('int64', 'MicroTimestamp'), ns: debezium('int64', 'NanoTimestamp') }[
    unit
  ];
  return made(
    schema,
    writer(moment, (m) => countText(m, unit)),
    '0',
  );
}

function unitOf(fraction: number): Unit {
  return fraction <= 3 ? 'ms' : fraction <= 6 ? 'us' : 'ns';
}
