import { describe, expect, it } from 'vitest';
import type { DecodedMessage, MessageDecoder } from '../../../../../src/formats/messages.ts';
import { CdcError, type TableSchema } from '../../../../../src/sdk/index.ts';
import type { FetchedBatch, FetchedRecord } from '../../../../../src/systems/kafka/client.ts';
import { type Changes, changesOf, chunkEnd } from '../../../../../src/systems/kafka/consuming/changes.ts';
import { EVENT_BYTES } from '../../../../../src/systems/kafka/consuming/decode.ts';
import { positionOf } from '../../../../../src/systems/kafka/consuming/position.ts';

const record = (offset: number, value: string): FetchedRecord => ({
  key: null,
  value: Buffer.from(value),
  offset: `${offset}`,
  timestamp: '1700000000000',
});
const records = (...values: string[]): FetchedRecord[] => values.map((value, i) => record(i, value));

const TABLE: TableSchema = { id: { database: null, schema: null, table: 'orders' }, key: [], version: 1, columns: [] };

/** Text is a row with it, `bad` is malformed, and `none` is nothing. */
const decoder: Pick<MessageDecoder, 'decode'> = {
  decode: (messages) =>
    Promise.resolve(
      messages.map(({ value }): DecodedMessage | CdcError | null => {
        const text = String(value);
        if (text === 'none') return null;
        if (text === 'bad') return new CdcError('SOURCE_DATA_INVALID', 'no message', { fix: 'Repair it.' });
        return { op: 'c', table: TABLE, key: null, before: null, after: { text } } as unknown as DecodedMessage;
      }),
    ),
};

async function read(fetched: readonly FetchedRecord[], lastOffset: bigint, maxBatchEvents: number) {
  const rejected: [string, string][] = [],
    batch = { topic: 'orders', partition: 3, records: fetched, lastOffset } as unknown as FetchedBatch;
  const options = {
    config: {},
    decoder: decoder as MessageDecoder,
    kind: { keepsReads: false },
    source: 'bus',
    ctx: {
      maxBatchEvents,
      maxBatchBytes: 1 << 20,
      reject: (input: string | Uint8Array, at: string) => {
        rejected.push([Buffer.from(input).toString(), at]);
        return Promise.resolve();
      },
    },
    signal: new AbortController().signal,
  };
  const all: Changes[] = [];
  for await (const changes of changesOf(batch, 'orders/3', (work) => work, options)) all.push(changes);
  return { all, rejected };
}

describe('changesOf', () => {
  it('cuts what was fetched, and the last batch stands for the markers behind it, too', async () => {
    const { all } = await read(records('a', 'b', 'c', 'd', 'e'), 6n, 2);
    expect(all.map(({ change, lastOffset }) => [change.events.map((e) => e.after?.['text']), lastOffset])).toEqual([
      [['a', 'b'], 1n],
      [['c', 'd'], 3n],
      [['e'], 6n],
    ]);
    expect(all.map(({ change }) => change.resume)).toEqual([positionOf(1n), positionOf(3n), positionOf(6n)]);
    expect(all[2]?.change).toMatchObject({ source: 'bus', partition: 'orders/3', bytes: EVENT_BYTES + 1 });
    expect(all[2]?.change.events[0]).toMatchObject({ partition: 'orders/3', position: positionOf(4n) });
  });

  it('rejects with bytes and place what cannot be decoded, and goes on behind it', async () => {
    const { all, rejected } = await read(records('a', 'bad', 'none', 'b'), 3n, 10);
    expect(rejected).toEqual([['bad', 'topic "orders", partition 3, offset 1']]);
    expect(all.flatMap(({ change }) => change.events.map((e) => e.after?.['text']))).toEqual(['a', 'b']);
  });

  it('moves over a batch without any event', async () => {
    const { all } = await read(records('none', 'bad'), 1n, 10);
    expect(all).toMatchObject([{ change: { events: [], bytes: 0 }, lastOffset: 1n }]);
  });
});

describe('chunkEnd', () => {
  const one = EVENT_BYTES + 10;
  it.each([
    ['all that is there', 0, { maxBatchEvents: 10, maxBatchBytes: 10 * one }, 4],
    ['the rest', 3, { maxBatchEvents: 10, maxBatchBytes: 10 * one }, 4],
    ['no more events than the engine takes', 1, { maxBatchEvents: 2, maxBatchBytes: 10 * one }, 3],
    ['no more bytes', 0, { maxBatchEvents: 10, maxBatchBytes: 2 * one }, 2],
    ['one that is larger than all', 0, { maxBatchEvents: 10, maxBatchBytes: 1 }, 1],
  ])('takes %s', (_title, from, bounds, end) => {
    expect(chunkEnd(records('0123456789', '0123456789', '0123456789', '0123456789'), from, bounds)).toBe(end);
  });
});
