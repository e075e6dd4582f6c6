// Everything prepared for one table: names, schemas, column writers, the fixed parts of its source block.

import type { ChangeEvent, Column } from '../../sdk/index.ts';
import { formatTableId } from '../../sdk/index.ts';
import { type ColumnWriter, plainColumn } from '../column-writer.ts';
import type { EnvelopeContext } from '../envelope.ts';
import { type Fixed, fixedOf } from '../fixed.ts';
import { jsonValue } from '../json.ts';
import type { JsonWriter } from '../json-writer.ts';
import { KeyEncoder } from '../key-encoder.ts';
import { RowEncoder } from '../row-encoder.ts';
import { sourceOf } from '../source-of.ts';
import { type ConnectField, type ConnectSchema, field, schemaText, TRANSACTION_BLOCK } from './connect-schema.ts';
import { type Connector, connectorOf } from './connectors.ts';
import type { DebeziumOptions } from './options.ts';
import { SourceBlock } from './source-block.ts';
import { type DebeziumType, debeziumType, fromTextOf, type TypeModes } from './types.ts';

/** Options with what depends on the connector filled in. */
function modesOf(options: DebeziumOptions, connector: Connector): TypeModes {
  const compatible = options.compatible;
  return {
    compatible,
    described: options.schemas,
    binary: options.binary_handling_mode ?? 'bytes',
    interval: options.interval_handling_mode ?? 'numeric',
    hstore: options.hstore_handling_mode ?? 'json',
    decimal: options.decimal_handling_mode ?? (compatible ? 'precise' : 'own'),
    time: options.time_precision_mode ?? (compatible ? connector.timeMode : 'own'),
  };
}

const TOPIC_CHARACTERS = 249;

/** AbstractTopicNamingStrategy: what Kafka does not take in a topic's name becomes `_`. Schema names begin with the same. */
function validTopic(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, TOPIC_CHARACTERS);
}

/** A column that is written, and how it is described. */
export interface TypedColumn {
  readonly column: Column;
  readonly type: DebeziumType;
  readonly defaultText: string | null;
  readonly doc?: string;
}

/** How a column is written. Debezium's converters show a default for NULL, and a zero where NULL cannot be. */
export function writerOf(typed: TypedColumn, compatible: boolean): ColumnWriter {
  const { column, type, defaultText } = typed;
  const write = type.write === jsonValue ? null : type.write,
    fromText = fromTextOf(type);
  const writer = { ...plainColumn(column.name), write, ...(fromText === undefined ? {} : { fromText }) };
  if (!compatible) return writer;
  const nullText = defaultText ?? (column.nullable ? 'null' : type.zero),
    isReplaced = write !== null && type.hasNulls === true && nullText !== 'null';
  return {
    ...writer,
    ...(isReplaced ? { write: replacingNull(write, nullText) } : {}),
    nullText,
    absentText: nullText,
    unavailableText: type.unavailable ?? nullText,
  };
}

/** The column in rows of a snapshot. */
export function readColumn(typed: TypedColumn): TypedColumn {
  const { read, fromText: _, ...type } = typed.type;
  return read === undefined ? typed : { ...typed, type: { ...type, write: read } };
}

const readWriterOf: typeof writerOf = (typed, compatible) => writerOf(readColumn(typed), compatible);

const replacingNull =
  (write: DebeziumType['write'], nullText: string): DebeziumType['write'] =>
  (value) => {
    const text = write(value);
    return text === 'null' ? nullText : text;
  };

export function fieldOf({ column, type, defaultText, doc }: TypedColumn): ConnectField {
  return {
    ...type.schema,
    optional: column.nullable,
    field: column.name,
    ...(doc === undefined ? {} : { doc }),
    ...(defaultText === null ? {} : { default: defaultText }),
  };
}

export class TableEncoder {
  readonly topic: string;
  /** Start of the topics that belong to the source as a whole: `shop.` or nothing. */
  readonly topicStart: string;
  readonly connector: Connector;
  readonly source: SourceBlock;
  /** `public.orders`, as the transaction's END record names it. */
  readonly collection: string;
  readonly #rows: RowEncoder;
  readonly #keys: KeyEncoder;
  /** For rows of a snapshot: most tables have no column that differs there. */
  readonly #readRows: RowEncoder;
  readonly #readKeys: KeyEncoder;
  /** For formats that have schemas of their own, which `schemas` then describes. */
  readonly columns: readonly TypedColumn[];
  readonly dropped: readonly string[];
  readonly keyColumns: readonly TypedColumn[];
  /** `false`: Debezium has no converter for a column of the key, which then lacks it. */
  readonly hasWholeKey: boolean;
  /** `shop.public.orders`: schemas are named after it. */
  readonly fullName: string;
  /** `{"schema":{…},"payload":` and `}`; `null`: without schemas nothing stands there. */
  readonly #around: { readonly start: Fixed; readonly end: Fixed } | null;

  constructor(event: ChangeEvent, options: DebeziumOptions, ctx: EnvelopeContext) {
    const { table } = event,
      description = sourceOf(ctx, event);
    this.connector = connectorOf(description.connector);
    const name = options.topic_prefix ?? event.source,
      prefixed = options.compatible || options.topic_prefix !== undefined;
    const namespace = this.connector.namespace === 'schema' ? table.id.schema : table.id.database;
    this.collection = namespace === null ? table.id.table : `${namespace}.${table.id.table}`;
    this.topicStart = prefixed ? `${name}.` : '';
    const fullName = options.compatible ? validTopic(`${name}.${this.collection}`) : `${name}.${this.collection}`;
    this.topic = prefixed ? fullName : formatTableId(table.id);
    this.source = new SourceBlock({
      connector: this.connector,
      description,
      name,
      version: ctx.version ?? '',
      id: table.id,
      compatible: options.compatible,
    });
    const { typed, dropped } = typedColumns(table.columns, modesOf(options, this.connector), this.connector);
    const keys = table.key.map((key) => typed.find((t) => t.column.name === key)).filter((t) => t !== undefined);
    const { compatible } = options,
      differs = compatible && typed.some((t) => t.type.read !== undefined);
    const rows = (writer: typeof writerOf): RowEncoder =>
      new RowEncoder(
        typed.map((t) => writer(t, compatible)),
        dropped,
      );
    this.#rows = rows(writerOf);
    this.#readRows = differs ? rows(readWriterOf) : this.#rows;
    this.columns = typed;
    this.dropped = dropped;
    this.keyColumns = keys;
    this.fullName = fullName;
    const schemas = options.schemas ? schemasOf(fullName, typed, keys, this.source, options.compatible) : null;
    this.#around = schemas === null ? null : { start: fixedOf(`{"schema":${schemas.value},"payload":`), end: fixedOf('}') };
    const droppedKeys = dropped.filter((name) => table.key.includes(name));
    this.hasWholeKey = droppedKeys.length === 0;
    const keysOf = (writer: typeof writerOf): KeyEncoder =>
      new KeyEncoder(
        keys.map((t) => writer(t, compatible)),
        schemas === null ? '' : `{"schema":${schemas.key},"payload":`,
        schemas === null ? '' : '}',
        droppedKeys,
      );
    this.#keys = keysOf(writerOf);
    this.#readKeys = differs ? keysOf(readWriterOf) : this.#keys;
  }

  rowsOf(event: ChangeEvent): RowEncoder {
    return event.op === 'r' ? this.#readRows : this.#rows;
  }

  keysOf(event: ChangeEvent): KeyEncoder {
    return event.op === 'r' ? this.#readKeys : this.#keys;
  }

  /** A record's value begins; what follows until `endValue` is the payload. */
  beginValue(json: JsonWriter): void {
    json.begin();
    if (this.#around !== null) json.fixed(this.#around.start);
  }

  endValue(json: JsonWriter): void {
    if (this.#around !== null) json.fixed(this.#around.end);
  }
}

function typedColumns(columns: readonly Column[], modes: TypeModes, connector: Connector): { typed: TypedColumn[]; dropped: string[] } {
  const typed: TypedColumn[] = [],
    dropped: string[] = [];
  for (const column of columns) {
    const type = debeziumType(column, modes, connector);
    if (type === null) dropped.push(column.name);
    else
      typed.push({
        column,
        type,
        defaultText: defaultTextOf(column, type, modes, connector),
        ...docOf(column, modes, connector),
      });
  }
  return { typed, dropped };
}

function defaultTextOf(column: Column, type: DebeziumType, modes: TypeModes, connector: Connector): string | null {
  const { defaultSql } = column;
  const value = modes.compatible && defaultSql !== undefined ? connector.defaultOf(column, defaultSql) : column.default;
  if (value === undefined || value === null) return null;
  // Connect has no structs as defaults (KAFKA-12694).
  if (modes.compatible && type.schema.type === 'struct') return null;
  const text = (type.writeDefault ?? type.write)(value);
  return modes.compatible && text === 'null' ? null : text;
}

function docOf(column: Column, modes: TypeModes, connector: Connector): { doc?: string } {
  const doc = modes.compatible ? connector.docOf?.(column) : undefined;
  return doc === undefined ? {} : { doc };
}

/** JSON texts of the schemas; `null` for a table whose source knows no columns. */
function schemasOf(
  name: string,
  columns: readonly TypedColumn[],
  keys: readonly TypedColumn[],
  source: SourceBlock,
  compatible: boolean,
): { key: string; value: string } {
  if (columns.length === 0) return { key: 'null', value: 'null' };
  const schemas = connectSchemasOf(name, columns.map(fieldOf), keys.map(fieldOf), source.schema, compatible);
  return { key: schemaText(schemas.key), value: schemaText(schemas.value) };
}

/** Schemas of a table's records, of the fields of its rows and keys. */
export function connectSchemasOf(
  name: string,
  columns: readonly ConnectField[],
  keys: readonly ConnectField[],
  source: ConnectField,
  compatible: boolean,
): { readonly key: ConnectSchema; readonly value: ConnectSchema } {
  const row: ConnectSchema = { type: 'struct', fields: columns, optional: true, name: `${name}.Value` };
  const rows = [
      { ...row, field: 'before' },
      { ...row, field: 'after' },
    ],
    transaction = { ...TRANSACTION_BLOCK, field: 'transaction' };
  const op = field('op', 'string'),
    tsMs = field('ts_ms', 'int64', true);
  const rest = compatible ? [transaction, op, tsMs, field('ts_us', 'int64', true), field('ts_ns', 'int64', true)] : [op, tsMs, transaction];
  return {
    key: { type: 'struct', fields: keys, name: `${name}.Key` },
    value: { type: 'struct', fields: [...rows, source, ...rest], name: `${name}.Envelope`, version: 2 },
  };
}
