// The transformer itself: rows of outbox tables become messages of the topics they name.
// As https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html, with errors where that warns.

import type { ChangeEvent, Column, Row, TableSchema, Transformer, Value } from 'cdc-run/sdk';
import { plainColumn } from '../../shared/column-type.ts';
import { isTree, openDocument } from '../../shared/json-values.ts';
import { type NestedColumn, NestedValues, nestedColumns } from '../../shared/nested.ts';
import { tableMatcher } from '../../shared/table-pattern.ts';
import { assertDistinct, tableError, undecoded } from '../../shared/table-step.ts';
import type { OutboxConfig } from './config.ts';
import { headerText } from './header-text.ts';

/** Messages of one topic out of one outbox table. */
interface Topic {
  readonly table: TableSchema;
  /** `null`: without declared columns, or not expanded. */
  readonly payload: NestedValues | null;
}

/** Topics are made of data: more than this is a wrong `topic_field`, and would fill the memory. */
const MAX_TOPICS = 10_000;

export class Outbox implements Transformer {
  readonly #config: OutboxConfig;
  readonly #isOutbox: (table: TableSchema) => boolean;
  readonly #declared: readonly NestedColumn[];
  readonly #topics = new WeakMap<TableSchema, Map<string, Topic>>();

  constructor(config: OutboxConfig) {
    this.#config = config;
    this.#isOutbox = tableMatcher(config.tables);
    this.#declared = nestedColumns(config.columns, null, '_');
  }

  transform(events: ChangeEvent[]): ChangeEvent[] {
    const out: ChangeEvent[] = [];
    for (const event of events) {
      if (event.op === 'm' || !this.#isOutbox(event.table)) out.push(event);
      else if (this.#isMessage(event)) out.push(this.#message(event));
    }
    return out;
  }

  /** Deletes, truncates and changes of the schema keep the outbox in order and say nothing to anybody else. */
  #isMessage(event: ChangeEvent): boolean {
    if (event.op === 'u' && this.#config.on_update === 'fail')
      throw tableError(event.table, 'a row of the outbox was updated', 'Only add and delete rows of an outbox, or set `on_update: drop`.');
    return event.op === 'c' || event.op === 'r';
  }

  #message(event: ChangeEvent): ChangeEvent {
    const { after, table } = event;
    if (after === null) throw undecoded(event);
    const { id_field, key_field, topic_field, payload_field, fields } = this.#config;
    const payload = columnOf(table, after, payload_field),
      key: Row = { [key_field]: present(table, after, key_field) },
      topic = this.#topicOf(table, headerText(present(table, after, topic_field))),
      headers = { ...event.headers, id: headerText(present(table, after, id_field)) };
    const added: Row = {};
    for (const { column, to, name = column } of fields) {
      const value = columnOf(table, after, column);
      if (to === 'value') added[name] = value;
      else if (value !== null) (headers as Record<string, string>)[name] = headerText(value);
    }
    const changes = { table: topic.table, headers, key, before: null, raw: null };
    if (payload === null) return this.#empty(event, changes);
    return event.copy({ ...changes, after: this.#row(topic, payload, key, added) });
  }

  #empty(event: ChangeEvent, changes: object): ChangeEvent {
    if (this.#config.empty_payload === 'tombstone') return event.copy({ ...changes, op: 'd', after: null });
    throw tableError(
      event.table,
      `the column "${this.#config.payload_field}" is null`,
      'Write a payload, or set `empty_payload: tombstone`.',
    );
  }

  #row({ table, payload: nested }: Topic, payload: Exclude<Value, null>, key: Row, added: Row): Row {
    if (nested !== null) return { ...key, ...nested.open(payload), ...added };
    const tree = this.#config.expand_payload ? openDocument(payload) : payload;
    const row = this.#config.expand_payload && isTree(tree) ? tree : { [this.#config.payload_field]: payload };
    assertDistinct(table, [...Object.keys(row), ...Object.keys(added)], 'Choose another `name` in `fields`.');
    // A table with columns has its key among them.
    return { ...(table.columns.length > 0 ? key : {}), ...row, ...added };
  }

  #topicOf(outbox: TableSchema, value: string): Topic {
    let topics = this.#topics.get(outbox);
    if (topics === undefined) {
      topics = new Map();
      this.#topics.set(outbox, topics);
    }
    let topic = topics.get(value);
    if (topic === undefined) {
      if (topics.size >= MAX_TOPICS)
        throw tableError(
          outbox,
          `more than ${MAX_TOPICS} topics are named`,
          'Correct `topic_field`: it names a kind of thing, not one thing.',
        );
      topic = this.#makeTopic(outbox, value);
      topics.set(value, topic);
    }
    return topic;
  }

  #makeTopic(outbox: TableSchema, value: string): Topic {
    const { key_field, payload_field, fields, others, expand_payload: expands } = this.#config;
    const bare: TableSchema = {
      id: { database: outbox.id.database, schema: null, table: this.#config.topic.replaceAll('{value}', () => value) },
      columns: [],
      key: [key_field],
      version: outbox.version,
    };
    if (outbox.columns.length === 0 || (expands && this.#declared.length === 0)) return { table: bare, payload: null };
    const nested = expands ? new NestedValues(bare, payload_field, this.#declared, others) : null;
    const columns = [
      as(outbox, key_field, key_field, false),
      ...(nested?.columns ?? [as(outbox, payload_field, payload_field, true)]),
      ...fields.filter((f) => f.to === 'value').map(({ column, name = column }) => as(outbox, column, name, true)),
    ];
    assertDistinct(
      bare,
      columns.map((c) => c.name),
      'Choose another `name` in `fields`, or leave the path out of `columns`.',
    );
    return { table: { ...bare, columns }, payload: nested };
  }
}

/** A column of the outbox as one of the message. Its default is the outbox's business. */
function as(outbox: TableSchema, from: string, name: string, nullable: boolean): Column {
  const column = outbox.columns.find((c) => c.name === from);
  if (column === undefined) return plainColumn(name, 'string', nullable);
  const { default: _default, defaultSql: _defaultSql, ...rest } = column;
  return { ...rest, name, nullable };
}

function columnOf(table: TableSchema, row: Row, name: string): Value {
  if (Object.hasOwn(row, name)) return row[name] as Value;
  throw tableError(table, `a row has no column "${name}"`, 'Correct the names of the columns.');
}

function present(table: TableSchema, row: Row, name: string): Exclude<Value, null> {
  const value = columnOf(table, row, name);
  if (value === null || value === '')
    throw tableError(table, `the column "${name}" is empty`, 'Give every row of the outbox a value there.');
  return value;
}
