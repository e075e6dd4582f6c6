// Records of a batch as messages: which are made, in what order, and which number of its event each is.

import { describe, expect, it } from 'vitest';
import { CdcError } from '../../../src/sdk/index.ts';
import { Events, item, laneBatch } from '../../../src/sdk/testing/index.ts';
import { bufferOf, messagesOf } from '../../../src/systems/outgoing.ts';

const e = new Events();
const batch = laneBatch([1, 2, 3].map((id) => e.create(item(id, 'x'))));
/** The first and the last event have two records. */
const records = { ...batch.encoded(), event: Uint32Array.of(0, 0, 1, 2, 2) };

describe('records', () => {
  it('are counted within their event', () => {
    const { messages } = messagesOf(batch, records, (change, i, nth) => [change.after?.['id'], i, nth]);
    expect(messages).toEqual([
      [1, 0, 1],
      [1, 1, 2],
      [2, 2, 1],
      [3, 3, 1],
      [3, 4, 2],
    ]);
  });

  it('of events to skip are left out', () => {
    const { messages } = messagesOf({ ...batch, skip: new Set([0, 1]) }, records, (_, i) => [i]);
    expect(messages).toEqual([[3], [4]]);
  });

  it('that cannot be messages fail their event, once, and no other', () => {
    const error = new CdcError('DESTINATION_EVENT_REJECTED', 'no', { fix: 'No.' }),
      { messages, failed } = messagesOf(batch, records, (_, i) => (i < 2 ? error : [i]));
    expect(messages).toEqual([[2], [3], [4]]);
    expect(failed).toEqual([{ index: 0, error }]);
  });

  it('lie where they lay', () => {
    const bytes = Uint8Array.of(0, 1, 2, 3).subarray(1, 3);
    expect(bufferOf(bytes)).toEqual(Buffer.from([1, 2]));
    expect(bufferOf(bytes).buffer).toBe(bytes.buffer);
    expect(bufferOf(null)).toHaveLength(0);
  });
});
