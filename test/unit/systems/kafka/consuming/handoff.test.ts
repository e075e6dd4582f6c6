import { describe, expect, it } from 'vitest';
import { Handoff } from '../../../../../src/systems/kafka/consuming/handoff.ts';

describe('Handoff', () => {
  it('gives values in order, each when it is asked for', async () => {
    const handoff = new Handoff<number>(),
      made: number[] = [];
    const put = (n: number) =>
      handoff.put(() => {
        made.push(n);
        return n;
      });
    const first = put(1),
      second = put(2);
    expect(await handoff.take()).toBe(1);
    expect(made).toEqual([1]);
    expect(await first.taken).toBe(true);
    expect(await handoff.take()).toBe(2);
    expect(await second.taken).toBe(true);
  });

  it('waits for a value', async () => {
    const handoff = new Handoff<string>(),
      taken = handoff.take();
    handoff.put(() => 'late');
    expect(await taken).toBe('late');
  });

  it('does not give what was withdrawn', async () => {
    const handoff = new Handoff<number>(),
      first = handoff.put(() => 1);
    first.withdraw();
    handoff.put(() => 2);
    expect(await first.taken).toBe(false);
    expect(await handoff.take()).toBe(2);
  });

  it('fails after what was offered before', async () => {
    const handoff = new Handoff<number>();
    handoff.put(() => 1);
    handoff.fail(new Error('broken'));
    expect(await handoff.take()).toBe(1);
    await expect(handoff.take()).rejects.toThrow('broken');
  });

  it('finishes after what was offered, and ends at once', async () => {
    const finished = new Handoff<number>();
    finished.put(() => 1);
    finished.finish();
    expect([await finished.take(), await finished.take()]).toEqual([1, null]);

    const ended = new Handoff<number>(),
      left = ended.put(() => 1),
      waiting = ended.take();
    expect(await waiting).toBe(1);
    const second = ended.put(() => 2);
    ended.end();
    expect([await left.taken, await second.taken, await ended.take()]).toEqual([true, false, null]);
    expect(await ended.put(() => 3).taken).toBe(false);
  });
});
