// Texts and numbers as dates and times, ISO-8601. Pure.

import type { EpochUnit } from './column-type.ts';
import { Unconvertible } from './unconvertible.ts';

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const MOMENT = /^(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/;
const UNITS: { readonly [U in EpochUnit]: bigint } = { s: 1_000_000n, ms: 1000n, us: 1n };
/** The years 0001 to 9999: those that ISO-8601 writes with four digits, and all databases have. */
const FIRST_MS = -62_135_596_800_000,
  END_MS = 253_402_300_800_000;

interface Moment {
  /** `2024-05-01T12:00:00.5` */
  readonly local: string;
  readonly day: string;
  readonly isMidnight: boolean;
  /** `Z` or an offset; `null`: a time without zone. */
  readonly zone: string | null;
  /** As milliseconds of whole seconds, as if it were UTC, and what follows the seconds. */
  readonly seconds: number;
  readonly fraction: string;
}

function dayMs(text: string): number {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined) throw new Unconvertible('it is no date');
  const ms = Date.parse(`${text}T00:00:00Z`);
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== `${year}-${month}-${day}` || year === '0000')
    throw new Unconvertible('there is no such day');
  return ms;
}

function parseMoment(text: string): Moment | null {
  const match = MOMENT.exec(text);
  if (match === null) return null;
  const [, day = '', hour = '', minute = '', second = '00', fraction = '', zone = null] = match;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) throw new Unconvertible('there is no such time of day');
  return {
    day,
    local: `${day}T${hour}:${minute}:${second}${fraction}`,
    isMidnight: `${hour}${minute}${second}` === '000000' && /^(\.0+)?$/.test(fraction),
    zone,
    seconds: dayMs(day) + (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000,
    fraction,
  };
}

export function toDate(text: string, isKey: boolean): string {
  const moment = isKey ? null : parseMoment(text);
  if (moment === null) {
    dayMs(text);
    return text;
  }
  if (moment.zone !== null) throw new Unconvertible('it has a time zone, in which the day may be another');
  if (!moment.isMidnight) throw new Unconvertible('it has a time of day');
  return moment.day;
}

export function toTimestamp(value: string | number | bigint, unit: EpochUnit | null, isKey: boolean): string {
  if (typeof value !== 'string') return ofEpoch(value, unit);
  const moment = parseMoment(value);
  if (moment === null) {
    if (isKey) throw new Unconvertible('it is no time');
    dayMs(value);
    return `${value}T00:00:00`;
  }
  if (moment.zone !== null) throw new Unconvertible('it has a time zone, which would be lost');
  if (isKey && moment.local !== value) throw new Unconvertible('it is written in another way');
  return moment.local;
}

export function toTimestamptz(value: string | number | bigint, unit: EpochUnit | null, isKey: boolean): string {
  if (typeof value !== 'string') return `${ofEpoch(value, unit)}Z`;
  const moment = parseMoment(value);
  if (moment === null) throw new Unconvertible('it is no time');
  if (moment.zone === null) throw new Unconvertible('it has no time zone');
  const utc = `${secondsText(moment.seconds - offsetMs(moment.zone))}${moment.fraction}Z`;
  if (isKey && utc !== value) throw new Unconvertible('it is written in another way');
  return utc;
}

function offsetMs(zone: string): number {
  if (zone === 'Z') return 0;
  const hours = Number(zone.slice(1, 3)),
    minutes = Number(zone.slice(3).replace(':', '') || 0);
  if (hours > 15 || minutes > 59) throw new Unconvertible('there is no such time zone');
  return (hours * 60 + minutes) * 60_000 * (zone.startsWith('-') ? -1 : 1);
}

function secondsText(ms: number): string {
  if (ms < FIRST_MS || ms >= END_MS) throw new Unconvertible('its year has not four digits');
  return new Date(ms).toISOString().slice(0, 19);
}

/** `1700000000500` in ms → `2023-11-14T22:13:20.5`. */
function ofEpoch(value: number | bigint, unit: EpochUnit | null): string {
  if (unit === null) throw new Unconvertible('it is a number, and the type does not say what it counts: write for example timestamptz(ms)');
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Unconvertible('it is no whole number');
  const micros = BigInt(value) * UNITS[unit],
    rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n,
    seconds = (micros - rest) / 1000n;
  const fraction = rest === 0n ? '' : `.${rest.toString().padStart(6, '0').replace(/0+$/, '')}`;
  return secondsText(Number(seconds)) + fraction;
}
