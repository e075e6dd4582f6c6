// The `source` block in Avro: prepared for all that stays for a transaction, with holes for what differs from event to event. The
// same fields and values as source-block.ts writes in JSON.

import type { ConnectField, ConnectSchema } from '../../envelope/debezium/connect-schema.ts';
import { changingText, RESTLESS, sameSteady, transactionOf } from '../../envelope/debezium/source-block.ts';
import type { TableEncoder } from '../../envelope/debezium/table-encoder.ts';
import type { SourceFields } from '../../envelope/envelope.ts';
import type { ChangeEvent } from '../../sdk/index.ts';
import { parseJson } from '../json-lossless.ts';
import { type Sink, writeLong, writeString } from './binary.ts';
import { bytesOf } from './bytes-of.ts';
import { valueWriter } from './connect-value.ts';
import type { Writer } from './writer.ts';

type SourceField = TableEncoder['source']['fields'][number];

interface Part {
  readonly field: SourceField;
  readonly write: Writer;
  readonly isRestless: boolean;
}

const VALUE_BRANCH = 1;

export class SourceWriter {
  readonly #source: TableEncoder['source'];
  readonly #hasLsnSequence: boolean;
  readonly #parts: readonly Part[];
  readonly #restless: readonly Part[];
  /** What stands before each restless field, and at the end. */
  #pieces: readonly Uint8Array[] = [];
  #tsMs = Number.NaN;
  #place: string | false = false;
  #transaction: string | null = null;
  #before: SourceFields = {};

  constructor({ source, connector }: TableEncoder) {
    this.#source = source;
    this.#hasLsnSequence = connector.hasLsnSequence ?? false;
    const schemas = source.schema.fields as readonly ConnectField[];
    this.#parts = source.fields.map((field, i) => ({
      field,
      write: valueWriter(schemas[i] as ConnectSchema),
      isRestless: RESTLESS.has(field.name) && !source.fixed.has(field.name),
    }));
    this.#restless = this.#parts.filter((p) => p.isRestless);
  }

  write(out: Sink, event: ChangeEvent): void {
    const fields = this.#source.fieldsOf(event);
    if (!this.#isLike(event) || !sameSteady(fields, this.#before)) this.#prepare(event, fields);
    const pieces = this.#pieces,
      restless = this.#restless;
    for (let i = 0; i < restless.length; i++) {
      out.raw(pieces[i] as Uint8Array);
      this.#restlessField(out, restless[i] as Part, event, fields);
    }
    out.raw(pieces[restless.length] as Uint8Array);
  }

  #isLike(event: ChangeEvent): boolean {
    if (event.sourceTsMs !== this.#tsMs || (event.snapshot !== false && event.snapshot.place) !== this.#place) return false;
    return transactionOf(event) === this.#transaction && this.#pieces.length > 0;
  }

  #prepare(event: ChangeEvent, fields: SourceFields): void {
    this.#tsMs = event.sourceTsMs;
    this.#place = event.snapshot !== false && event.snapshot.place;
    this.#transaction = transactionOf(event);
    this.#before = fields;
    const pieces: Uint8Array[] = [];
    let piece: Part[] = [];
    const finish = (): void => {
      const parts = piece;
      pieces.push(
        bytesOf((out) => {
          for (const part of parts) this.#field(out, part, event, fields);
        }),
      );
      piece = [];
    };
    for (const part of this.#parts) {
      if (part.isRestless) finish();
      else piece.push(part);
    }
    finish();
    this.#pieces = pieces;
  }

  #field(out: Sink, { field, write }: Part, event: ChangeEvent, fields: SourceFields): void {
    const isSequence = field.name === 'sequence' && this.#hasLsnSequence;
    write(out, parseJson(this.#source.fixed.get(field.name) ?? changingText(field, event, fields, isSequence)));
  }

  /** The common forms without JSON between. */
  #restlessField(out: Sink, part: Part, event: ChangeEvent, fields: SourceFields): void {
    const { field } = part,
      value = fields[field.name];
    if (field.name === 'pos' && field.type === 'string') {
      writeString(out, event.position);
    } else if (field.name === 'sequence' && this.#hasLsnSequence && value === undefined && typeof fields['lsn'] === 'number') {
      writeLong(out, VALUE_BRANCH);
      writeString(out, `[null,"${fields['lsn']}"]`);
    } else if (field.type !== 'string' && typeof value === 'number' && Number.isInteger(value)) {
      if (field.optional) writeLong(out, VALUE_BRANCH);
      writeLong(out, value);
    } else this.#field(out, part, event, fields);
  }
}
