// Which schema is registered where, and what becomes of events whose schema the registry does not take.

import { CdcError, toCdcError } from '../../sdk/index.ts';
import type { RecordFormatConfig } from '../config.ts';
import type { RegistrySchema, SchemaRegistry } from '../registry/client.ts';
import { headOf } from '../registry/wire.ts';
import type { AvroTable, Heads } from './shape.ts';

export const avroSchema = (text: string): RegistrySchema => ({ type: 'AVRO', text, references: [] });

/** `orders-value`, `shop.orders.Value`, `orders-shop.orders.Value` */
export function subjectOf(config: RecordFormatConfig, topic: string, part: 'key' | 'value', record: string): string {
  const own = part === 'key' ? config.key_schema : config.value_schema;
  if (own !== undefined) return own;
  switch (config.schema_registry?.subject_strategy ?? 'topic') {
    case 'record':
      return record;
    case 'topic_record':
      return `${topic}-${record}`;
    case 'topic':
      return `${topic}-${part}`;
  }
}

/** `wait`: the engine tries again until the registry takes it. `dead_letter`: `null`, and the events are parked with the error. */
export function applyPolicy(error: unknown, config: RecordFormatConfig, where: string): CdcError {
  const found = toCdcError(error, 'DESTINATION_FAILED', { where });
  if (found.code !== 'REGISTRY_SCHEMA_INCOMPATIBLE' && found.code !== 'REGISTRY_SCHEMA_UNKNOWN') throw found;
  if (config.on_schema_error === 'dead_letter') return found;
  const { code, message, fix } = found;
  throw new CdcError(code, message, {
    where,
    ...(fix === null ? {} : { fix }),
    retriable: config.on_schema_error === 'wait',
    cause: found,
  });
}

/** The ids of tables' schemas, by topic. Asked once per table version and topic; what fails is asked again. */
export class SubjectHeads {
  readonly #config: RecordFormatConfig;
  readonly #registry: SchemaRegistry;
  readonly #where: string;
  readonly #withKeys: boolean;
  readonly #known = new WeakMap<AvroTable, Map<string, Heads>>();

  constructor(config: RecordFormatConfig, registry: SchemaRegistry, where: string, withKeys: boolean) {
    this.#config = config;
    this.#registry = registry;
    this.#where = where;
    this.#withKeys = withKeys;
  }

  known(table: AvroTable, topic: string): Heads | undefined {
    return this.#known.get(table)?.get(topic);
  }

  async load(table: AvroTable, topic: string, signal: AbortSignal): Promise<Heads | CdcError> {
    try {
      const [key, value] = await Promise.all([
        table.keySchema === null || !this.#withKeys ? null : this.#head(topic, 'key', table.keyName, table.keySchema, signal),
        this.#head(topic, 'value', table.valueName, table.valueSchema, signal),
      ]);
      const heads = { key, value },
        byTopic = this.#known.get(table) ?? new Map<string, Heads>();
      byTopic.set(topic, heads);
      this.#known.set(table, byTopic);
      return heads;
    } catch (error) {
      return applyPolicy(error, this.#config, this.#where);
    }
  }

  async #head(topic: string, part: 'key' | 'value', record: string, schema: string, signal: AbortSignal): Promise<Uint8Array> {
    return headOf(await this.#registry.idOf(subjectOf(this.#config, topic, part, record), avroSchema(schema), signal));
  }
}
