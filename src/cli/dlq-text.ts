// How dead letters are shown to people. Pure.

import { type Cause, shortIdOf } from '../dead-letters/causes.ts';
import type { Outcome } from '../dead-letters/replay-entries.ts';
import { encodeRow } from '../dead-letters/value-codec.ts';
import type { DeadLetter } from '../engine/api.ts';
import { type ChangeEvent, formatTableId, type Op, type Row } from '../sdk/index.ts';
import { formatTime, plural, table, truncate } from './format.ts';
import type { Colors } from './output.ts';

const OPS: Readonly<Record<Op, string>> = {
  c: 'insert into',
  u: 'update of',
  d: 'delete from',
  r: 'snapshot row of',
  t: 'truncate of',
  m: 'message in',
  s: 'schema change of',
};

/** The longest text of a cause or letter in a list; the rest is in `dlq show`. */
const MAX_MESSAGE = 140;

/**
 * ```
 * DESTINATION_EVENT_REJECTED at destination "replica"  1,204 letters
 *   value too long for column "name"
 *   first 2026-01-02 03:04:05 UTC, last 2026-01-02 04:00:00 UTC, e.g. 3f2a91bc: update of public.orders id=42
 *   fix: Widen the column.
 * ```
 */
export function causeLines(cause: Cause, c: Colors): string[] {
  const { sample, count, firstMs, lastMs } = cause;
  const when = firstMs === lastMs ? `at ${formatTime(lastMs)}` : `first ${formatTime(firstMs)}, last ${formatTime(lastMs)}`;
  return [
    `${c.red(cause.code)} ${placeOfLetter(cause)}  ${c.bold(plural(count, 'letter'))}`,
    `  ${truncate(sample.error.message, MAX_MESSAGE)}`,
    `  ${c.dim(`${when}, e.g.`)} ${shortIdOf(sample.id)}${c.dim(`: ${eventText(sample)}`)}`,
    ...(sample.error.fix === null ? [] : [`  ${c.green('fix:')} ${sample.error.fix}`]),
  ];
}

/** One line per letter. */
export function letterRows(letters: readonly DeadLetter[], c: Colors): string[] {
  return table(
    letters.map((l) => [shortIdOf(l.id), formatTime(l.lastMs), c.red(l.error.code), eventText(l), truncate(l.error.message, MAX_MESSAGE)]),
    '',
  );
}

/** Everything about one letter; rows as the queue holds them. */
export function letterLines(l: DeadLetter, c: Colors): string[] {
  const { event } = l;
  const tries = `${plural(l.attempts, 'try').replace('trys', 'tries')}, first ${formatTime(l.firstMs)}, last ${formatTime(l.lastMs)}`;
  const rows: string[][] = [
    ['event', eventText(l)],
    ['at', l.at],
    ['stage', `${l.stage}, ${placeOfLetter(l)}`],
    ['tried', tries],
    ...(l.replay ? [['replay', c.yellow(`began ${formatTime(l.replay.startedMs)} and was interrupted: it may have been delivered`)]] : []),
    ...(l.protection ? [['hidden', protectionText(l)]] : []),
    ...(event === null ? [] : rowsOf(event)),
    ...(l.input === null ? [] : [['input', typeof l.input === 'string' ? l.input : `base64 ${Buffer.from(l.input).toString('base64')}`]]),
    ['id', l.id],
  ];
  return [
    `${c.red('✖')} ${shortIdOf(l.id)}  ${c.bold(c.red(l.error.code))}`,
    `  ${l.error.message}`,
    ...(l.error.fix === null ? [] : [`  ${c.green('fix:')} ${l.error.fix}`]),
    ...table(rows.map(([name = '', ...rest]) => [c.dim(name), ...rest])),
    ...(l.stage === 'decode' ? [] : [`  ${c.dim('then')} cdc-run dlq replay ${l.pipeline} --id ${shortIdOf(l.id)}`]),
  ];
}

function rowsOf(event: ChangeEvent): string[][] {
  const row = (name: string, value: Row | null): string[][] => (value === null ? [] : [[name, JSON.stringify(encodeRow(value))]]);
  return [...row('before', event.before), ...row('after', event.after)];
}

function protectionText({ protection }: DeadLetter): string {
  if (!protection) return '';
  const what = protection.columns === 'all' ? 'the input' : protection.columns.join(', ');
  return protection.kind === 'encrypted'
    ? `${what}: encrypted; --decrypt shows it`
    : `${what}: left out, because the queue had no key; it cannot be replayed`;
}

function placeOfLetter({ stage, lane, component }: Pick<DeadLetter, 'stage' | 'lane' | 'component'>): string {
  if (stage === 'decode') return `at source "${component}"`;
  if (stage === 'transform') return `at transformer "${component}"`;
  return stage === 'write' ? `at destination "${lane ?? component}"` : `at transformer "${component}" of destination "${lane ?? ''}"`;
}

/** `update of public.orders id=42` */
export function eventText({ event, at }: DeadLetter): string {
  if (event === null) return `input at ${at}`;
  const key = Object.entries(encodeRow(event.key) ?? {}).map(([name, value]) => `${name}=${keyText(value)}`);
  return [OPS[event.op], formatTableId(event.table.id), ...key].join(' ');
}

function keyText(value: unknown): string {
  if (typeof value === 'object' && value !== null && '$bigint' in value) return String(value.$bigint);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  sent: 'sent',
  planned: 'would be sent',
  filtered: 'left out by a filter',
  failed: 'refused again',
  held: 'waiting behind an earlier one of their key',
  superseded: 'perhaps superseded, not sent',
  interrupted: 'perhaps sent before, not sent',
  impossible: 'cannot be replayed',
};
const GOOD: ReadonlySet<Outcome> = new Set(['sent', 'planned', 'filtered']);

/** `✔ 12 sent`, `✖ 1 refused again` with an example and what to do. */
export function outcomeLines(
  outcome: Outcome,
  letters: readonly DeadLetter[],
  why: { message: string; fix: string | null } | null,
  c: Colors,
): string[] {
  const mark = GOOD.has(outcome) ? c.green('✔') : c.red('✖'),
    [first] = letters;
  const example = first === undefined || GOOD.has(outcome) ? '' : c.dim(`  e.g. ${shortIdOf(first.id)}: ${eventText(first)}`);
  return [
    `${mark} ${plural(letters.length, 'letter')} ${OUTCOMES[outcome]}${example}`,
    ...(why === null ? [] : [`  ${why.message}`, ...(why.fix === null ? [] : [`  ${c.green('fix:')} ${why.fix}`])]),
  ];
}
