// Cases of `describeDestination` about what goes wrong: refused events, outages, stops, and the checks before.

import { expect } from 'vitest';
import { CdcError, type ChangeEvent, type Finding } from '../../index.ts';
import { Events, item, laneBatch } from '../batches.ts';
import type { DestinationHarness, DestinationTest } from '../destination-harness.ts';
import { within } from '../reading.ts';
import { ITEMS } from '../sample-tables.ts';
import { type DestinationCase, does, failuresOf, has } from './common.ts';

async function findings(t: DestinationTest, config: unknown): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of (await t.create(config)).check()) found.push(finding);
  return found;
}

function checkCase(what: 'unreachable' | 'forbidden' | 'misconfigured', code: string): DestinationCase {
  return {
    title: `check says ${code} with a fix when the system is ${what}`,
    lacks: has(what),
    async run(t) {
      const errors = (await findings(t, t.harness[what])).filter((f) => f.level === 'error');
      expect(errors.map((f) => f.code)).toContain(code);
      for (const f of errors) expect(f.fix, f.message).toBeTruthy();
    },
  };
}

/** Brings in what a refusal left: `skip` as the engine would set it. */
export async function writeRest(
  t: DestinationTest,
  destination: Awaited<ReturnType<DestinationTest['open']>>,
  events: readonly ChangeEvent[],
): Promise<number[]> {
  const skip = new Set<number>(),
    failed: number[] = [];
  for (let tries = 0; tries <= events.length; tries++) {
    const result = await t.write(destination, events, { skip });
    if (result.kind === 'stored') return failed;
    for (const { index } of failuresOf(result)) {
      skip.add(index);
      failed.push(index);
    }
    if (result.kind === 'partial') for (const index of result.written) skip.add(index);
    if (skip.size === events.length && !t.capabilities.holdsPoint) return failed;
  }
  throw new Error('the batch is still not stored after every event was tried');
}

export const FAILURE_CASES: readonly DestinationCase[] = [
  {
    title: 'check finds no error in a system that can be written',
    async run(t) {
      await t.harness.prepare?.(ITEMS);
      const found = await findings(t, t.harness.config);
      expect(found.filter((f) => f.level === 'error')).toEqual([]);
      expect(found.length).toBeGreaterThan(0);
    },
  },
  checkCase('unreachable', 'DESTINATION_UNREACHABLE'),
  checkCase('forbidden', 'DESTINATION_FORBIDDEN'),
  checkCase('misconfigured', 'DESTINATION_MISCONFIGURED'),
  {
    title: 'names the events that it refuses, and stores the others when they are skipped',
    lacks: has('poison'),
    async run(t) {
      const destination = await t.open(),
        e = new Events(),
        good = (n: number): ChangeEvent => e.create(item(n, `good ${n}`));
      const events = [good(1), good(2), t.harness.poison?.(e) as ChangeEvent, good(4)];
      const first = await t.write(destination, events);
      expect(failuresOf(first).map((f) => f.index)).toEqual([2]);
      if (first.kind === 'refused') expect(await t.stored()).toEqual([]);
      const skip = new Set([2, ...(first.kind === 'partial' ? first.written : [])]);
      if (skip.size < events.length || t.capabilities.holdsPoint)
        expect(await t.write(destination, events, { skip })).toEqual({ kind: 'stored' });
      const kept = events.filter((_, i) => i !== 2);
      expect(await t.stored()).toEqual(t.expected([item(1, 'good 1'), item(2, 'good 2'), item(4, 'good 4')], kept));
    },
  },
  {
    title: 'names an event that is too large, and stores the others when it is skipped',
    lacks: has('oversize'),
    async run(t) {
      const destination = await t.open(),
        e = new Events(),
        events = [e.create(item(1, 'small')), t.harness.oversize?.(e) as ChangeEvent, e.create(item(3, 'small too'))];
      expect(await writeRest(t, destination, events)).toEqual([1]);
      expect(await t.stored()).toEqual(
        t.expected([item(1, 'small'), item(3, 'small too')], [events[0] as ChangeEvent, events[2] as ChangeEvent]),
      );
    },
  },
  {
    title: 'has the same state after the same batch twice',
    lacks: (t) =>
      !t.capabilities.idempotent
        ? 'capabilities: not idempotent'
        : t.capabilities.holdsPoint
          ? 'its point makes a repeat impossible'
          : null,
    async run(t) {
      const destination = await t.open(),
        e = new Events();
      const events = [
        e.create(item(1, 'a')),
        ...(does('update', 'delete')(t) === null
          ? [e.create(item(2, 'b')), e.update(item(1, 'a'), item(1, 'c')), e.remove(item(2, 'b'))]
          : []),
      ];
      await t.write(destination, events);
      const once = await t.stored();
      await t.write(destination, events);
      expect(await t.stored()).toEqual(once);
    },
  },
  {
    title: 'writes nothing for an empty batch',
    async run(t) {
      const destination = await t.open();
      expect(await t.write(destination, [])).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual([]);
    },
  },
  {
    title: 'calls an outage retriable, and stores the same batch afterwards',
    lacks: has('outage'),
    async run(t) {
      const destination = await t.open(),
        e = new Events(),
        first = e.create(item(1, 'a')),
        second = [e.create(item(2, 'b'))];
      await t.write(destination, [first]);
      const repair = await (t.harness.outage as NonNullable<DestinationHarness['outage']>)();
      const failure = await t.write(destination, second).then(
        () => null,
        (error: unknown) => error,
      );
      await repair();
      expect(failure).toBeInstanceOf(CdcError);
      expect(failure).toMatchObject({ retriable: true });
      expect(await t.write(destination, second)).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual(t.expected([item(1, 'a'), item(2, 'b')], [first, ...second]));
    },
  },
  {
    title: 'gives up within a second when it is stopped, and the batch can be written again',
    async run(t) {
      const destination = await t.open(),
        events = [new Events().create(item(1, 'a'))];
      const batch = laneBatch(events, { previous: t.point, encode: (e) => t.encode(e), epoch: t.point.epoch });
      const outcome = await within(
        destination.write(batch, AbortSignal.abort()).then(
          (r) => r.kind,
          () => 'failed',
        ),
        'write() ignored its signal',
        1000,
      );
      if (outcome !== 'stored') expect(await t.write(destination, events)).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual(t.expected([item(1, 'a')], events));
    },
  },
  {
    title: 'has stored everything once it is closed, and closes twice',
    async run(t) {
      const destination = await t.open(),
        e = new Events(),
        events = [e.create(item(1, 'a')), e.create(item(2, 'b'))];
      await t.write(destination, events);
      await destination.close();
      await destination.close();
      expect(await t.stored()).toEqual(t.expected([item(1, 'a'), item(2, 'b')], events));
    },
  },
];
