// The memory log: numbering, bounds, and what is let go when.

import { describe, expect, it } from 'vitest';
import type { LogAppend } from '../../../src/log/change-log.ts';
import { MemoryLog } from '../../../src/log/memory-log.ts';
import { ChangeEvent, type Position, positionOfNumber } from '../../../src/sdk/index.ts';

const START = { sources: {}, snapshots: [] };
const TABLE = { id: { database: null, schema: null, table: 't' }, columns: [], key: [], version: 1 };
const event = (n: number): ChangeEvent =>
  new ChangeEvent({ op: 'c', table: TABLE, source: 's', partition: 'p', position: positionOfNumber(n), sourceTsMs: 0 });
const place = (n: number) => ({ sources: { s: { p: positionOfNumber(n) as Position } }, snapshots: [] });
let next = 0;
function batch(size: number, bytes = 10): LogAppend {
  const events = Array.from({ length: size }, () => event(++next));
  return { source: 's', partition: 'p', events, bytes, snapshots: [], after: place(next), whole: false };
}
const log = (maxEvents = 10, maxBytes = 1e6) => new MemoryLog({ id: 'm', maxEvents, maxBytes, start: START });

describe('MemoryLog', () => {
  it('numbers every event and the end of every batch, the empty ones too', () => {
    const l = log();
    expect([l.append(batch(2)), l.append(batch(0)), l.append(batch(1))].map((b) => [b.firstSeq, b.endSeq])).toEqual([
      [1, 3],
      [4, 4],
      [5, 6],
    ]);
    expect(l.lastSeq).toBe(6);
  });

  it('finds the batch of every number, and null beyond the end', () => {
    const l = log();
    l.reader(0);
    const batches = [batch(2), batch(0), batch(3)].map((b) => l.append(b));
    for (const b of batches) for (let seq = b.firstSeq; seq <= b.endSeq; seq++) expect(l.read(seq)).toBe(b);
    expect(l.read(l.lastSeq + 1)).toBeNull();
  });

  it('begins each batch at the place where the one before ended', () => {
    const l = log();
    const [first, second] = [l.append(batch(1)), l.append(batch(1))];
    expect(first.before).toBe(START);
    expect(second.before).toBe(first.after);
  });

  it('is full at its bound in events or bytes, and takes a batch of any size when empty', () => {
    const l = log(4),
      reader = l.reader(0);
    l.append(batch(9));
    expect(l.full).toBe(true);
    reader.release(l.lastSeq);
    expect(l.full).toBe(false);
    expect(l.held()).toEqual({ events: 0, bytes: 0 });
    const bytes = log(100, 5000);
    bytes.reader(0);
    bytes.append(batch(1, 6000));
    expect(bytes.full).toBe(true);
  });

  it('counts empty batches against the bound, so that progress alone cannot fill the memory', () => {
    const l = log(10, 10_000);
    l.reader(0);
    let appended = 0;
    while (!l.full) {
      l.append(batch(0, 0));
      appended++;
    }
    expect(appended).toBeLessThan(100);
  });

  it('holds what the slowest reader has not released, and says so when more is asked for', () => {
    const l = log(100),
      slow = l.reader(0),
      fast = l.reader(0);
    for (let i = 0; i < 10; i++) l.append(batch(2));
    fast.release(30);
    expect(l.held().events).toBe(20);
    slow.release(15);
    expect(l.held().events).toBe(10);
    expect(() => l.read(1)).toThrow(expect.objectContaining({ code: 'STATE_LOG_GAP' }) as Error);
    slow.close();
    expect(l.held().events).toBe(0);
  });

  it('keeps its size over many batches', () => {
    const l = log(1000),
      reader = l.reader(0);
    for (let i = 0; i < 5000; i++) {
      l.append(batch(3));
      reader.release(l.lastSeq - 8);
    }
    expect(l.held().events).toBeLessThan(12);
    expect(l.read(l.lastSeq)?.endSeq).toBe(l.lastSeq);
  });
});
