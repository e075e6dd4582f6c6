import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../../../src/sdk/index.ts';
import { Ends } from '../../../../../src/systems/kafka/consuming/ends.ts';
import { positionOf } from '../../../../../src/systems/kafka/consuming/position.ts';
import { VirtualClock } from '../../../../helpers/virtual-clock.ts';

/** Ends at offset 9 of partitions 0 and 1; the next offsets are ours, and the group's. */
class Run {
  readonly clock = new VirtualClock();
  readonly own = new Map<string, { next: bigint | null }>();
  readonly committed = new Map<string, bigint>();
  readonly failures: unknown[] = [];
  asked = 0;
  reached = 0;
  trouble: Error | null = null;
  readonly ends = new Ends({
    until: { 'orders/0': positionOf(9n), 'orders/1': positionOf(9n) },
    own: () => this.own,
    committed: () => {
      this.asked++;
      return this.trouble === null ? Promise.resolve(new Map(this.committed)) : Promise.reject(this.trouble);
    },
    reached: () => this.reached++,
    failed: (error) => this.failures.push(error),
    clock: this.clock,
    logger: silentLogger,
  });

  /** Where we stand now: `null` is not placed yet, what is left out is not ours. */
  async at(places: Readonly<Record<string, bigint | null>>): Promise<void> {
    this.own.clear();
    for (const [name, next] of Object.entries(places)) this.own.set(name, { next });
    this.ends.check();
    await this.clock.pass(0);
  }
}

describe('Ends', () => {
  it.each([
    ['both are read', { 'orders/0': 10n, 'orders/1': 12n }, 1, 0],
    ['one is not', { 'orders/0': 10n, 'orders/1': 9n }, 0, 0],
    ['one is not placed', { 'orders/0': 10n, 'orders/1': null }, 0, 0],
    ['one that has no end is not placed', { 'orders/0': 10n, 'orders/1': 10n, 'orders/2': null }, 0, 0],
    ['ours is not, and another member has the other', { 'orders/0': 9n }, 0, 0],
    ['ours is, and another member has the other', { 'orders/0': 10n }, 0, 1],
    ['others have both', {}, 0, 1],
  ])('where %s', async (_title, places, reached, asked) => {
    const run = new Run();
    await run.at(places);
    expect([run.reached, run.asked, run.failures]).toEqual([reached, asked, []]);
  });

  it('are reached when nothing was there at the start', async () => {
    let reached = 0;
    const { clock, failures } = new Run(),
      committed = () => Promise.resolve(new Map<string, bigint>());
    const failed = (error: unknown): void => void failures.push(error);
    new Ends({ until: {}, own: () => new Map(), committed, reached: () => reached++, failed, clock, logger: silentLogger }).check();
    expect(reached).toBe(1);
  });

  it('wait for the last message that another member commits', async () => {
    const run = new Run();
    await run.at({ 'orders/0': 10n });
    for (const next of [5n, 9n]) {
      run.committed.set('orders/1', next);
      await run.clock.pass(5000);
      expect(run.reached).toBe(0);
    }
    run.committed.set('orders/1', 10n);
    await run.clock.pass(1000);
    expect(run.reached).toBe(1);
    const { asked } = run;
    await run.clock.pass(60_000);
    expect(run.asked, 'nobody is asked any more').toBe(asked);
  });

  it('wait once, however often places move meanwhile', async () => {
    const run = new Run();
    for (let next = 10n; next < 20n; next++) await run.at({ 'orders/0': next });
    expect(run.asked).toBe(1);
  });

  it('go on with what comes to us when the other member dies, to its end', async () => {
    const run = new Run();
    await run.at({ 'orders/0': 10n });
    await run.at({ 'orders/0': 10n, 'orders/1': null });
    await run.at({ 'orders/0': 10n, 'orders/1': 3n });
    await run.clock.pass(60_000);
    expect([run.reached, run.asked]).toEqual([0, 1]);
    await run.at({ 'orders/0': 10n, 'orders/1': 10n });
    expect(run.reached).toBe(1);
  });

  it('wait again when what came to us goes to another member', async () => {
    const run = new Run();
    await run.at({ 'orders/0': 10n });
    await run.at({ 'orders/0': 10n, 'orders/1': 3n });
    await run.clock.pass(1000);
    await run.at({ 'orders/0': 10n });
    run.committed.set('orders/1', 10n);
    await run.clock.pass(1000);
    expect(run.reached).toBe(1);
  });

  it('do not take our own word for a partition that was taken away: what was read is not committed yet', async () => {
    const run = new Run();
    await run.at({ 'orders/0': 10n, 'orders/1': 9n });
    await run.at({ 'orders/1': 10n });
    await run.clock.pass(5000);
    expect(run.reached).toBe(0);
    run.committed.set('orders/0', 10n);
    await run.clock.pass(1000);
    expect(run.reached).toBe(1);
  });

  it('fail with what asking the group fails with', async () => {
    const run = new Run();
    run.trouble = new Error('no coordinator');
    await run.at({ 'orders/0': 10n });
    expect([run.failures, run.reached]).toEqual([[run.trouble], 0]);
  });

  it('wait for nobody once stopped', async () => {
    const run = new Run();
    await run.at({ 'orders/0': 10n });
    run.ends.stop();
    run.committed.set('orders/1', 10n);
    await run.clock.pass(60_000);
    await run.at({ 'orders/0': 11n });
    expect([run.reached, run.asked]).toEqual([0, 1]);
  });

  it.each([
    ['orders/0', 9n, false],
    ['orders/0', 10n, true],
    ['orders/2', 10n, false],
  ])('of %s: what comes next at %s is behind it: %s', (name, next, isBehind) => {
    expect(new Run().ends.isBehind(name, next)).toBe(isBehind);
  });
});
