// A schema of the user's in Avro.

import type { Value } from '../../sdk/index.ts';
import type { RecordFormatConfig } from '../config.ts';
import type { FormatContext } from '../context.ts';
import type { GivenSchema, GivenWriter } from '../given-records.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { headOf } from '../registry/wire.ts';
import { bytesOf } from './bytes-of.ts';
import { parseAvro, unreadableSchema } from './schema.ts';
import { avroSchema, subjectOf } from './subjects.ts';
import { type Writer, writerOf } from './writer.ts';

/** The text of a file; `null`: the configuration names a subject, or nothing. */
export interface SchemaTexts {
  readonly key: string | null;
  readonly value: string | null;
}

export class GivenAvro implements GivenSchema {
  readonly contentType: string;
  readonly #config: RecordFormatConfig;
  readonly #where: string;
  readonly #registry: SchemaRegistry | null;
  readonly #texts: SchemaTexts;
  readonly #writers = new Map<string, Writer>();

  constructor(config: RecordFormatConfig, { where }: FormatContext, registry: SchemaRegistry | null, texts: SchemaTexts) {
    this.contentType = registry === null ? 'avro/binary' : 'application/vnd.confluent.avro';
    this.#config = config;
    this.#where = where;
    this.#registry = registry;
    this.#texts = texts;
  }

  async close(): Promise<void> {
    await this.#registry?.close();
  }

  async writer(part: 'key' | 'value', topic: string, signal: AbortSignal): Promise<GivenWriter | null> {
    const registry = this.#registry,
      text = this.#texts[part],
      named = part === 'key' ? this.#config.key_schema : this.#config.value_schema;
    if (named === undefined) return null;
    if (text === null) {
      if (registry === null) return null;
      const latest = await registry.latest(named, signal);
      return this.#writer(latest.text, headOf(latest.id));
    }
    if (registry === null) return this.#writer(text, null);
    // A file is no subject: the strategy names one.
    const { value_schema: _value, key_schema: _key, ...config } = this.#config;
    const type = parseAvro(text),
      record = type.kind === 'record' ? type.name : '';
    return this.#writer(text, headOf(await registry.idOf(subjectOf(config, topic, part, record), avroSchema(text), signal)));
  }

  #writer(text: string, head: Uint8Array | null): GivenWriter {
    const write = this.#writerOf(text);
    return (value) =>
      bytesOf((out) => {
        if (head !== null) out.raw(head);
        write(out, value as Value);
      });
  }

  #writerOf(text: string): Writer {
    let writer = this.#writers.get(text);
    if (writer === undefined) {
      try {
        writer = writerOf(parseAvro(text));
      } catch (cause) {
        throw unreadableSchema('The schema', cause, this.#where);
      }
      this.#writers.set(text, writer);
    }
    return writer;
  }
}
