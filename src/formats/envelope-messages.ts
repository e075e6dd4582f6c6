// Messages that hold a change event in an envelope: the table is the one that the envelope names.

import { Placeholders } from '../envelope/debezium/placeholder.ts';
import type { DecodedRecord } from '../envelope/envelope.ts';
import type { Column, TableId } from '../sdk/index.ts';
import type { MessageFormatConfig } from './config.ts';
import { MessageTables } from './message-tables.ts';
import type { DecodedMessage } from './messages.ts';

const NO_COLUMNS: readonly Column[] = [];

export class EnvelopeMessages {
  readonly #config: MessageFormatConfig;
  /** Of Debezium's envelope: the others know no placeholders. */
  readonly #placeholders: Placeholders | null;
  readonly tables: MessageTables;

  constructor(config: MessageFormatConfig, isDebezium: boolean, placeholder?: string) {
    this.#config = config;
    this.#placeholders = isDebezium ? new Placeholders(placeholder) : null;
    this.tables = new MessageTables(config);
  }

  message(topic: string, record: DecodedRecord, columns: readonly Column[] = NO_COLUMNS): DecodedMessage {
    const names = this.#config.key_fields ?? (record.key === null ? [] : Object.keys(record.key));
    const id = this.#config.table === undefined ? idOf(record) : this.tables.idOf(topic);
    // What Debezium shows for a value that its source did not send is no value: the column is absent, and the row incomplete. Also
    // of a row that begins because its key was changed.
    const known = record.after !== null && (record.op === 'u' || record.op === 'c') ? this.#placeholders?.without(record.after) : undefined,
      { transaction } = record;
    return {
      op: record.op,
      table: this.tables.get(id, columns, names),
      ...(this.#config.key_fields === undefined ? { key: record.key } : {}),
      before: record.before,
      after: known?.row ?? record.after,
      sourceTsMs: record.sourceTsMs,
      id: record.id,
      incomplete: known?.isIncomplete === true || record.incomplete === true,
      message: record.message ?? null,
      ...(transaction === undefined ? {} : { transaction }),
    };
  }
}

const idOf = ({ database, schema, table }: DecodedRecord): TableId => ({ database, schema, table });
