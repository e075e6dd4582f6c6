// A dead letter as one line of JSON and back. Pure. `id` comes first: the queue finds it without parsing the line.

import type { DeadLetter } from '../engine/api.ts';
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
    error: new CdcError(stored.code, stored.message, {
      ...(stored.where === null ? {} : { where: stored.where }),
      ...(stored.fix === null ? {} : { fix: stored.fix }),
      retriable: stored.retriable,
    }),
    attempts: stored.attempts,
    firstMs: stored.first_ms,
    lastMs: stored.last_ms,
    at: stored.at,
    event: json.event === null ? null : decodeEvent(json.event),
    input: parseInput(stored.input),
  };
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

interface StoredLetter {
  readonly id: string;
  readonly pipeline: string;
  readonly lane: string | null;
  readonly stage: DeadLetter['stage'];
  readonly component: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly where: string | null;
  readonly fix: string | null;
  readonly retriable: boolean;
  readonly attempts: number;
  readonly first_ms: number;
  readonly last_ms: number;
  readonly at: string;
  readonly input: string | { readonly $bytes: string } | null;
}
