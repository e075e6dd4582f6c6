// A table in Debezium's envelope, prepared for Avro: schemas as Debezium registers them, and rows written column by column. The
// same values as the envelope's JSON (types.ts); a test compares both. Beside it: our own mode has no missing columns in Avro, so all
// but the key may be null there, and an unchanged value that the source left out is Debezium's placeholder.

import type { ConnectSchema } from '../../envelope/debezium/connect-schema.ts';
import type { DebeziumOptions } from '../../envelope/debezium/options.ts';
import { connectSchemasOf, fieldOf, readColumn, TableEncoder, type TypedColumn, writerOf } from '../../envelope/debezium/table-encoder.ts';
import type { ChangeEvent, RecordContext, Row, Transaction } from '../../sdk/index.ts';
import { parseJson } from '../json-lossless.ts';
import { Unfit } from '../unfit.ts';
import { type Sink, writeLong, writeString } from './binary.ts';
import { bytesOf } from './bytes-of.ts';
import { avroOfConnect } from './connect-schema.ts';
import { type ConnectWriter, columnWriter, valueWriter } from './connect-value.ts';
import { schemaName } from './names.ts';
import { SourceWriter } from './source-writer.ts';

/** One column of a row: what stands before a value, and what stands for none. */
interface Field {
  readonly name: string;
  /** Which branch of its union a value is; -1: the type is no union. */
  readonly branch: number;
  readonly write: ConnectWriter;
  /** `null`: NULL cannot be there. */
  readonly null: Uint8Array | null;
  readonly absent: Uint8Array | null;
  readonly unavailable: Uint8Array | null;
}

/** Times of processing and the like, the same for all records of a batch. */
export interface AvroEnding {
  readonly op: string;
  readonly nowMs: number;
}

const NULL_BRANCH = 0,
  VALUE_BRANCH = 1;
const MICROS = 1000n,
  NANOS = 1_000_000n;

export class DebeziumTable {
  readonly #table: TableEncoder;
  readonly #compatible: boolean;
  readonly #fields: readonly Field[];
  /** For rows of a snapshot. */
  readonly #readFields: readonly Field[];
  readonly #keyFields: readonly Field[];
  readonly #source: SourceWriter;
  readonly #known: ReadonlySet<string>;
  readonly topic: string;
  readonly keySchema: string | null;
  readonly valueSchema: string;
  readonly keyName: string;
  readonly valueName: string;

  /** `options` with `schemas`: values as schemas describe them. */
  constructor(event: ChangeEvent, options: DebeziumOptions, ctx: RecordContext) {
    const table = new TableEncoder(event, options, ctx),
      { compatible } = options,
      key = new Set(event.table.key);
    this.#table = table;
    this.#compatible = compatible;
    this.topic = table.topic;
    const columns = table.columns.map((typed) => ({ typed, schema: schemaOf(typed, compatible, key) }));
    const keys = table.keyColumns.map((typed) => ({
      typed,
      schema: compatible ? fieldOf(typed) : { ...withoutDefault(fieldOf(typed)), optional: false },
    }));
    this.#fields = columns.map(({ typed, schema }) => preparedField(typed, schema, compatible));
    const differs = compatible && table.columns.some((t) => t.type.read !== undefined);
    this.#readFields = differs ? columns.map(({ typed, schema }) => preparedField(readColumn(typed), schema, compatible)) : this.#fields;
    this.#keyFields = keys.map(({ typed, schema }) => preparedField(typed, schema, compatible));
    this.#known = new Set([...table.columns.map((t) => t.column.name), ...table.dropped]);
    this.#source = new SourceWriter(table);
    const schemas = connectSchemasOf(
      table.fullName,
      columns.map((c) => c.schema),
      keys.map((k) => k.schema),
      table.source.schema,
      compatible,
    );
    this.keySchema = keys.length === 0 ? null : JSON.stringify(avroOfConnect(schemas.key));
    this.valueSchema = JSON.stringify(avroOfConnect(schemas.value));
    this.keyName = schemaName(`${table.fullName}.Key`);
    this.valueName = schemaName(`${table.fullName}.Envelope`);
  }

  writeKey(out: Sink, key: Row): void {
    for (const field of this.#keyFields) writeField(out, field, key[field.name], false);
  }

  /** `before`, `after`: which sides to show. `add`: 1 for the second record of one event. */
  writeValue(out: Sink, event: ChangeEvent, { op, nowMs }: AvroEnding, before: boolean, after: boolean, add: number): void {
    const fields = event.op === 'r' ? this.#readFields : this.#fields;
    this.#side(out, fields, before ? (event.before as Row) : null, false);
    this.#side(out, fields, after ? (event.after as Row) : null, event.incomplete);
    this.#source.write(out, event);
    if (this.#compatible) {
      // BEGIN, END and this block come with provide_transaction_metadata only, which takes the general way.
      writeLong(out, NULL_BRANCH);
      writeString(out, op);
      const ms = BigInt(Math.floor(nowMs));
      for (const time of [ms, ms * MICROS, ms * NANOS]) writeOptionalLong(out, time);
      return;
    }
    writeString(out, op);
    writeOptionalLong(out, Math.floor(nowMs));
    writeTransaction(out, event.transaction, add);
  }

  #side(out: Sink, fields: readonly Field[], row: Row | null, incomplete: boolean): void {
    if (row === null) {
      writeLong(out, NULL_BRANCH);
      return;
    }
    writeLong(out, VALUE_BRANCH);
    let found = 0;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i] as Field,
        value = row[field.name];
      if (value !== undefined) found++;
      writeField(out, field, value, incomplete);
    }
    if (found < Object.keys(row).length) this.#assertKnown(row);
  }

  /** Invariant 3: a column that a transformer added has no place in the table's schema, and would vanish. */
  #assertKnown(row: Row): void {
    const extra = Object.keys(row).find((name) => row[name] !== undefined && !this.#known.has(name));
    if (extra !== undefined) throw new Unfit(extra, `the table "${this.#table.collection}" has no such column`);
  }
}

function writeField(out: Sink, field: Field, value: Row[string] | undefined, incomplete: boolean): void {
  if (value !== undefined && value !== null) {
    const written = out.at - out.start;
    if (field.branch >= 0) writeLong(out, field.branch);
    try {
      if (field.write(out, value)) return;
    } catch (error) {
      throw error instanceof Unfit ? error.within(field.name) : error;
    }
    // Shown as NULL.
    out.at = out.start + written;
  }
  const instead = value === undefined ? (incomplete ? field.unavailable : field.absent) : field.null;
  if (instead === null)
    throw new Unfit(
      field.name,
      value === undefined ? 'the row comes without it' : 'the value has no form here, and the column cannot be NULL',
    );
  out.raw(instead);
}

function writeOptionalLong(out: Sink, n: number | bigint): void {
  writeLong(out, VALUE_BRANCH);
  writeLong(out, n);
}

function writeTransaction(out: Sink, transaction: Transaction | null, add: number): void {
  if (transaction === null) {
    writeLong(out, NULL_BRANCH);
    return;
  }
  writeLong(out, VALUE_BRANCH);
  writeString(out, transaction.id);
  writeLong(out, transaction.order + add);
  writeLong(out, transaction.collectionOrder + add);
}

type FieldSchema = ReturnType<typeof fieldOf>;

function withoutDefault({ default: _default, ...schema }: FieldSchema): FieldSchema {
  return schema;
}

function schemaOf(typed: TypedColumn, compatible: boolean, key: ReadonlySet<string>): FieldSchema {
  if (compatible) return fieldOf(typed);
  return { ...withoutDefault(fieldOf(typed)), optional: typed.column.nullable || !key.has(typed.column.name) };
}

function preparedField(typed: TypedColumn, schema: FieldSchema, compatible: boolean): Field {
  const { name, nullText, absentText, unavailableText } = writerOf(typed, compatible);
  const whole = valueWriter(schema);
  const prepared = (json: string | null): Uint8Array | null => {
    if (json === null) return null;
    try {
      return bytesOf((out) => whole(out, parseJson(json)));
    } catch (error) {
      // A zero that the type itself does not take stands for nothing.
      if (error instanceof Unfit) return null;
      throw error;
    }
  };
  const none = prepared(nullText);
  return {
    name,
    branch: branchOf(schema),
    write: columnWriter({ ...typed.type, schema: { ...typed.type.schema } }),
    null: none,
    absent: compatible ? prepared(absentText) : none,
    unavailable: compatible ? prepared(unavailableText) : (prepared(typed.type.unavailable) ?? none),
  };
}

/** AvroData puts the branch of the default first. */
function branchOf({ optional, default: fallback }: ConnectSchema): number {
  if (optional !== true) return -1;
  return fallback === undefined ? VALUE_BRANCH : NULL_BRANCH;
}
