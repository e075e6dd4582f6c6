// Messages that hold a change event in an envelope: the table is the one that the envelope names.

import { PLACEHOLDER } from '../envelope/debezium/placeholder.ts';
import type { DecodedRecord } from '../envelope/envelope.ts';
import type { Column, Row, TableId } from '../sdk/index.ts';
import type { MessageFormatConfig } from './config.ts';
import { MessageTables } from './message-tables.ts';
import type { DecodedMessage } from './messages.ts';

const NO_COLUMNS: readonly Column[] = [];

export class EnvelopeMessages {
  readonly #config: MessageFormatConfig;
  readonly #isDebezium: boolean;
  readonly tables: MessageTables;
  /** By its parts, so that the id of a table is one object. */
  readonly #ids = new Map<string, TableId>();

  constructor(config: MessageFormatConfig, isDebezium: boolean) {
    this.#config = config;
    this.#isDebezium = isDebezium;
    this.tables = new MessageTables(config);
  }

  message(topic: string, record: DecodedRecord, columns: readonly Column[] = NO_COLUMNS): DecodedMessage {
    const names = this.#config.key_fields ?? (record.key === null ? [] : Object.keys(record.key));
    const id = this.#config.table === undefined ? this.#idOf(record) : this.tables.idOf(topic);
    const { after, incomplete } =
      this.#isDebezium && record.op === 'u' ? withoutPlaceholders(record.after) : { after: record.after, incomplete: false };
    return {
      op: record.op,
      table: this.tables.get(id, columns, names),
      ...(this.#config.key_fields === undefined ? { key: record.key } : {}),
      before: record.before,
      after,
      sourceTsMs: record.sourceTsMs,
      id: record.id,
      incomplete: incomplete || record.incomplete === true,
      message: record.message ?? null,
    };
  }

  #idOf({ database, schema, table }: DecodedRecord): TableId {
    const name = `${database ?? ''}\0${schema ?? ''}\0${table}`;
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = { database, schema, table };
      this.#ids.set(name, id);
    }
    return id;
  }
}

/** What Debezium shows for a value that its source did not send is no value: the column is absent, and the row incomplete. */
function withoutPlaceholders(after: Row | null): { readonly after: Row | null; readonly incomplete: boolean } {
  if (after === null) return { after, incomplete: false };
  let kept: Row | null = null;
  for (const name of Object.keys(after)) {
    if (!isPlaceholder(after[name])) continue;
    kept ??= { ...after };
    delete kept[name];
  }
  return kept === null ? { after, incomplete: false } : { after: kept, incomplete: true };
}

function isPlaceholder(value: Row[string] | undefined): boolean {
  if (value === PLACEHOLDER) return true;
  return value instanceof Uint8Array && value.length === PLACEHOLDER.length && Buffer.from(value).toString('latin1') === PLACEHOLDER;
}
