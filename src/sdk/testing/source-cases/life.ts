// Cases of `describeSource` about its life: checks, failures, ends.

import { expect } from 'vitest';
import type { Finding } from '../../index.ts';
import { Reader, readToEnd, within } from '../reading.ts';
import { insert } from '../sample-tables.ts';
import { idOf, type SourceTest } from '../source-harness.ts';
import { has, rowsFrom, type SourceCase } from './common.ts';

/** Being asked to stop must not keep an operator waiting. */
const ABORT_LIMIT_MS = 1000;

async function findings(t: SourceTest, config: unknown): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of (await t.open(config)).check()) found.push(finding);
  return found;
}

function checkCase(what: 'unreachable' | 'forbidden' | 'misconfigured', code: string): SourceCase {
  return {
    title: `check says ${code} with a fix when the upstream is ${what}`,
    lacks: has(what),
    async run(t) {
      const errors = (await findings(t, t.harness[what])).filter((f) => f.level === 'error');
      expect(errors.map((f) => f.code)).toContain(code);
      for (const f of errors) expect(f.fix, f.message).toBeTruthy();
    },
  };
}

export const LIFE_CASES: readonly SourceCase[] = [
  {
    title: 'check finds no error in a source that can be read',
    async run(t) {
      const found = await findings(t, t.harness.config);
      expect(found.filter((f) => f.level === 'error')).toEqual([]);
      expect(found.length).toBeGreaterThan(0);
    },
  },
  checkCase('unreachable', 'SOURCE_UNREACHABLE'),
  checkCase('forbidden', 'SOURCE_FORBIDDEN'),
  checkCase('misconfigured', 'SOURCE_MISCONFIGURED'),
  {
    title: 'calls a cut connection retriable, and goes on where it was',
    lacks: has('cut'),
    async run(t) {
      const { source, reader, from } = await t.streaming();
      await t.harness.cut?.();
      await t.harness.commit([insert(10, 'ten')]);
      const failure = await reader.next().then(
        () => null,
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ name: 'CdcError', retriable: true });
      const again = new Reader(source, from);
      await again.until((r) => r.events.some((e) => idOf(e) === 10), 'row 10');
      await again.stop();
    },
  },
  {
    title: 'rejects inputs that it cannot decode, each at a place of its own, and reads on',
    lacks: has('garbage'),
    async run(t) {
      const { reader } = await t.streaming();
      for (let n = 0; n < 2; n++) await t.harness.garbage?.();
      await t.harness.commit([insert(10, 'ten')]);
      const { rejected } = await reader.until((r) => r.events.some((e) => idOf(e) === 10), 'row 10');
      expect(rejected).toHaveLength(2);
      expect(rejected[0]?.at).not.toBe('');
      // Dead letters are known by it: of two with the same place one would be lost.
      expect(rejected[1]?.at).not.toBe(rejected[0]?.at);
    },
  },
  {
    title: 'ends by itself at the end that was asked for',
    async run(t) {
      await t.harness.commit(rowsFrom(1, 5));
      const { events } = await readToEnd(await t.open());
      expect(events.map(idOf).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
    },
  },
  {
    title: 'ends within a second when it is stopped while it waits',
    async run(t) {
      const { reader } = await t.streaming();
      const waiting = reader.next().catch(() => null);
      expect(await reader.stop()).toBeLessThan(ABORT_LIMIT_MS);
      await waiting;
    },
  },
  {
    title: 'ends within a second when it is stopped between two batches, and closes',
    async run(t) {
      await t.harness.commit(rowsFrom(1, 20));
      const source = await t.open(),
        reader = t.reader(source, { maxBatchEvents: 2 });
      await reader.events(2);
      expect(await reader.stop()).toBeLessThan(ABORT_LIMIT_MS);
      await within(t.closeSource(), 'close() did not return');
    },
  },
  {
    title: 'tells its lag without failing',
    async run(t) {
      const { source } = await t.streaming(),
        lag = await source.lag();
      for (const n of [lag.events, lag.bytes]) expect(n === null || n >= 0).toBe(true);
    },
  },
];
