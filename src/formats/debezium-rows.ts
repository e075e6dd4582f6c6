// Debezium's records that ExtractNewRecordState has taken out of their envelope: rows, with what the transformation was told to add
// (`add.fields`, `delete.tombstone.handling.mode: rewrite`) in fields that begin with two underscores.
//
// | record | event |
// |---|---|
// | a row | `__op`, else `c`: which one it was is not known |
// | a row with `__deleted: "true"` | `d`, the row is `before` |
// | no value | `d` of its key |

import type { Column, Op, Row, TableId, TableSchema, Value } from '../sdk/index.ts';
import { CdcError } from '../sdk/index.ts';
import { Lru } from '../util/lru.ts';
import { MOST_TABLES } from './message-tables.ts';
import type { Decoded, DecodedMessage, Message, MessageDecoder } from './messages.ts';

export interface UnwrapOptions {
  /** What topics begin with, which is no part of a table's name. `null`: the part before the first dot. */
  readonly topicPrefix: string | null;
  /** What the fields that were added begin with: `add.fields.prefix`. */
  readonly fieldPrefix: string;
}

const OPS: ReadonlySet<string> = new Set(['c', 'u', 'd', 'r', 't']);

/** `inner` reads rows. */
export function unwrappedMessages(inner: MessageDecoder, { topicPrefix, fieldPrefix }: UnwrapOptions): MessageDecoder {
  const tables = new Tables(topicPrefix, fieldPrefix);
  const one = (message: Message, decoded: Decoded): Decoded => {
    if (decoded === null || decoded instanceof CdcError) return decoded;
    return eventOf(decoded, message.topic, tables, fieldPrefix);
  };
  return {
    decode: async (messages, signal) => {
      const decoded = await inner.decode(messages, signal);
      return messages.map((message, i) => one(message, decoded[i] ?? null));
    },
    table: (topic) => tables.of(topic, inner.table(topic), {}),
    close: () => inner.close(),
  };
}

function eventOf(decoded: DecodedMessage, topic: string, tables: Tables, prefix: string): DecodedMessage {
  const { after } = decoded;
  if (after === null) return { ...decoded, table: tables.of(topic, decoded.table, {}) };
  const added: Row = {},
    row: Row = {};
  for (const [name, value] of Object.entries(after)) {
    const isAdded = name.startsWith(prefix) && name.length > prefix.length;
    Object.defineProperty(isAdded ? added : row, isAdded ? name.slice(prefix.length) : name, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  const isDeleted = added['deleted'] === 'true' || added['deleted'] === true,
    told = added['op'];
  const op: Op = isDeleted ? 'd' : typeof told === 'string' && OPS.has(told) ? (told as Op) : decoded.op;
  const base = { ...decoded, op, table: tables.of(topic, decoded.table, added), sourceTsMs: timeOf(added) ?? decoded.sourceTsMs };
  if (op === 'd') return { ...base, key: decoded.key ?? null, before: row, after: null };
  return { ...base, after: op === 't' ? null : row };
}

const timeOf = (added: Row): number | null => {
  const ms = added['source_ts_ms'] ?? added['ts_ms'];
  return typeof ms === 'number' || typeof ms === 'bigint' ? Number(ms) : null;
};

/** The tables of topics, without the fields that were added. */
class Tables {
  readonly #topicPrefix: string | null;
  readonly #fieldPrefix: string;
  /** By the inner table, which is the same object while nothing changes. */
  readonly #known = new Lru<{ readonly of: TableSchema; readonly made: TableSchema }>(MOST_TABLES);

  constructor(topicPrefix: string | null, fieldPrefix: string) {
    this.#topicPrefix = topicPrefix;
    this.#fieldPrefix = fieldPrefix;
  }

  of(topic: string, of: TableSchema, added: Row): TableSchema {
    const known = this.#known.get(topic);
    if (known !== undefined && known.of === of) return known.made;
    const made = { ...of, id: this.#idOf(topic, added), columns: of.columns.filter((c) => this.#isOwn(c)), key: of.key };
    if (Object.keys(added).length > 0 || of.columns.length > 0) this.#known.set(topic, { of, made });
    return made;
  }

  #isOwn({ name }: Column): boolean {
    return !name.startsWith(this.#fieldPrefix);
  }

  /** What the record says of itself, else its topic: `prefix.schema.table`. */
  #idOf(topic: string, added: Row): TableId {
    const prefix = this.#topicPrefix ?? topic.split('.', 1)[0] ?? '';
    const parts = (topic.startsWith(`${prefix}.`) ? topic.slice(prefix.length + 1) : topic).split('.');
    const text = (value: Value | undefined): string | null => (typeof value === 'string' && value !== '' ? value : null);
    const space = parts.slice(0, -1).join('.');
    return {
      database: text(added['db'] ?? added['source_db']),
      schema: text(added['schema'] ?? added['source_schema']) ?? (space === '' ? null : space),
      table: text(added['table'] ?? added['source_table']) ?? (parts.at(-1) as string),
    };
  }
}
