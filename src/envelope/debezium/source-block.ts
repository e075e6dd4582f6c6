// The `source` block: where an event comes from. Cut into fixed and changing pieces once per table.

import type { ChangeEvent, LazyPosition, TableId } from '../../sdk/index.ts';
import type { EnvelopeContext, SourceFields } from '../envelope.ts';
import { jsonString } from '../json.ts';
import type { JsonWriter } from '../json-writer.ts';
import { type ConnectField, field } from './connect-schema.ts';
import type { Connector, SourceField } from './connectors.ts';

const SNAPSHOT_SCHEMA: ConnectField = {
  type: 'string',
  optional: true,
  name: 'io.debezium.data.Enum',
  version: 1,
  parameters: { allowed: 'true,first,first_in_data_collection,last_in_data_collection,last,false,incremental' },
  default: '"false"',
  field: 'snapshot',
};
const COMMON: readonly SourceField[] = [
  { name: 'version', type: 'string', optional: false },
  { name: 'connector', type: 'string', optional: false },
  { name: 'name', type: 'string', optional: false },
  { name: 'ts_ms', type: 'int64', optional: false },
  { name: 'snapshot', type: 'string', optional: true },
  { name: 'db', type: 'string', optional: false },
  { name: 'sequence', type: 'string', optional: true },
  { name: 'ts_us', type: 'int64', optional: true },
  { name: 'ts_ns', type: 'int64', optional: true },
];
/** Seed fields of our own mode: seconds, the position as text, the server's id. */
const OWN: readonly SourceField[] = [
  { name: 'server_id', type: 'string', optional: true },
  { name: 'ts_sec', type: 'int64', optional: false },
  { name: 'pos', type: 'string', optional: false },
];

export interface SourceBlockInit {
  readonly connector: Connector;
  readonly description: EnvelopeContext['sources'][string];
  readonly name: string;
  readonly version: string;
  readonly id: TableId;
  readonly compatible: boolean;
}

function fieldsOf(connector: Connector, compatible: boolean): readonly SourceField[] {
  if (compatible) return [...COMMON, ...connector.fields];
  // Our `pos` is the whole position as text: Debezium's `pos` of MySQL, a part of it, gives way.
  const own = OWN.filter((f) => f.name === 'pos' || !connector.fields.some((c) => c.name === f.name));
  return [...COMMON, ...connector.fields.filter((f) => f.name !== 'pos'), ...own];
}

/** Differ from event to event. All else stays for a transaction at least, and is prepared once for it. */
export const RESTLESS: ReadonlySet<string> = new Set(['pos', 'lsn', 'sequence', 'row']);

/** A field that differs from event to event, and how it is written. */
interface Restless {
  readonly field: SourceField;
  readonly how: 'position' | 'sequence' | 'text' | 'number';
}

// Debezium's `sequence` begins with the last commit before this one, which a position does not know.
const SEQUENCE_START = Buffer.from('"[null,\\"'),
  SEQUENCE_END = Buffer.from('\\"]"');

function restlessOf(field: SourceField, { hasLsnSequence = false }: Connector): Restless {
  if (field.name === 'pos' && field.type === 'string') return { field, how: 'position' };
  if (field.name === 'sequence' && hasLsnSequence) return { field, how: 'sequence' };
  return { field, how: field.type === 'string' ? 'text' : 'number' };
}

/** Where a restless field stands in a block. */
interface Hole {
  readonly name: string;
  readonly how: Restless['how'];
  readonly at: number;
  readonly end: number;
}

/**
 * A block as it was written: the next one differs by a number (LSN, row) and its position, mostly of the same length, so it is copied whole
 * and those are overwritten. Half the time of writing it piece by piece.
 */
class LastBlock {
  readonly #bytes: Uint8Array;
  /** Of the event that it was written for. */
  readonly #place: LazyPosition;
  readonly #placeLength: number;
  /** Where the digits of the number begin, in `sequence` (-1: they are not there) and by itself. */
  readonly #inSequence: number;
  readonly #numberAt: number;
  readonly #digits: number;
  /** Numbers with as many digits are from `least` to before `most`. */
  readonly #least: number;
  readonly #most: number;
  /** -1: the block has no position. */
  readonly #positionAt: number;

  private constructor(bytes: Uint8Array, place: LazyPosition, sequence: Hole | undefined, number: Hole, position: Hole | undefined) {
    this.#bytes = bytes;
    this.#place = place;
    this.#placeLength = place.length;
    this.#digits = number.end - number.at;
    this.#inSequence = sequence === undefined ? -1 : sequence.end - SEQUENCE_END.length - this.#digits;
    this.#numberAt = number.at;
    this.#most = 10 ** this.#digits;
    this.#least = this.#digits === 1 ? 0 : this.#most / 10;
    this.#positionAt = position === undefined ? -1 : position.at + 1;
  }

  /** `null`: this kind of block has other fields, or its source tells them only one by one. */
  static of(bytes: Uint8Array, holes: readonly Hole[], event: ChangeEvent, fields: SourceFields): LastBlock | null {
    const place = event.lazyPosition(),
      sequence = holes.find((h) => h.how === 'sequence'),
      number = holes.find((h) => h.name === (sequence === undefined ? 'row' : 'lsn'));
    if (place === null || number?.how !== 'number' || fields.sequence !== undefined) return null;
    if (fields[number.name] !== place.numberBeside(place)) return null;
    // All other fields are those of the event before.
    const position = holes.find((h) => h.how === 'position');
    // Not by `from`, which goes through an iterator.
    return new LastBlock(new Uint8Array(bytes), place, sequence, number, position);
  }

  /** `false`, with nothing written: the block has another length, or differs in other fields. */
  write(json: JsonWriter, place: LazyPosition): boolean {
    const number = place.numberBeside(this.#place);
    if (number < this.#least || number >= this.#most || place.length !== this.#placeLength) return false;
    json.raw(this.#bytes);
    const { bytes } = json,
      start = json.at - this.#bytes.length,
      from = start + this.#numberAt,
      to = start + this.#inSequence;
    json.digitsOver(from, number, this.#digits);
    if (this.#inSequence >= 0) for (let i = 0; i < this.#digits; i++) bytes[to + i] = bytes[from + i] as number;
    if (this.#positionAt >= 0) place.putOver(bytes, start + this.#positionAt, this.#place);
    return true;
  }
}

export class SourceBlock {
  readonly schema: ConnectField;
  readonly fields: readonly SourceField[];
  /** Texts of the fields that never change. */
  readonly fixed: ReadonlyMap<string, string>;
  readonly #restless: readonly Restless[];
  /** What stands before each restless field, and at the end, with the steady values of the last event. */
  #pieces: readonly Uint8Array[] = [];
  #tsMs = Number.NaN;
  #place: string | false = false;
  #transaction: string | null = null;
  #fieldsBefore: SourceFields = {};
  readonly #description: SourceBlockInit['description'];
  /** Since the steady values changed. */
  #events = 0;
  /** From the second event on: a transaction of one change would make it in vain. */
  #last: LastBlock | null = null;

  constructor(init: SourceBlockInit) {
    const { connector, description, compatible, id } = init;
    this.#description = description;
    this.fields = fieldsOf(connector, compatible);
    this.fixed = new Map([
      ['version', jsonString(init.version)],
      ['connector', jsonString(description.connector)],
      ['name', jsonString(init.name)],
      ['db', jsonString(description.database ?? id.database ?? '')],
      // Of logical messages, which belong to no table.
      ['schema', id.schema === null ? (compatible && connector.hasLsnSequence === true ? '""' : 'null') : jsonString(id.schema)],
      ['table', jsonString(id.table)],
    ]);
    const changing = this.fields.filter((f) => !this.fixed.has(f.name));
    this.#restless = changing.filter((f) => RESTLESS.has(f.name)).map((f) => restlessOf(f, connector));
    this.schema = {
      type: 'struct',
      fields: this.fields.map((f) => (f.name === 'snapshot' ? SNAPSHOT_SCHEMA : field(f.name, f.type, f.optional))),
      name: `io.debezium.connector.${description.connector}.Source`,
      version: 1,
      field: 'source',
    };
  }

  fieldsOf(event: ChangeEvent): SourceFields {
    return this.#description.fields(event);
  }

  write(json: JsonWriter, event: ChangeEvent): void {
    const last = this.#last,
      place = event.lazyPosition();
    if (last !== null && place !== null && this.#isLike(event) && last.write(json, place)) return;
    const fields = this.fieldsOf(event);
    if (!this.#isLike(event) || !sameSteady(fields, this.#fieldsBefore)) this.#prepare(event, fields);
    const pieces = this.#pieces,
      restless = this.#restless,
      start = json.written;
    const holes: Hole[] = [];
    for (let i = 0; i < restless.length; i++) {
      json.raw(pieces[i] as Uint8Array);
      const at = json.written - start;
      writeRestless(json, restless[i] as Restless, event, fields);
      const { field, how } = restless[i] as Restless;
      holes.push({ name: field.name, how, at, end: json.written - start });
    }
    json.raw(pieces[restless.length] as Uint8Array);
    // Not where it could not be used: those who ask for positions one by one would pay for it.
    if (this.#events++ > 0 && place !== null)
      this.#last = LastBlock.of(json.bytes.subarray(json.at - (json.written - start), json.at), holes, event, fields);
  }

  /** Are the steady values of the event itself those that the pieces were made with? */
  #isLike(event: ChangeEvent): boolean {
    if (event.sourceTsMs !== this.#tsMs || (event.snapshot !== false && event.snapshot.place) !== this.#place) return false;
    return transactionOf(event) === this.#transaction;
  }

  #prepare(event: ChangeEvent, fields: SourceFields): void {
    this.#tsMs = event.sourceTsMs;
    this.#place = event.snapshot !== false && event.snapshot.place;
    this.#transaction = transactionOf(event);
    this.#fieldsBefore = fields;
    this.#events = 0;
    this.#last = null;
    const pieces: Uint8Array[] = [];
    let piece = '';
    for (const f of this.fields) {
      piece += `${piece === '' && pieces.length === 0 ? '{' : ','}"${f.name}":`;
      if (RESTLESS.has(f.name)) {
        pieces.push(Buffer.from(piece));
        piece = '';
      } else piece += this.fixed.get(f.name) ?? changingText(f, event, fields);
    }
    this.#pieces = [...pieces, Buffer.from(`${piece}}`)];
  }
}

/** Of the event, or the newest one that a snapshot row was read behind. */
export function transactionOf({ transaction, snapshot }: ChangeEvent): string | null {
  return transaction?.id ?? (snapshot === false ? null : (snapshot.transaction ?? null));
}

/** All fields that sources have and that are not restless, by name: a loop over names would take ten times as long (0.1 µs). */
export function sameSteady(a: SourceFields, b: SourceFields): boolean {
  return (
    a.txId === b.txId &&
    a.xmin === b.xmin &&
    a.origin === b.origin &&
    a.origin_lsn === b.origin_lsn &&
    a.ts_us === b.ts_us &&
    a.ts_ns === b.ts_ns &&
    a.server_id === b.server_id &&
    a.gtid === b.gtid &&
    a.file === b.file &&
    a.thread === b.thread &&
    a.query === b.query
  );
}

/** What `changingText` gives, without the text where it can be. */
function writeRestless(json: JsonWriter, { field: f, how }: Restless, event: ChangeEvent, fields: SourceFields): void {
  if (how === 'position') {
    json.position(event);
    return;
  }
  if (how === 'sequence') {
    if (fields.sequence === undefined && typeof fields.lsn === 'number') {
      json.raw(SEQUENCE_START);
      json.integer(fields.lsn);
      json.raw(SEQUENCE_END);
      return;
    }
  } else {
    const value = fields[f.name];
    if (how === 'text' && typeof value === 'string') {
      json.string(value);
      return;
    }
    if (how === 'number' && typeof value === 'number') {
      json.integer(value);
      return;
    }
  }
  json.text(changingText(f, event, fields, how === 'sequence'));
}

function sequenceOf({ lsn }: SourceFields): string | null {
  return lsn === undefined || lsn === null ? null : `[null,"${lsn}"]`;
}

export function changingText(f: SourceField, event: ChangeEvent, fields: SourceFields, hasLsnSequence = false): string {
  switch (f.name) {
    case 'ts_ms':
      return timesText(event.sourceTsMs, '');
    case 'ts_us':
      return fieldText(fields.ts_us, f) ?? timesText(event.sourceTsMs, '000');
    case 'ts_ns':
      return fieldText(fields.ts_ns, f) ?? (fields.ts_us === undefined ? timesText(event.sourceTsMs, '000000') : `${fields.ts_us}000`);
    case 'ts_sec':
      return `${Math.floor(event.sourceTsMs / 1000)}`;
    case 'txId':
      return fieldText(fields.txId ?? transactionOf(event), f) ?? 'null';
    case 'snapshot':
      return event.snapshot === false ? '"false"' : `"${event.snapshot.place}"`;
    case 'sequence':
      return fieldText(fields.sequence ?? (hasLsnSequence ? sequenceOf(fields) : null), f) ?? 'null';
    case 'pos':
      return f.type === 'string' ? jsonString(event.position) : (fieldText(fields.pos, f) ?? '0');
    default:
      return fieldText(fields[f.name], f) ?? (f.optional ? 'null' : f.type === 'string' ? '""' : '0');
  }
}

/** Whole milliseconds times a power of ten, as text: nanoseconds do not fit a number. */
export function timesText(ms: number, zeros: string): string {
  const whole = Math.floor(ms);
  if (!Number.isFinite(whole)) return 'null';
  return whole === 0 ? '0' : `${whole}${zeros}`;
}

function fieldText(value: string | number | bigint | null | undefined, f: SourceField): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return `${value}`;
  return f.type !== 'string' && /^-?\d+$/.test(value) ? value : jsonString(value);
}
