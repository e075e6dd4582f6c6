// Events, contexts and readers that the envelope tests share.

import { createEnvelope, type EnvelopeType } from '../../../src/envelope/create.ts';
import type { EnvelopeContext } from '../../../src/envelope/envelope.ts';
import { parseJson } from '../../../src/envelope/parse-json.ts';
import {
  ChangeEvent,
  type ChangeEventInit,
  type Column,
  type ColumnType,
  type EncodedBatch,
  type Position,
  type TableSchema,
  type Value,
} from '../../../src/sdk/index.ts';

export const column = (name: string, type: ColumnType, more: Partial<Column> = {}): Column => ({
  name,
  type,
  nativeType: type,
  nullable: true,
  ...more,
});

export const ORDERS: TableSchema = {
  id: { database: 'shop', schema: 'public', table: 'orders' },
  key: ['id'],
  version: 1,
  columns: [column('id', 'int64', { nullable: false }), column('total', 'decimal', { precision: 10, scale: 2 }), column('note', 'string')],
};

export const AT_MS = Date.UTC(2024, 1, 29, 12, 34, 56, 789);
export const NOW_MS = AT_MS + 1000;

export function event(init: Partial<ChangeEventInit> & Pick<ChangeEventInit, 'op'>): ChangeEvent {
  return new ChangeEvent({
    table: ORDERS,
    source: 'shop-db',
    partition: 'main',
    position: '0000000000000042' as Position,
    sourceTsMs: AT_MS,
    ...init,
  });
}

export function context(connector = 'sqlite', fields: ReturnType<EnvelopeContext['sources'][string]['fields']> = {}): EnvelopeContext {
  return {
    pipeline: 'orders',
    version: '0.1.0',
    now: () => NOW_MS,
    sources: { 'shop-db': { connector, database: 'shop', fields: () => fields } },
  };
}

export function encode(
  type: EnvelopeType,
  events: readonly ChangeEvent[],
  options: Record<string, unknown> = {},
  ctx = context(),
): EncodedBatch {
  return createEnvelope({ type, options }, ctx).encode(events);
}

export type Json = { readonly [key: string]: Value };

/** A value that must be an object. */
export function object(value: Value | undefined): Json {
  if (typeof value !== 'object' || value === null) throw new Error(`expected an object, got ${String(value)}`);
  return value as Json;
}

/** Keys and values as parsed JSON; `null` for none. */
export function records(batch: EncodedBatch): { topic: string; key: Json | null; value: Json | null }[] {
  const parse = (bytes: Uint8Array | null | undefined): Json | null => (bytes ? (parseJson(bytes, 'a record') as Json) : null);
  return batch.topic.map((topic, i) => ({ topic, key: parse(batch.key[i]), value: parse(batch.value[i]) }));
}

/** The text of the only record's value. */
export function onlyValue(batch: EncodedBatch): string {
  if (batch.value.length !== 1) throw new Error(`expected one record, got ${batch.value.length}`);
  return Buffer.from(batch.value[0] as Uint8Array).toString();
}
