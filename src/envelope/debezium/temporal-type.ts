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
import type { Connector } from './connectors.ts';
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

/** The same in rows of a snapshot: java.sql.Date's year, month and day of the largest and smallest timestamp. */
const INFINITE_READ_DAYS: Readonly<Record<string, number>> = {
  infinity: daysOfDate(292_278_994, 8, 16),
  '-infinity': daysOfDate(292_269_055, 12, 2),
};
/** The days that the Gregorian calendar left out; java.sql.Date is in Julian ones before them. */
const FIRST_LEFT_OUT = daysOfDate(1582, 10, 5),
  LAST_LEFT_OUT = daysOfDate(1582, 10, 14);

/** Java's LocalDateTime.MAX, which is what a default of infinity becomes. Its seconds do not fit a number. */
export const LAST_MOMENT = '+999999999-12-31T23:59:59.999999999';

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
/** As snapshots of PostgreSQL have a date: java.sql.Date moves those that were left out, and forgets that a year is BC. */
function readDays(text: string): number | null {
  if (Object.hasOwn(INFINITE_READ_DAYS, text)) return INFINITE_READ_DAYS[text] as number;
  const day = parseDate(text);
  if (day === null || day > LAST_LEFT_OUT) return day;
  if (day >= FIRST_LEFT_OUT) return day + 10;
  const [, year, rest] = /^(-\d{4,9}|0000)(-.*)$/.exec(text) ?? [];
  return year === undefined ? day : parseDate(`${String(1 - Number(year)).padStart(4, '0')}${rest}`);
}
/** Milliseconds and ISO text cannot carry MySQL's times beyond a day. */
const timeOfDay = (text: string): Moment | null => {
  const time = parseTime(text);
  return time === null || time.seconds < 0 || time.seconds > SECONDS_PER_DAY ? null : time;
};

export function temporalType(column: Column, mode: TimeMode, interval: 'numeric' | 'string', connector: Connector): DebeziumType {
  const fraction = column.precision ?? connector.defaultFraction;
  switch (column.type) {
    case 'date':
      return dateType(mode, connector.readsDatesByJdbc === true);
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

function dateType(mode: TimeMode, byJdbc: boolean): DebeziumType {
  const isIso = mode === 'isostring';
  const format = isIso ? (d: number) => `"${dateOfDays(d)}Z"` : wrappedDays;
  const schema = isIso ? debezium('string', 'IsoDate') : mode === 'connect' ? connect('int32', 'Date') : debezium('int32', 'Date');
  const type = made(schema, writer(days, format), isIso ? '"1970-01-01Z"' : '0');
  return byJdbc ? { ...type, read: writer(readDays, format) } : type;
}

/** As Java's cast to an int. */
const wrappedDays = (day: number): string => `${Math.abs(day) < 0x80000000 ? day : Number(BigInt.asIntN(32, BigInt(day)))}`;

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
  const write = writer(moment, (m) => `"${momentText(m, null)}Z"`);
  if (mode === 'isostring')
    return made(
      debezium('string', 'IsoTimestamp'),
      (value) => (value === LAST_MOMENT ? `"${LAST_MOMENT}Z"` : write(value)),
      '"1970-01-01T00:00:00Z"',
    );
  if (mode === 'connect')
    return made(
      connect('int64', 'Timestamp'),
      writer(moment, (m) => longText(m, 'ms')),
      '0',
    );
  const unit = unitOf(fraction);
  const schema = { ms: debezium('int64', 'Timestamp'), us: debezium('int64', 'MicroTimestamp'), ns: debezium('int64', 'NanoTimestamp') }[
    unit
  ];
  return made(
    schema,
    writer(moment, (m) => longText(m, unit)),
    '0',
  );
}

const LONG_MAX = 0x7fffffffffffffffn;

/**
 * As Java counts in a long: seconds stop at its largest number, and the fraction then carries them over it. There are no milliseconds
 * of such a moment.
 */
function longText(m: Moment, unit: Unit): string {
  const text = countText(m, unit);
  if (text.length < 19 || BigInt.asIntN(64, BigInt(text)) === BigInt(text)) return text;
  if (unit === 'ms') return 'null';
  const perSecond = unit === 'us' ? 1_000_000n : 1_000_000_000n;
  const seconds = BigInt(m.seconds) * perSecond;
  const stopped = seconds > LONG_MAX ? LONG_MAX : seconds < -LONG_MAX - 1n ? -LONG_MAX - 1n : seconds;
  return `${BigInt.asIntN(64, stopped + BigInt(Math.floor(m.nanos / (unit === 'us' ? 1000 : 1))))}`;
}

function unitOf(fraction: number): Unit {
  return fraction <= 3 ? 'ms' : fraction <= 6 ? 'us' : 'ns';
}
