// What was fetched of a partition, as batches of the size that the engine takes. What cannot be decoded is rejected on the way.

import type { MessageDecoder } from '../../../formats/messages.ts';
import { CdcError, type ChangeBatch, type ChangeEvent, type ReadContext } from '../../../sdk/index.ts';
import type { FetchedBatch, FetchedRecord } from '../client.ts';
import type { ConsumingConfig } from './config.ts';
import { bytesOf, EVENT_BYTES, eventOf, messageOf } from './decode.ts';
import { positionOf } from './position.ts';
import type { ConsumingKind } from './source.ts';

export interface ChangesOptions {
  readonly config: Pick<ConsumingConfig, 'watermark'>;
  readonly decoder: MessageDecoder;
  readonly kind: Pick<ConsumingKind, 'keepsReads'>;
  readonly source: string;
  readonly ctx: Pick<ReadContext, 'maxBatchEvents' | 'maxBatchBytes' | 'reject'>;
  readonly signal: AbortSignal;
}

/** A batch up to this offset; the next one is read behind it. */
export interface Changes {
  readonly change: ChangeBatch;
  readonly lastOffset: bigint;
}

/** `alive`: waits for something while the group is told that we live. */
type Alive = <T>(work: Promise<T>) => Promise<T>;

/** Each is made when it is asked for. */
export async function* changesOf(batch: FetchedBatch, partition: string, alive: Alive, o: ChangesOptions): AsyncGenerator<Changes> {
  const { records } = batch;
  for (let from = 0; from < records.length; ) {
    const to = chunkEnd(records, from, o.ctx),
      lastOffset = to === records.length ? batch.lastOffset : BigInt((records[to - 1] as FetchedRecord).offset);
    const { events, bytes } = await decode(records.slice(from, to), batch, partition, alive, o);
    yield { change: { events, source: o.source, partition, resume: positionOf(lastOffset), bytes }, lastOffset };
    from = to;
  }
}

/** Nothing to deliver, but a place to store. */
export function progress(source: string, partition: string, lastOffset: bigint): ChangeBatch {
  return { events: [], source, partition, resume: positionOf(lastOffset), bytes: 0 };
}

/** As many as the engine takes at once, and one in any case. */
export function chunkEnd(
  records: readonly FetchedRecord[],
  from: number,
  { maxBatchEvents, maxBatchBytes }: Pick<ReadContext, 'maxBatchEvents' | 'maxBatchBytes'>,
): number {
  let bytes = 0,
    to = from;
  while (to < records.length && to - from < maxBatchEvents) {
    bytes += bytesOf(records[to] as FetchedRecord) + EVENT_BYTES;
    if (bytes > maxBatchBytes && to > from) break;
    to++;
  }
  return to;
}

async function decode(
  records: readonly FetchedRecord[],
  { topic, partition: number }: FetchedBatch,
  partition: string,
  alive: Alive,
  { config, decoder, kind, source, ctx, signal }: ChangesOptions,
): Promise<{ events: ChangeEvent[]; bytes: number }> {
  const place = { source, partition, keepsReads: kind.keepsReads },
    messages = records.map((record) => messageOf(topic, record)),
    decoded = await alive(decoder.decode(messages, signal));
  const events: ChangeEvent[] = [];
  let bytes = 0;
  for (let i = 0; i < records.length; i++) {
    const what = decoded[i],
      record = records[i] as FetchedRecord;
    if (what === null || what === undefined) continue;
    if (what instanceof CdcError) {
      // Invariant 3: durable in the dead letter queue before the place moves beyond it.
      const at = `topic "${topic}", partition ${number}, offset ${record.offset}`;
      await alive(ctx.reject(record.value ?? record.key ?? new Uint8Array(), at, what));
      continue;
    }
    bytes += bytesOf(record) + EVENT_BYTES;
    events.push(eventOf(what, record, messages[i]?.headers ?? null, place, config.watermark));
  }
  return { events, bytes };
}
