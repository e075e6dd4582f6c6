// Records in Avro: schemas of tables, registered before the first record that needs them, then rows straight into bytes.

import { ChunkPool } from '../../envelope/chunk-pool.ts';
import { createEnvelope, type EnvelopeType } from '../../envelope/create.ts';
import type { DebeziumOptions } from '../../envelope/debezium/options.ts';
import { debeziumOptions } from '../../envelope/debezium/options.ts';
import { RecordWriter } from '../../envelope/record-writer.ts';
import { type BatchEnvelope, CdcError, type ChangeEvent, type LaneBatch, type WriteFailure } from '../../sdk/index.ts';
import type { KeyFormat, RecordFormatConfig } from '../config.ts';
import type { FormatContext } from '../context.ts';
import { keyBytes } from '../keys.ts';
import type { FormattedBatch, RecordEncoder, TopicOf } from '../messages.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { rejected } from '../rejected.ts';
import { Unfit } from '../unfit.ts';
import { DebeziumShape } from './debezium-shape.ts';
import { GeneralRecords, type MadeRecord } from './general-records.ts';
import { PlainShape, RowShape } from './row-shapes.ts';
import type { AvroShape, AvroTable, Heads, KeyWriter } from './shape.ts';
import { SubjectHeads } from './subjects.ts';

/** Of one envelope: a destination has one, and its dead letters may have another. */
interface Encoding {
  readonly shape: AvroShape;
  readonly general: GeneralRecords;
  /** Whole batches go the general way: their records depend on each other. */
  readonly isGeneral: boolean;
}

/** What was found out about a batch before anything is written. */
interface Prepared {
  readonly heads: readonly (Heads | null)[];
  readonly made: ReadonlyMap<number, readonly MadeRecord[]>;
  readonly failed: Map<number, CdcError>;
}

export class AvroRecords implements RecordEncoder {
  readonly contentType = 'application/vnd.confluent.avro';
  readonly #config: RecordFormatConfig;
  readonly #ctx: FormatContext;
  readonly #registry: SchemaRegistry;
  readonly #heads: SubjectHeads;
  readonly #otherKeys: KeyWriter | null;
  readonly #encodings = new WeakMap<BatchEnvelope, Encoding>();
  readonly #pool = new ChunkPool();

  constructor(config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat, registry: SchemaRegistry) {
    this.#config = config;
    this.#ctx = ctx;
    this.#registry = registry;
    this.#heads = new SubjectHeads(config, registry, ctx.where, keys === 'avro');
    this.#otherKeys = keys === 'avro' ? null : keyWriter(keys, ctx);
  }

  async encode(batch: LaneBatch, topicOf: TopicOf, signal: AbortSignal): Promise<FormattedBatch> {
    const encoding = this.#encodingOf(batch);
    const prepared = await this.#prepare(encoding, batch, topicOf, signal);
    return this.#write(encoding.shape, batch, prepared);
  }

  close(): Promise<void> {
    return this.#registry.close();
  }

  /** Every schema that the batch needs has an id afterwards, or its events have failed. */
  async #prepare({ shape, general, isGeneral }: Encoding, batch: LaneBatch, topicOf: TopicOf, signal: AbortSignal): Promise<Prepared> {
    const { events, skip } = batch,
      heads = new Array<Heads | null>(events.length).fill(null),
      failed = new Map<number, CdcError>();
    const special: number[] = [];
    /** By table and topic: those that are asked for now. */
    const asked = new Map<AvroTable, Map<string, Promise<Heads | CdcError>>>();
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as ChangeEvent;
      if (skip.has(i) || (event.op === 's' && !shape.takes(event))) continue;
      if (isGeneral || !shape.takes(event)) {
        special.push(i);
        continue;
      }
      const table = this.#tableOf(shape, event, i, failed);
      if (table === null) continue;
      const topic = topicOf(event, table.topic),
        known = this.#heads.known(table, topic);
      if (known !== undefined) {
        heads[i] = known;
        continue;
      }
      const ofTable = asked.get(table) ?? new Map<string, Promise<Heads | CdcError>>();
      asked.set(table, ofTable);
      const answer = ofTable.get(topic) ?? this.#heads.load(table, topic, signal);
      ofTable.set(topic, answer);
      const found = await answer;
      if (found instanceof CdcError) failed.set(i, found);
      else heads[i] = found;
    }
    const made =
      special.length === 0 ? new Map<number, readonly MadeRecord[]>() : await general.make(batch, special, topicOf, signal, failed);
    return { heads, made, failed };
  }

  #tableOf(shape: AvroShape, event: ChangeEvent, index: number, failed: Map<number, CdcError>): AvroTable | null {
    if (event.table.columns.length > 0) return shape.prepare(event);
    failed.set(index, this.#rejected(new Unfit('', 'its source knows no columns, and Avro needs a schema')));
    return null;
  }

  #write(shape: AvroShape, { events }: LaneBatch, { heads, made, failed }: Prepared): FormattedBatch {
    const out = new RecordWriter(events.length, this.#pool);
    shape.begin();
    for (let i = 0; i < events.length; i++) {
      const records = made.get(i),
        head = heads[i];
      const start = out.length;
      try {
        if (records !== undefined) addMade(out, i, records);
        else if (head) shape.encode(events[i] as ChangeEvent, i, shape.prepare(events[i] as ChangeEvent), head, out);
      } catch (error) {
        if (!(error instanceof Unfit)) throw error;
        out.cut(start);
        failed.set(i, this.#rejected(error));
      }
    }
    const failures: WriteFailure[] = [...failed].map(([index, error]) => ({ index, error })).sort((a, b) => a.index - b.index);
    return { records: out.finish(), failed: failures };
  }

  #rejected(error: Unfit): CdcError {
    return rejected(error, this.#ctx.where);
  }

  #encodingOf({ envelope }: LaneBatch): Encoding {
    if (envelope === undefined)
      throw new CdcError('INTERNAL_UNEXPECTED', 'A batch came without its envelope, which Avro needs.', { where: this.#ctx.where });
    let encoding = this.#encodings.get(envelope);
    if (encoding === undefined) {
      encoding = this.#open(envelope);
      this.#encodings.set(envelope, encoding);
    }
    return encoding;
  }

  #open({ type, options, context }: BatchEnvelope): Encoding {
    const general = (envelope: EnvelopeType, more: Readonly<Record<string, unknown>>): GeneralRecords =>
      new GeneralRecords(
        createEnvelope({ type: envelope, options: more }, context),
        this.#config,
        this.#registry,
        this.#otherKeys === null,
        this.#ctx.where,
      );
    switch (type) {
      case 'debezium': {
        const all = withDefaults(options);
        if (all.provide_transaction_metadata && !all.compatible)
          throw this.#unsupported('provide_transaction_metadata without compatible: true');
        return {
          shape: new DebeziumShape(all, context, this.#otherKeys),
          general: general('debezium', { ...all, schemas: true }),
          isGeneral: all.provide_transaction_metadata,
        };
      }
      case 'plain':
        return { shape: new PlainShape(this.#otherKeys), general: general('plain', options), isGeneral: false };
      case 'row':
        return { shape: new RowShape(this.#otherKeys), general: general('row', options), isGeneral: false };
      default:
        throw this.#unsupported(`the envelope "${type}"`);
    }
  }

  #unsupported(what: string): CdcError {
    return new CdcError('CONFIG_INVALID_VALUE', `Avro cannot write ${what}.`, {
      where: this.#ctx.where,
      fix: 'Set envelope to debezium, plain or row, or message_format to json.',
    });
  }
}

function addMade(out: RecordWriter, index: number, records: readonly MadeRecord[]): void {
  for (const { topic, key, value, headers, timestampMs } of records) {
    if (value !== null) {
      out.addMade(index, topic, key, value, headers, timestampMs);
      continue;
    }
    if (key !== null) {
      out.keys.begin();
      out.keys.raw(key);
      out.addKey(index, topic, headers, timestampMs);
    }
  }
}

function keyWriter(format: KeyFormat, ctx: FormatContext): KeyWriter {
  return (out, _event, key) => {
    const bytes = keyBytes(key, format, ctx);
    if (bytes !== null) out.raw(bytes);
    return bytes !== null;
  };
}

/** The loader fills them in; suites and other callers may not. */
function withDefaults(options: Readonly<Record<string, unknown>>): DebeziumOptions {
  const all: Record<string, unknown> = { ...options };
  for (const [name, schema] of Object.entries(debeziumOptions.properties)) all[name] ??= (schema as { default?: unknown }).default;
  for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
  return all as DebeziumOptions;
}
