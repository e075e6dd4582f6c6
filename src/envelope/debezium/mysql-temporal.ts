// Dates and times as Debezium's connectors for MySQL and MariaDB show them, zero dates and short years included. Rows that are read
// come by another way (JDBC) than those of the log, and differ in some.
//
// | value | of the log | read |
// |---|---|---|
// | `0000-00-00`, `2024-00-00`; of a TIMESTAMP | NULL; the epoch | NULL |
// | years 1 to 69, 70 to 99 | 2001 to 2069, 1970 to 1999 | the same |
// | `0000-05-05`, as DATETIME | NULL | 2000-05-05, 2001-05-05 |
// | `1582-10-10` as DATETIME | it | 1582-10-20: Java's calendar skips ten days |
// | fraction of a TIMESTAMP(6) | six digits | those that are not zeros at the end |

import type { Column, Value } from '../../sdk/index.ts';
import { jsonValue } from '../json.ts';
import { momentText, parseMoment, parseTime } from '../temporal.ts';
import { type DebeziumType, orNull } from './types.ts';

const SECONDS_PER_DAY = 86_400;
const SHORT_YEARS = 100,
  THIS_CENTURY = 70;
const NO_DAY = /^\d{4}-(?:00|\d\d-00)/;
const GAP = /^1582-10-(0[5-9]|1[0-4])/;
const GAP_DAYS = 10;
const EPOCH = '1970-01-01T00:00:00Z';

const longYear = (year: number): string => `${year + (year < THIS_CENTURY ? 2000 : 1900)}`;

/** `null`: no date. `yearZero`: what the year 0 counts as. */
function day(text: string, yearZero: number | null): string | null {
  if (NO_DAY.test(text)) return null;
  const year = Number(text.slice(0, 4));
  if (!(year < SHORT_YEARS)) return text;
  if (year === 0 && yearZero === null) return null;
  return (year === 0 ? `${yearZero}` : longYear(year)) + text.slice(4);
}

function skipped(text: string): string {
  const [, days] = GAP.exec(text) ?? [];
  return days === undefined ? text : `${text.slice(0, 8)}${Number(days) + GAP_DAYS}${text.slice(10)}`;
}

type Write = DebeziumType['write'];

/** What `write` makes of a text that was changed; none is NULL. */
function changing(write: Write, change: (text: string) => string | null): Write {
  return (value) => {
    if (typeof value !== 'string') return write(value);
    const text = change(value);
    return text === null ? 'null' : write(text);
  };
}

/** DATE and DATETIME. */
export function dateType({ type }: Column, general: DebeziumType): DebeziumType {
  const isDate = type === 'date';
  // Not from the text alone: zero dates would go out as they are.
  const { fromText: _fromText, write, ...rest } = general;
  return orNull({
    ...rest,
    write: changing(write, (text) => day(text, null)),
    read: changing(write, isDate ? (text) => day(text, 2000) : (text) => day(skipped(text), 2001)),
    writeDefault: changing(write, (text) => day(text, null)),
  });
}

/** TIMESTAMP. */
export function momentType(_: Column, general: DebeziumType): DebeziumType {
  const { fromText: _fromText, write, ...rest } = general;
  const trimmed: Write = (value) => {
    const moment = typeof value === 'string' ? parseMoment(value) : null;
    return moment === null ? jsonValue(value) : `"${momentText(moment, null)}Z"`;
  };
  return orNull({
    ...rest,
    write: changing(write, (text) => (NO_DAY.test(text) ? EPOCH : text)),
    read: changing(trimmed, (text) => day(text, null)),
    writeDefault: (value) => (value === EPOCH ? `"${EPOCH}"` : write(value)),
  });
}

/** Times of a day cannot be negative, nor longer than one. */
export function timeWithinDay(general: DebeziumType): DebeziumType {
  const write = (value: Value): string => {
    const time = typeof value === 'string' ? parseTime(value) : null,
      isOutside =
        time !== null && (time.seconds < 0 || time.seconds > SECONDS_PER_DAY || (time.seconds === SECONDS_PER_DAY && time.nanos > 0));
    return isOutside ? 'null' : general.write(value);
  };
  return orNull({ ...general, write });
}
