// A batch as what is to be done to keys, at most one thing to each. Pure.
//
// | event | json, set | hash | delete |
// |---|---|---|---|
// | whole row | put | put | remove |
// | some columns of a row | refused: the others would be lost | patch | remove |
// | the same, and its key changes | refused | with a point: move, patch | remove both |
// | the row's key changes | remove the old key, put | remove the old key, put | remove both |
// | delete | remove | remove | remove |
// | truncate | refused | refused | refused |
//
// A row that has a null where the pattern needs a value has no key: it is not cached, and what it was before is removed.

import { stringifyJson } from '../../formats/json-lossless.ts';
import {
  CdcError,
  type ChangeEvent,
  formatTableId,
  isBeingRead,
  type LaneBatch,
  type Row,
  type TableSchema,
  type Value,
  type WriteFailure,
} from '../../sdk/index.ts';
import type { Mode } from './config.ts';
import type { KeyPattern } from './key-pattern.ts';

export type Field = readonly [name: string, value: string | Buffer | null];

/** What happens to a key in the end, and the events that it comes from. */
export interface KeyWrite {
  readonly key: string;
  /** `put`: all there is. `patch`: fields of a hash that is there; null removes one. `move`: to the key of the next write, a patch. */
  readonly kind: 'put' | 'patch' | 'remove' | 'move';
  /** `put` of a text. */
  readonly text: string | Buffer | null;
  /** Fields of a hash. */
  readonly fields: readonly Field[];
  /** `patch`: a running snapshot will bring the row. */
  readonly mayBeMissing: boolean;
  readonly events: readonly number[];
}

export interface Encoded {
  /** In order. A key has several only around a move. */
  readonly writes: readonly KeyWrite[];
  readonly failed: readonly WriteFailure[];
  /** Updates whose old key could not be told. */
  readonly blind: number;
}

export interface EncodeOptions {
  readonly mode: Exclude<Mode, 'publish'>;
  readonly pattern: KeyPattern;
  /** A batch is stored once: what must not be repeated may be done. */
  readonly isOnce: boolean;
}

export function encodeWrites(batch: LaneBatch, options: EncodeOptions): Encoded {
  const done: KeyWrite[] = [],
    open = new Map<string, KeyWrite>(),
    failed: WriteFailure[] = [],
    records = options.mode === 'set' ? recordsOf(batch) : null;
  let blind = 0;
  for (const [index, event] of batch.events.entries()) {
    if (batch.skip.has(index) || event.op === 's' || event.op === 'm') continue;
    const changes = changesOf(event, index, batch, options, records?.[index] ?? null);
    if (changes instanceof CdcError) {
      failed.push({ index, error: changes });
      continue;
    }
    if (event.op === 'u' && !options.pattern.knowsBefore(event)) blind++;
    if (changes[0]?.kind === 'move') {
      done.push(...open.values(), ...changes);
      open.clear();
      continue;
    }
    for (const change of changes) {
      const next = merged(open.get(change.key), change, index);
      if (next === null) failed.push({ index, error: rowMissing(event) });
      else open.set(change.key, next);
    }
  }
  return { writes: [...done, ...open.values()], failed, blind };
}

/** The last value of each event, by its index: a tombstone says nothing to a cache. */
export function recordsOf(batch: LaneBatch): readonly (Buffer | undefined)[] {
  const { event, value } = batch.encoded(),
    records = new Array<Buffer | undefined>(batch.events.length);
  for (let i = 0; i < event.length; i++) {
    const bytes = value[i];
    if (!bytes) continue;
    records[event[i] as number] = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return records;
}

function changesOf(
  event: ChangeEvent,
  index: number,
  batch: LaneBatch,
  options: EncodeOptions,
  record: Buffer | null,
): readonly KeyWrite[] | CdcError {
  const { mode, pattern } = options;
  if (event.op === 't') return refused(event, 'a truncate names no rows', 'Remove the keys by hand, as by redis-cli --scan --pattern.');
  const before = beforeOf(event, pattern),
    after = event.op === 'd' ? null : pattern.keyOf(event, (name) => event.get('after', name), event.key);
  for (const key of [before, after]) if (typeof key === 'object' && key !== null) return keyMissing(event, key.missing);
  const removals = typeof before === 'string' && before !== after ? [removal(before, index)] : [];
  // A row whose pattern has a null is not cached, and neither is what it was before.
  if (typeof after !== 'string') return removals;
  if (mode === 'delete') return [...removals, removal(after, index)];
  if (event.incomplete && mode !== 'hash')
    return refused(
      event,
      `it has some columns of its row only, and mode ${mode} writes whole rows`,
      'Use mode hash, or have the source send whole rows.',
    );
  if (event.incomplete && typeof before === 'string' && before !== after) {
    // A repeat could move the wrong row.
    if (!options.isOnce)
      return refused(
        event,
        'it moves a row to another key and has some of its columns only',
        'Set `keep_point`, or have the source send whole rows.',
      );
    const patch = written(event, index, after, mode, batch, record);
    return [{ ...patch, key: before, kind: 'move', fields: [] }, patch];
  }
  const put = written(event, index, after, mode, batch, record);
  return removals.length === 0 ? [put] : [...removals, put];
}

/** The key that the row had; `null`: none. What is not told of it is taken to be as it is now. */
function beforeOf(event: ChangeEvent, pattern: KeyPattern): ReturnType<KeyPattern['keyOf']> | null {
  if (event.op !== 'u' && event.op !== 'd') return null;
  const key = event.op === 'd' ? event.key : (event.oldKey ?? event.key);
  return pattern.keyOf(
    event,
    (name) => event.get('before', name) ?? key?.[name] ?? (event.op === 'u' ? event.get('after', name) : undefined),
    key,
  );
}

const NO_FIELDS: readonly Field[] = [];

const removal = (key: string, index: number): KeyWrite => ({
  key,
  kind: 'remove',
  text: null,
  fields: NO_FIELDS,
  mayBeMissing: false,
  events: [index],
});

function written(
  event: ChangeEvent,
  index: number,
  key: string,
  mode: EncodeOptions['mode'],
  batch: LaneBatch,
  record: Buffer | null,
): KeyWrite {
  const mayBeMissing = event.incomplete && isBeingRead(event, batch),
    events = [index];
  // An envelope that leaves the event out has nothing for the cache either.
  if (mode === 'set')
    return record === null ? removal(key, index) : { key, kind: 'put', text: record, fields: NO_FIELDS, mayBeMissing, events };
  const row = event.after as Row;
  if (mode === 'json') return { key, kind: 'put', text: stringifyJson(row), fields: NO_FIELDS, mayBeMissing, events };
  const json = jsonColumnsOf(event.table);
  return {
    key,
    kind: event.incomplete ? 'patch' : 'put',
    text: null,
    fields: Object.entries(row).map(([name, value]) => [name, fieldOf(value, json.has(name))]),
    mayBeMissing,
    events,
  };
}

const JSON_COLUMNS = new WeakMap<TableSchema, ReadonlySet<string>>();

function jsonColumnsOf(table: TableSchema): ReadonlySet<string> {
  let names = JSON_COLUMNS.get(table);
  if (names === undefined) {
    names = new Set(table.columns.filter((c) => c.type === 'json').map((c) => c.name));
    JSON_COLUMNS.set(table, names);
  }
  return names;
}

function fieldOf(value: Value, isJson: boolean): Field[1] {
  if (value === null) return null;
  if (isJson) return stringifyJson(value);
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (typeof value === 'object') return stringifyJson(value);
  return Object.is(value, -0) ? '-0' : String(value);
}

/** What is left of two things done to a key one after the other; `null`: the row that the second one is about is not there. */
function merged(first: KeyWrite | undefined, then: KeyWrite, index: number): KeyWrite | null {
  if (first === undefined) return then;
  const events = [...first.events, index];
  if (then.kind !== 'patch') return { ...then, events };
  if (first.kind === 'remove') return then.mayBeMissing ? { ...first, events } : null;
  return { ...first, fields: [...new Map([...first.fields, ...then.fields])], events };
}

function refused(event: ChangeEvent, why: string, fix: string): CdcError {
  return new CdcError('DESTINATION_EVENT_REJECTED', `An event of ${formatTableId(event.table.id)} cannot be cached: ${why}.`, { fix });
}

function keyMissing(event: ChangeEvent, column: string): CdcError {
  const table = formatTableId(event.table.id);
  const why = column === 'key' ? 'the table has no key' : `the event has no value for "${column}"`;
  return new CdcError('DESTINATION_EVENT_REJECTED', `An event of ${table} (op ${event.op}) has no cache key: ${why}.`, {
    fix: 'Use columns in `key_pattern` that every row has; for deletes the source must send whole rows (PostgreSQL: REPLICA IDENTITY FULL).',
  });
}

function rowMissing(event: ChangeEvent): CdcError {
  return new CdcError(
    'DESTINATION_ROW_MISSING',
    `An event of ${formatTableId(event.table.id)} has some columns of a row only, and its key holds no hash.`,
    { fix: 'Read the table again by `cdc-run snapshot`, or have the source send whole rows.' },
  );
}

/** For events whose rows the server does not have. */
export function failuresOf(batch: LaneBatch, events: readonly number[]): WriteFailure[] {
  return events.flatMap((index) => {
    const event = batch.events[index];
    return event === undefined ? [] : [{ index, error: rowMissing(event) }];
  });
}
