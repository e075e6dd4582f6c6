// The transformer: masks before, after and key of an event in the same way, so that they still belong together.

import {
  CdcError,
  type ChangeEvent,
  formatTableId,
  type Logger,
  type PluginStore,
  type Row,
  type TableSchema,
  type Transformer,
  type Value,
} from 'cdc-run/sdk';
import { tableMatcher } from '../../shared/table-pattern.ts';
import type { MaskingConfig } from './config.ts';
import { columnMask, type Masker, maskRow, touches } from './mask-row.ts';
import { maskText } from './mask-text.ts';

/** A shorter hash in a key column could make two rows one. 32 digits of hex are 128 bits. */
const MIN_KEY_LENGTH = 32;
/** In the plugin's store: names of the fields that were in a row of any run. */
const FOUND_KEY = 'found';

/** A field that is a column. */
interface ColumnMask {
  readonly column: string;
  mask(value: Value): Value;
}

export class DataMasking implements Transformer {
  readonly #config: MaskingConfig;
  readonly #isAbout: (table: TableSchema) => boolean;
  readonly #masker: Masker;
  readonly #unseen: Set<string>;
  readonly #logger: Logger;
  readonly #store: PluginStore;
  #sawRows = false;
  readonly #checked = new WeakSet<TableSchema>();
  readonly #plans = new WeakMap<TableSchema, readonly ColumnMask[] | null>();

  constructor(config: MaskingConfig, logger: Logger, store: PluginStore) {
    this.#store = store;
    this.#config = config;
    this.#isAbout = tableMatcher(config.tables);
    this.#unseen = new Set(config.mask_fields);
    this.#masker = {
      mask: maskText(config),
      otherTypes: config.other_types,
      found: (field) => {
        this.#unseen.delete(field);
      },
    };
    this.#logger = logger;
  }

  transform(events: ChangeEvent[]): ChangeEvent[] {
    return events.map((event) => (this.#isAbout(event.table) ? this.#mask(event) : event));
  }

  /** Whole columns, also where only a part of their JSON is masked; of a record that nobody decoded, whatever it may hold. */
  sensitive(event: ChangeEvent): readonly string[] {
    const { mask_fields: fields } = this.#config;
    if (!this.#isAbout(event.table)) return [];
    if (event.before === null && event.after === null && event.raw?.value) return fields;
    const columns = [event.before, event.after, event.key].flatMap((row) => Object.keys(row ?? {}));
    return [...new Set(columns)].filter((column) => touches(fields, column));
  }

  /** A misspelt field masks nothing, and nobody would notice. What an earlier run has found is not missing in this one. */
  async close(): Promise<void> {
    if (!this.#sawRows) return;
    const stored = await this.#store.get(FOUND_KEY);
    const known = stored === null ? [] : (JSON.parse(Buffer.from(stored).toString()) as string[]);
    const missing = [...this.#unseen].filter((field) => !known.includes(field));
    const found = [...new Set([...known, ...this.#config.mask_fields.filter((field) => !this.#unseen.has(field))])];
    if (found.length > known.length) await this.#store.set(FOUND_KEY, Buffer.from(JSON.stringify(found)));
    if (missing.length > 0) this.#logger.warn('these fields were in no row so far; check their spelling', { fields: missing });
  }

  #mask(event: ChangeEvent): ChangeEvent {
    const { table } = event;
    this.#assertKeySurvives(table);
    const columns = isUntouched(event) ? this.#columnsOf(table) : null;
    if (columns !== null) return this.#maskColumns(event, columns);
    // Taken before the rows change: it may come from them, or be all that a delete has.
    const { key, before, after } = event,
      fields = this.#config.mask_fields;
    if (before === null && after === null && event.raw?.value) throw undecoded(event);
    this.#sawRows ||= before !== null || after !== null;
    const maskedBefore = before && maskRow(before, fields, table, this.#masker);
    const maskedAfter = after && maskRow(after, fields, table, this.#masker);
    const maskedKey = key && maskRow(key, fields, table, this.#masker);
    if (maskedBefore === before && maskedAfter === after && maskedKey === key) return event;
    this.#assertDistinct(event, key, maskedKey);
    // The record as it was consumed holds the values in clear.
    if (event.raw !== null) return event.copy({ before: maskedBefore, after: maskedAfter, key: maskedKey, raw: null });
    event.before = maskedBefore;
    event.after = maskedAfter;
    event.key = maskedKey;
    return event;
  }

  /** The fields as columns outside of the key; `null` when some of them are more than that. */
  #columnsOf(table: TableSchema): readonly ColumnMask[] | null {
    let columns = this.#plans.get(table);
    if (columns === undefined) {
      const { mask_fields: fields } = this.#config;
      const isPlain = fields.every((field) => !field.includes('.') && !table.key.includes(field));
      columns = isPlain ? fields.map((column) => ({ column, mask: columnMask(column, table, this.#masker) })) : null;
      this.#plans.set(table, columns);
    }
    return columns;
  }

  /** Rows that nobody has looked at stay in their bytes, but for these columns. */
  #maskColumns(event: ChangeEvent, columns: readonly ColumnMask[]): ChangeEvent {
    this.#sawRows = true;
    for (let i = 0; i < columns.length; i++) {
      const { column, mask } = columns[i] as ColumnMask;
      for (const side of SIDES) {
        const value = event.get(side, column);
        if (value === undefined) continue;
        this.#masker.found(column);
        event.replace(side, column, mask(value));
      }
    }
    return event;
  }

  /** Also for keys that no table schema announced: those of broker records. */
  #assertDistinct({ table }: ChangeEvent, key: Row | null, masked: Row | null): void {
    if (key === null || masked === null || key === masked) return;
    if (this.#config.strategy !== 'hash') throw this.#keyError(formatTableId(table.id), this.#sameText());
    for (const name of Object.keys(key)) {
      if (key[name] !== null && masked[name] === null) throw this.#keyError(`${formatTableId(table.id)}.${name}`, 'its value is no text');
    }
  }

  #sameText(): string {
    return `strategy ${this.#config.strategy} gives different keys the same text`;
  }

  /** Once per table: rows that become one at the destination are lost. */
  #assertKeySurvives(table: TableSchema): void {
    if (this.#checked.has(table)) return;
    for (const name of table.key) {
      if (!touches(this.#config.mask_fields, name)) continue;
      const column = table.columns.find((c) => c.name === name),
        where = `${formatTableId(table.id)}.${name}`;
      if (this.#config.strategy !== 'hash') throw this.#keyError(where, this.#sameText());
      if (column !== undefined && !['string', 'json', 'any'].includes(column.type))
        throw this.#keyError(where, `its type ${column.nativeType} cannot hold a hash`);
      if (column?.length !== undefined && column.length < MIN_KEY_LENGTH)
        throw this.#keyError(where, `${column.length} characters are too short for a hash`);
    }
    this.#checked.add(table);
  }

  #keyError(where: string, why: string): CdcError {
    return new CdcError('PLUGIN_FAILED', `Masking the key of ${where} would make different rows one: ${why}.`, {
      fix: 'Mask key columns with strategy: hash, in text columns of at least 32 characters, or leave them out of mask_fields.',
    });
  }
}

const SIDES = ['before', 'after'] as const;

/** All of it, the key too, is still as its source sent it. */
function isUntouched(event: ChangeEvent): boolean {
  if (event.raw !== null || event.keyImage() === null) return false;
  return SIDES.every((side) => !event.has(side) || event.image(side) !== null);
}

function undecoded(event: ChangeEvent): CdcError {
  return new CdcError('PLUGIN_FAILED', `Event ${event.id} was not decoded, so its fields cannot be masked.`, {
    fix: 'Set the format of the source so that it decodes its records, or limit `tables` of the plugin.',
  });
}
