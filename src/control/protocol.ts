// What travels over a control socket: one JSON document per line, at most 64 KiB in a request. Answers carry the id of their
// request. Pure: bytes in, requests out.
//
//   → {"id":1,"cmd":"status"}
//   ← {"id":1,"ok":true,"result":{"pid":4711,"pipelines":[…]}}
//   ← {"id":1,"ok":false,"error":{"code":"CONTROL_BAD_REQUEST","message":"unknown command \"stat\"", …}}

import type { LetterSelection } from '../dead-letters/selection.ts';
import type { ReplayAsk } from '../engine/replay-plan.ts';
import type { SnapshotAsk } from '../engine/snapshot-ask.ts';
import { CdcError } from '../sdk/errors.ts';

export interface ControlRequest {
  readonly id: string | number | null;
  readonly cmd: string;
  /** Names of pipelines; absent = all. */
  readonly pipelines?: readonly string[];
  /** With `replay`: what is to be sent again. */
  readonly replay?: ReplayAsk;
  /** With `snapshot`: which tables of which source. */
  readonly snapshot?: SnapshotAsk;
  /** With `dlq`: what is to be done with which letters. */
  readonly letters?: LettersAsk;
}

/** The same `token` again asks how far it is: sending letters may take longer than a connection lives. */
export interface LettersAsk extends LetterSelection {
  readonly action: 'replay' | 'purge';
  readonly token: string;
  readonly force: boolean;
  /** End it after what is under way. */
  readonly cancel: boolean;
}

export type ControlAnswer =
  | { readonly id: ControlRequest['id']; readonly ok: true; readonly result: unknown }
  | { readonly id: ControlRequest['id']; readonly ok: false; readonly error: ReturnType<CdcError['toJSON']> };

/** A request names a command and a few pipelines: more is a mistake or an attack. */
export const MAX_REQUEST_BYTES = 64 * 1024;

/** Splits a byte stream into lines without ever holding more than `maxBytes` of one. */
export class LineSplitter {
  readonly #maxBytes: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that this chunk completes. Throws `CONTROL_BAD_REQUEST` when one is too long: the connection is of no use then. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10, start); end !== -1; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(Buffer.concat(this.#pending).toString('utf8'));
      this.#pending = [];
      this.#pendingBytes = 0;
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines.filter((line) => line.trim() !== '');
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#pendingBytes += part.length;
    if (this.#pendingBytes > this.#maxBytes) throw badRequest(`a line is longer than ${this.#maxBytes} bytes`);
    this.#pending.push(part);
  }
}

/** Throws `CONTROL_BAD_REQUEST`. */
export function parseRequest(line: string): ControlRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw badRequest('the line is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest('the line is not a JSON object');
  const { id = null, cmd, pipelines, replay, snapshot, letters } = value as Record<string, unknown>;
  if (id !== null && typeof id !== 'string' && typeof id !== 'number') throw badRequest('`id` is neither text nor number');
  if (typeof cmd !== 'string') throw badRequest('`cmd` is missing');
  const rest = {
    ...(replay === undefined ? {} : { replay: parseReplay(replay) }),
    ...(snapshot === undefined ? {} : { snapshot: parseSnapshot(snapshot) }),
    ...(letters === undefined ? {} : { letters: parseLetters(letters) }),
  };
  if (pipelines === undefined) return { id, cmd, ...rest };
  if (!isNames(pipelines)) throw badRequest('`pipelines` is not a list of names');
  return { id, cmd, pipelines, ...rest };
}

function parseReplay(value: unknown): ReplayAsk {
  const { destination, from, to = null, tables = [], force = false } = (value ?? {}) as Record<string, unknown>;
  if (
    typeof destination !== 'string' ||
    !isRecord(from) ||
    !(to === null || isRecord(to)) ||
    !isNames(tables) ||
    typeof force !== 'boolean'
  )
    throw badRequest('`replay` is not {destination, from, to, tables, force}');
  return { destination, from, to, tables, force };
}

const SNAPSHOT_ACTIONS = ['begin', 'pause', 'resume', 'skip'] as const;

function parseSnapshot(value: unknown): SnapshotAsk {
  const { id, source = null, action, tables, where = null } = (value ?? {}) as Record<string, unknown>,
    known = SNAPSHOT_ACTIONS.find((a) => a === action);
  const isText = (text: unknown): text is string | null => text === null || typeof text === 'string';
  if (typeof id !== 'string' || !isText(source) || known === undefined || !isNames(tables) || tables.length === 0 || !isText(where))
    throw badRequest('`snapshot` is not {id, source, action, tables, where}');
  return { id, source, action: known, tables, where };
}

function parseLetters(value: unknown): LettersAsk {
  const { action, token, ids, codes, before, force, cancel } = (value ?? {}) as Record<string, unknown>;
  if (
    (action !== 'replay' && action !== 'purge') ||
    typeof token !== 'string' ||
    !isNames(ids) ||
    !isNames(codes) ||
    !(before === null || typeof before === 'number') ||
    typeof force !== 'boolean' ||
    typeof cancel !== 'boolean'
  )
    throw badRequest('`letters` is not {action, token, ids, codes, before, force, cancel}');
  return { action, token, ids, codes, before, force, cancel };
}

const isRecord = (value: unknown): value is number => Number.isSafeInteger(value);
const isNames = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((name) => typeof name === 'string');

export function formatLine(message: ControlRequest | ControlAnswer): string {
  return `${JSON.stringify(message)}\n`;
}

export function badRequest(message: string): CdcError {
  return new CdcError('CONTROL_BAD_REQUEST', message, {
    where: 'control socket',
    fix: 'Send one JSON object per line: {"id":1,"cmd":"status"}.',
  });
}
