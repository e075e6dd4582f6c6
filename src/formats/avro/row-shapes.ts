// The envelopes `row` and `plain` in Avro, with schemas made of the table (table-schemas.ts).

import type { RecordWriter } from '../../envelope/record-writer.ts';
import { TableCache } from '../../envelope/table-cache.ts';
import { type ChangeEvent, formatTableId, type Row, type Value } from '../../sdk/index.ts';
import { Unfit } from '../unfit.ts';
import { parseAvro } from './schema.ts';
import type { AvroShape, AvroTable, Heads, KeyWriter } from './shape.ts';
import { type AvroJson, keySchema, plainSchema, rowSchema, tableName } from './table-schemas.ts';
import { type Writer, writerOf } from './writer.ts';

export interface RowTable extends AvroTable {
  readonly write: Writer;
  readonly writeKey: Writer | null;
}

const writerFor = (schema: string): Writer => writerOf(parseAvro(schema));

function prepare({ table }: ChangeEvent, value: AvroJson, record: string): RowTable {
  const key = keySchema(table),
    name = tableName(table),
    text = JSON.stringify(value),
    keyText = key === null ? null : JSON.stringify(key);
  return {
    topic: formatTableId(table.id),
    valueSchema: text,
    keySchema: keyText,
    valueName: `${name}.${record}`,
    keyName: `${name}.Key`,
    write: writerFor(text),
    writeKey: keyText === null ? null : writerFor(keyText),
  };
}

abstract class TableShape implements AvroShape<RowTable> {
  readonly #tables: TableCache<RowTable>;
  readonly #otherKeys: KeyWriter | null;

  constructor(otherKeys: KeyWriter | null, make: (event: ChangeEvent) => RowTable) {
    this.#otherKeys = otherKeys;
    this.#tables = new TableCache(make);
  }

  prepare(event: ChangeEvent): RowTable {
    return this.#tables.get(event);
  }

  begin(): void {}

  abstract takes(event: ChangeEvent): boolean;
  abstract encode(event: ChangeEvent, index: number, table: RowTable, heads: Heads, out: RecordWriter): void;

  protected key(out: RecordWriter, event: ChangeEvent, { writeKey }: RowTable, heads: Heads, key: Row | null): boolean {
    if (key === null || writeKey === null) return false;
    out.keys.begin();
    if (this.#otherKeys !== null) return this.#otherKeys(out.keys, event, key);
    if (heads.key !== null) out.keys.raw(heads.key);
    writeKey(out.keys, key);
    return true;
  }

  protected value(out: RecordWriter, { write }: RowTable, heads: Heads, value: Value): void {
    out.values.begin();
    out.values.raw(heads.value);
    write(out.values, value);
  }
}

/** As envelope/row.ts. */
export class RowShape extends TableShape {
  constructor(otherKeys: KeyWriter | null) {
    super(otherKeys, (event) => prepare(event, rowSchema(event.table, false), 'Row'));
  }

  override takes({ op }: ChangeEvent): boolean {
    return op !== 't' && op !== 'm' && op !== 's';
  }

  override encode(event: ChangeEvent, index: number, table: RowTable, heads: Heads, out: RecordWriter): void {
    const { topic } = table,
      { headers, sourceTsMs } = event;
    if (event.op === 'd') {
      if (this.key(out, event, table, heads, event.key)) out.addKey(index, topic, headers, sourceTsMs);
      return;
    }
    const { oldKey } = event;
    if (oldKey !== null && this.key(out, event, table, heads, oldKey)) out.addKey(index, topic, headers, sourceTsMs);
    const hasKey = this.key(out, event, table, heads, event.key),
      row = event.after as Row;
    assertWhole(event, row);
    this.value(out, table, heads, row);
    out.add(index, topic, hasKey, headers, sourceTsMs);
  }
}

/** Invariant 6: a column that the source did not send would be read as NULL. */
function assertWhole({ incomplete, table }: ChangeEvent, row: Row): void {
  if (!incomplete) return;
  const absent = table.columns.find((c) => !Object.hasOwn(row, c.name));
  if (absent !== undefined) throw new Unfit(absent.name, 'the source did not send it, and a row without it would read as NULL');
}

/** As envelope/plain.ts. */
export class PlainShape extends TableShape {
  constructor(otherKeys: KeyWriter | null) {
    super(otherKeys, (event) => prepare(event, plainSchema(event.table), 'Change'));
  }

  override takes(): boolean {
    return true;
  }

  override encode(event: ChangeEvent, index: number, table: RowTable, heads: Heads, out: RecordWriter): void {
    const hasKey = this.key(out, event, table, heads, event.key);
    this.value(out, table, heads, plainValue(event));
    out.add(index, table.topic, hasKey, event.headers, event.sourceTsMs);
  }
}

/** The event as an object with the fields of `plainSchema`. */
export function plainValue(event: ChangeEvent): Row {
  const { table, message, schemaChange, incomplete } = event,
    { after } = event;
  return {
    op: event.op,
    database: table.id.database,
    schema: table.id.schema,
    table: table.id.table,
    key: event.key,
    before: event.before,
    after,
    incomplete,
    absent: incomplete && after !== null ? table.columns.filter((c) => !Object.hasOwn(after, c.name)).map((c) => c.name) : [],
    message: message === null ? null : { prefix: message.prefix, content: message.content },
    schema_change: schemaChange === null ? null : { kind: schemaChange.kind, ddl: schemaChange.ddl },
    ts_ms: Math.floor(event.sourceTsMs),
    id: event.id,
  };
}
