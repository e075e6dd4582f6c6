import { describe, expect, it } from 'vitest';
import { type DestinationQueueOptions, openDestinationDeadLetterQueue } from '../../../src/dead-letters/destination-queue.ts';
import type { DeadLetterQueue } from '../../../src/engine/api.ts';
import { FakeHoldingDestination, FakeRecordsDestination, Faults, HoldingStore, UntrackedStore } from '../../../src/sdk/testing/index.ts';
import { letter } from './samples.ts';

const OPTIONS: Omit<DestinationQueueOptions, 'open' | 'holdsPoint' | 'input'> = {
  pipeline: 'orders',
  lane: null,
  name: 'dead',
  envelope: { type: 'plain', options: {} },
  version: '1',
  now: () => 5,
};
const holdingQueue = (store: HoldingStore): DeadLetterQueue =>
  openDestinationDeadLetterQueue({ ...OPTIONS, holdsPoint: true, input: 'rows', open: async () => new FakeHoldingDestination(store) });

describe('a dead letter queue that is a destination', () => {
  it('keeps letters as rows by their id: one that comes again replaces itself', async () => {
    const store = new HoldingStore(new Faults()),
      queue = holdingQueue(store);
    await queue.put([letter(1), letter(2), letter(1)]);
    await queue.put([letter(2, { attempts: 9 })]);
    await queue.close();
    expect([...store.rows.values()]).toMatchObject([
      {
        id: letter(1).id,
        pipeline: 'orders',
        lane: 'bus',
        stage: 'write',
        code: 'DESTINATION_EVENT_REJECTED',
        fix: 'Widen the column.',
        attempts: 3,
      },
      { id: letter(2).id, attempts: 9, last_at: '1970-01-01T00:00:00.002Z', event: { op: 'u', table: 'public.orders' } },
    ]);
  });

  it('fences a process that wrote before, whose put then fails', async () => {
    const store = new HoldingStore(new Faults()),
      [old, young] = [holdingQueue(store), holdingQueue(store)];
    await old.put([letter(1)]);
    await young.put([letter(2)]);
    await expect(old.put([letter(3)])).rejects.toMatchObject({ code: 'DLQ_UNAVAILABLE', retriable: false });
    expect(store.rows.size).toBe(2);
  });

  it('sends records where letters are no rows, and opens nothing before the first', async () => {
    const store = new UntrackedStore(new Faults());
    let opened = 0;
    const queue = openDestinationDeadLetterQueue({
      ...OPTIONS,
      holdsPoint: false,
      input: 'bytes',
      open: async () => {
        opened++;
        return new FakeRecordsDestination(store);
      },
    });
    await queue.put([]);
    expect(opened).toBe(0);
    await Promise.all([queue.put([letter(1)]), queue.put([letter(2)])]);
    await queue.close();
    expect([opened, store.records.map((r) => Buffer.from(r.value ?? []).includes('"code":"DESTINATION_EVENT_REJECTED"'))]).toEqual([
      1,
      [true, true],
    ]);
  });

  it('fails as DLQ_UNAVAILABLE: to be tried again while it is away, for good when it refuses a letter', async () => {
    const faults = new Faults(),
      queue = holdingQueue(new HoldingStore(faults));
    faults.down = true;
    await expect(queue.put([letter(1)])).rejects.toMatchObject({ code: 'DLQ_UNAVAILABLE', retriable: true });
    faults.down = false;
    faults.rejects = () => true;
    await expect(queue.put([letter(1)])).rejects.toMatchObject({ code: 'DLQ_UNAVAILABLE', retriable: false });
    faults.rejects = () => false;
    await queue.put([letter(1)]);
    await queue.close();
  });
});
