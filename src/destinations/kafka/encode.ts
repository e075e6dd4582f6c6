// From a lane batch to requests for Kafka: topic, key, partition and headers of each record, then cut into rounds that brokers
// take. Pure, but for the partition function of the user.

import { stringifyJson } from '../../formats/json-lossless.ts';
import { CdcError, type ChangeEvent, type EncodedBatch, type LaneBatch, type Value, type WriteFailure } from '../../sdk/index.ts';
import type { OutgoingRecord, TopicRecords } from '../../systems/kafka/client.ts';
import { rejected } from './errors.ts';
import type { Partitioner } from './partitions.ts';
import type { TopicTemplate } from './topic-template.ts';

/** A record on its way, and the event that it came from. */
export interface Outgoing {
  readonly event: number;
  readonly topic: string;
  readonly record: OutgoingRecord;
  readonly bytes: number;
}

/** Records that go out together: one request to each broker. In log order. */
export type Round = readonly Outgoing[];

/** Length, offsets, timestamps and the like, at most. */
const RECORD_OVERHEAD_BYTES = 40;
/** Brokers close the connection at 100 MiB (socket.request.max.bytes). */
const MAX_ROUND_BYTES = 32 * 1024 * 1024;
/** What waits for one answer: more gains nothing, and is all sent again when it fails. */
const MAX_ROUND_RECORDS = 20_000;

export interface EncodeOptions {
  readonly template: TopicTemplate;
  readonly keyField: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A record before its partition is known. */
export interface Addressed {
  readonly event: number;
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** The bytes as they lie, seen as the library wants them. */
const view = (bytes: Uint8Array | null): Buffer | null =>
  bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** All records of the batch but those to skip, in order, and the events that cannot become any. */
export function address(batch: LaneBatch, encoded: EncodedBatch, o: EncodeOptions): { records: Addressed[]; failed: WriteFailure[] } {
  const { event, topic, key, value, headers } = encoded,
    records: Addressed[] = [],
    failed: WriteFailure[] = [];
  for (let i = 0; i < event.length; i++) {
    const index = event[i] as number;
    if (batch.skip.has(index)) continue;
    const change = batch.events[index] as ChangeEvent;
    let bytes = view(key[i] ?? null);
    if (o.keyField !== null && hasRow(change)) {
      const own = keyOf(change, o.keyField, event[i + 1] !== index);
      if (own instanceof CdcError) {
        if (failed.at(-1)?.index !== index) failed.push({ index, error: own });
        continue;
      }
      bytes = own;
    }
    records.push({
      event: index,
      topic: o.template.of(change, topic[i] as string),
      key: bytes,
      value: view(value[i] ?? null),
      headers: withHeaders(o.headers, headers[i] ?? null),
    });
  }
  return { records, failed };
}

function withHeaders(
  own: Readonly<Record<string, string>>,
  event: Readonly<Record<string, string>> | null,
): Readonly<Record<string, string>> {
  return event === null ? own : { ...own, ...event };
}

const hasRow = (event: ChangeEvent): boolean => event.has('after') || event.has('before');

/**
 * The column's value as text. A change of key gives several records: all but the last are about the row as it was. A column that is
 * not there is no key: without it the record would go anywhere, behind changes of its row that come later.
 */
function keyOf(event: ChangeEvent, field: string, isLast: boolean): Buffer | null | CdcError {
  const isOld = !event.has('after') || (!isLast && event.oldKey !== null),
    value = isOld ? event.get('before', field) : event.get('after', field);
  if (value === undefined)
    return rejected(`Event ${event.id} of ${event.table.id.table} has no column "${field}" to take the key from.`, {
      fix: event.op === 'd' ? 'Let the source send whole rows before a change, or leave `key_field` out.' : 'Correct `key_field`.',
    });
  return keyBytes(value);
}

function keyBytes(value: Value): Buffer | null {
  if (value === null) return null;
  if (value instanceof Uint8Array) return Buffer.from(value);
  return Buffer.from(typeof value === 'string' ? value : stringifyJson(value));
}

/**
 * Gives each record its partition, and cuts the batch where a partition or a request would become too large. `nowMs` is the time of all
 * records: not that of the source, because a broker deletes by it what is older than `retention.ms`, unread or not.
 */
export function roundsOf(
  records: readonly Addressed[],
  partitioner: Partitioner,
  partitionsOf: (topic: string) => number,
  maxBatchBytes: number,
  nowMs: number,
): Round[] {
  const timestamp = String(nowMs);
  const rounds: Outgoing[][] = [];
  let round: Outgoing[] = [],
    total = 0,
    held = new Map<string, Map<number, number>>();
  for (const { event, topic, key, value, headers } of records) {
    const partition = partitioner.partition({ topic, key, value, headers }, partitionsOf(topic)),
      bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + headerBytes(headers);
    let ofTopic = held.get(topic);
    const before = ofTopic?.get(partition) ?? 0;
    if (
      round.length > 0 &&
      ((before > 0 && before + bytes > maxBatchBytes) || total + bytes > MAX_ROUND_BYTES || round.length >= MAX_ROUND_RECORDS)
    ) {
      rounds.push(round);
      round = [];
      total = 0;
      held = new Map();
      ofTopic = undefined;
    }
    if (ofTopic === undefined) {
      ofTopic = new Map();
      held.set(topic, ofTopic);
    }
    ofTopic.set(partition, (ofTopic.get(partition) ?? 0) + bytes);
    total += bytes;
    round.push({ event, topic, bytes, record: { key, value, headers, partition, timestamp } });
  }
  if (round.length > 0) rounds.push(round);
  return rounds;
}

function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const name in headers) bytes += name.length + (headers[name] as string).length * 3 + 4;
  return bytes;
}

/** A round as a request. */
export function requestOf(round: Round): TopicRecords[] {
  const topics = new Map<string, OutgoingRecord[]>();
  for (const { topic, record } of round) {
    const list = topics.get(topic);
    if (list === undefined) topics.set(topic, [record]);
    else list.push(record);
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}
