// The messages that records are written as: of a `.proto` file, or of the newest version of a subject.

import type protobuf from 'protobufjs';
import { CdcError } from '../../sdk/index.ts';
import { subjectOf } from '../avro/subjects.ts';
import type { RecordFormatConfig } from '../config.ts';
import type { FormatContext } from '../context.ts';
import type { GivenSchema, GivenWriter } from '../given-records.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { headOf, messageIndexes } from '../registry/wire.ts';
import { isRow } from '../row-messages.ts';
import { Unfit } from '../unfit.ts';
import { messageNamed, type ProtoFile, type ProtoSource, parseProto } from './schema.ts';
import { encoderOf } from './values.ts';

/** A file that was read. */
export interface ProtoText {
  readonly text: string;
  readonly references: readonly ProtoSource[];
}
export interface ProtoTexts {
  readonly key: ProtoText | null;
  readonly value: ProtoText | null;
}

export class GivenProtobuf implements GivenSchema {
  readonly contentType: string;
  readonly #config: RecordFormatConfig;
  readonly #where: string;
  readonly #registry: SchemaRegistry | null;
  readonly #texts: ProtoTexts;
  readonly #files = new Map<string, ProtoFile>();

  constructor(config: RecordFormatConfig, { where }: FormatContext, registry: SchemaRegistry | null, texts: ProtoTexts) {
    this.contentType = registry === null ? 'application/x-protobuf' : 'application/vnd.confluent.protobuf';
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
      given = this.#texts[part],
      named = part === 'key' ? this.#config.key_schema : this.#config.value_schema,
      message = part === 'key' ? this.#config.key_message : this.#config.value_message;
    if (named === undefined) return null;
    if (given !== null) {
      const found = this.#message(this.#fileOf(given.text, given.references), message, named);
      if (registry === null) return writerFor(found.type, new Uint8Array(0));
      const { value_schema: _value, key_schema: _key, ...config } = this.#config;
      // References would have to be registered one by one, under names that only their owner knows.
      if (given.references.length > 0) throw this.#unusable(`${named} imports other files`, 'Register it, and name its subject.');
      const subject = subjectOf(config, topic, part, found.type.fullName.slice(1));
      const id = await registry.idOf(subject, { type: 'PROTOBUF', text: given.text, references: [] }, signal);
      return writerFor(found.type, prefixOf(id, found.path));
    }
    if (registry === null) return null;
    const latest = await registry.latest(named, signal),
      references = await registry.referencesOf(latest, signal);
    const found = this.#message(this.#fileOf(latest.text, references), message, named);
    return writerFor(found.type, prefixOf(latest.id, found.path));
  }

  #fileOf(text: string, references: readonly ProtoSource[]): ProtoFile {
    let file = this.#files.get(text);
    if (file === undefined) {
      try {
        file = parseProto(text, references);
      } catch (cause) {
        throw this.#unusable(`The schema is no Protobuf: ${(cause as Error).message}`, 'Correct the schema.', cause);
      }
      this.#files.set(text, file);
    }
    return file;
  }

  #message(file: ProtoFile, name: string | undefined, schema: string): NonNullable<ReturnType<typeof messageNamed>> {
    const found = messageNamed(file, name);
    if (found !== null) return found;
    throw this.#unusable(`${schema} has no message${name === undefined ? '' : ` "${name}"`}`, 'Correct value_message or key_message.');
  }

  #unusable(message: string, fix: string, cause?: unknown): CdcError {
    return new CdcError('DESTINATION_MISCONFIGURED', `${message}.`, { where: this.#where, fix, cause });
  }
}

const prefixOf = (id: number, path: readonly number[]): Uint8Array => Buffer.concat([headOf(id), messageIndexes(path)]);

function writerFor(type: protobuf.Type, prefix: Uint8Array): GivenWriter {
  const encode = encoderOf(type);
  return (value) => {
    if (!isRow(value)) throw new Unfit('', 'expected a row');
    const bytes = type.encode(encode(value)).finish();
    return prefix.length === 0 ? bytes : Buffer.concat([prefix, bytes]);
  };
}
