// One readable line per event: time, operation, table, key, and what changed. Pure.

import type pc from 'picocolors';
import { type ChangeEvent, formatTableId, type Row, sameValue, type Value } from '../../sdk/index.ts';
import { escapeControls } from '../../util/terminal-text.ts';

type Colors = ReturnType<typeof pc.createColors>;

/** A longer value is cut: a line is for a glance, the whole row is in `format: json`. */
const MAX_VALUE_CHARS = 60;

const WORDS = { c: 'create', u: 'update', d: 'delete', r: 'read', t: 'truncate', m: 'message', s: 'schema' } as const;
const PAINT = { c: 'green', u: 'yellow', d: 'red', r: 'blue', t: 'magenta', m: 'cyan', s: 'magenta' } as const;

/** `09:15:02.114 update shop.orders id=7 status: "new" → "paid"` */
export function formatEvent(event: ChangeEvent, colors: Colors): string {
  const time = colors.dim(new Date(event.sourceTsMs).toISOString().slice(11, 23));
  const op = colors[PAINT[event.op]](WORDS[event.op].padEnd(8));
  const table = colors.bold(escapeControls(formatTableId(event.table.id)));
  const key =
    event.key === null
      ? ''
      : Object.entries(event.key)
          .map(([name, value]) => ` ${colors.cyan(`${escapeControls(name)}=${formatValue(value)}`)}`)
          .join('');
  const detail = describe(event, colors);
  return `${time} ${op} ${table}${key}${detail === '' ? '' : ` ${detail}`}`;
}

function describe(event: ChangeEvent, colors: Colors): string {
  if (event.op === 'm' && event.message !== null)
    return `${escapeControls(event.message.prefix)}: ${formatValue(Buffer.from(event.message.content).toString())}`;
  if (event.op === 's' && event.schemaChange !== null) return escapeControls(cut(event.schemaChange.ddl ?? event.schemaChange.kind));
  const { before, after } = event;
  if (after === null) return before === null ? '' : columns(before, event.table.key, colors);
  if (event.op !== 'u' || before === null) return columns(after, event.table.key, colors);
  const changes: string[] = [];
  for (const [name, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, name)) {
      if (!event.table.key.includes(name)) changes.push(column(name, formatValue(value), colors));
      continue;
    }
    if (!sameValue(before[name], value))
      changes.push(column(name, `${colors.dim(formatValue(before[name] as Value))} → ${formatValue(value)}`, colors));
  }
  return changes.join(' ');
}

function columns(row: Row, key: readonly string[], colors: Colors): string {
  return Object.entries(row)
    .filter(([name]) => !key.includes(name))
    .map(([name, value]) => column(name, formatValue(value), colors))
    .join(' ');
}

function column(name: string, text: string, colors: Colors): string {
  return `${colors.dim(`${escapeControls(name)}:`)} ${text}`;
}

/** A value for a glance: JSON, with bytes as hex, big integers as digits, and nothing a terminal obeys. */
export function formatValue(value: Value): string {
  if (value instanceof Uint8Array) return cut(`0x${Buffer.from(value.subarray(0, MAX_VALUE_CHARS)).toString('hex')}`);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value); // NaN and Infinity too, which JSON has not
  return escapeControls(cut(JSON.stringify(value, jsonValue)));
}

function jsonValue(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  return value;
}

function cut(text: string): string {
  if (text.length <= MAX_VALUE_CHARS) return text;
  const end = text.charCodeAt(MAX_VALUE_CHARS - 2);
  const whole = end >= 0xd800 && end <= 0xdbff ? MAX_VALUE_CHARS - 2 : MAX_VALUE_CHARS - 1; // never half of a surrogate pair
  return `${text.slice(0, whole)}…`;
}
