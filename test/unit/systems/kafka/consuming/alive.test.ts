import { describe, expect, it } from 'vitest';
import { whileAlive } from '../../../../../src/systems/kafka/consuming/alive.ts';
import { VirtualClock } from '../../../../helpers/virtual-clock.ts';

describe('whileAlive', () => {
  it('sends a heartbeat each second until the work is done', async () => {
    const clock = new VirtualClock();
    let beats = 0;
    const heartbeat = (): Promise<void> => Promise.resolve(void beats++),
      work = clock.sleep(3500).then(() => 'done');
    expect(await clock.until(whileAlive(work, heartbeat, clock))).toBe('done');
    expect(beats).toBe(3);
  });

  it('sends none for what is done at once', async () => {
    const clock = new VirtualClock();
    let beats = 0;
    await clock.until(whileAlive(Promise.resolve(), () => Promise.resolve(void beats++), clock));
    expect(beats).toBe(0);
  });

  it('fails with what the work fails with', async () => {
    const clock = new VirtualClock();
    const work = clock.sleep(1500).then(() => Promise.reject(new Error('malformed')));
    await expect(clock.until(whileAlive(work, () => Promise.resolve(), clock))).rejects.toThrow('malformed');
  });

  it('leaves work that goes on when the group divides its partitions, whatever becomes of it', async () => {
    const clock = new VirtualClock();
    const work = clock.sleep(60_000).then(() => Promise.reject(new Error('too late'))),
      heartbeat = (): Promise<void> => Promise.reject(new Error('rebalance'));
    await expect(clock.until(whileAlive(work, heartbeat, clock))).rejects.toThrow('rebalance');
    expect(clock.now()).toBe(Date.UTC(2026, 0, 1) + 1000);
    await clock.pass(60_000);
  });
});
