// A dead letter as one line of JSON and back. Pure. `id` comes first: the queue finds it without parsing the line.

import type { DeadLetter, Protection, ReplayMark } from '../engine/api.ts';
import { CdcError, type ErrorCode } from '../sdk/index.ts';
import { decodeEvent, encodeEvent } from './event-codec.ts';
import { encodeValue, isObject, type Json } from './value-codec.ts';

/** Without the line end. */
export function formatLetter(letter: DeadLetter): string {
  const { error } = letter;
  return JSON.stringify({
    id: letter.id,
    pipeline: letter.pipeline,
    lane: letter.lane,
    stage: letter.stage,
    component: letter.component,
    code: error.code,
    message: error.message,
    where: error.where,
    fix: error.fix,
    retriable: error.retriable,
    attempts: letter.attempts,
    first_ms: letter.firstMs,
    last_ms: letter.lastMs,
    at: letter.at,
    event: letter.event && encodeEvent(letter.event),
    input: encodeValue(letter.input),
    ...(letter.protection ? { protected: letter.protection } : {}),
    ...(letter.replay ? { replay: { started_ms: letter.replay.startedMs, delivered: letter.replay.delivered } } : {}),
  });
}

/** Throws `SyntaxError` or `TypeError` on a line that is not a dead letter. */
export function parseLetter(line: string): DeadLetter {
  const json = JSON.parse(line) as Json;
  if (!isObject(json) || typeof json.id !== 'string' || json.event === undefined) throw new TypeError('not a dead letter');
  const stored = json as unknown as StoredLetter;
  return {
    id: stored.id,
    pipeline: stored.pipeline,
    lane: stored.lane,
    stage: stored.stage,
    component: stored.component,
    error: parseError(stored),
    attempts: stored.attempts,
    firstMs: stored.first_ms,
    lastMs: stored.last_ms,
    at: stored.at,
    event: json.event === null ? null : decodeEvent(json.event),
    input: parseInput(stored.input),
    ...(stored.protected === undefined ? {} : { protection: stored.protected }),
    ...(stored.replay === undefined ? {} : { replay: { startedMs: stored.replay.started_ms, delivered: stored.replay.delivered } }),
  };
}

export function parseError({ code, message, where, fix, retriable }: StoredError): CdcError {
  return new CdcError(code, message, { ...(where === null ? {} : { where }), ...(fix === null ? {} : { fix }), retriable });
}

/** What a file says of a letter that it has already: tried again, or a replay of it has begun. */
export type Note =
  | { readonly kind: 'again'; readonly letter: Pick<DeadLetter, 'attempts' | 'lastMs' | 'error'> }
  | { readonly kind: 'replay'; readonly mark: ReplayMark };

/** Without the line end. */
export function formatAgain({ id, attempts, lastMs, error }: DeadLetter): string {
  return JSON.stringify({ id, again: { attempts, last_ms: lastMs, ...error.toJSON() } });
}
export function formatMark(id: string, { startedMs, delivered }: ReplayMark): string {
  return JSON.stringify({ id, replaying: { started_ms: startedMs, delivered } });
}

/** `null`: the line is a letter. Throws on a line that is neither. */
export function parseNote(line: string): Note | null {
  if (!/^\{"id":"(?:[^"\\]|\\.)*","(?:again|replaying)":/.test(line)) return null;
  const { again, replaying } = JSON.parse(line) as {
    again?: StoredError & { attempts: number; last_ms: number };
    replaying?: { started_ms: number; delivered: readonly string[] };
  };
  if (again !== undefined) return { kind: 'again', letter: { attempts: again.attempts, lastMs: again.last_ms, error: parseError(again) } };
  if (replaying === undefined) throw new TypeError('not a note');
  return { kind: 'replay', mark: { startedMs: replaying.started_ms, delivered: replaying.delivered } };
}

/** What the queue holds of a letter that was written twice: the event of the first time, the error of the last. */
export function mergeLetters(stored: DeadLetter, again: Pick<DeadLetter, 'attempts' | 'lastMs' | 'error'>): DeadLetter {
  return { ...stored, attempts: stored.attempts + again.attempts, lastMs: Math.max(stored.lastMs, again.lastMs), error: again.error };
}

/** The id of a line, from its beginning; `null` when the line is no dead letter. */
export function idOfLine(head: string): string | null {
  const match = /^\{"id":("(?:[^"\\]|\\.)*")/.exec(head);
  if (match === null) return null;
  try {
    return JSON.parse(match[1] as string) as string;
  } catch {
    return null;
  }
}

function parseInput(input: StoredLetter['input']): string | Uint8Array | null {
  if (input === null || typeof input === 'string') return input;
  return new Uint8Array(Buffer.from(input.$bytes, 'base64'));
}

interface StoredError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly where: string | null;
  readonly fix: string | null;
  readonly retriable: boolean;
}

interface StoredLetter extends StoredError {
  readonly id: string;
  readonly pipeline: string;
  readonly lane: string | null;
  readonly stage: DeadLetter['stage'];
  readonly component: string;
  readonly attempts: number;
  readonly first_ms: number;
  readonly last_ms: number;
  readonly at: string;
  readonly input: string | { readonly $bytes: string } | null;
  readonly protected?: Protection;
  readonly replay?: { readonly started_ms: number; readonly delivered: readonly string[] };
}
