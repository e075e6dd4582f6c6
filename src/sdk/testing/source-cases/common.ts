// What the cases of `describeSource` share: their form, what they need, and changes to make upstream.

import { type Change, insert } from '../sample-tables.ts';
import type { SourceHarness, SourceTest } from '../source-harness.ts';

export interface SourceCase {
  readonly title: string;
  /** Why it cannot run; `null` when it can. */
  readonly lacks?: (t: SourceTest) => string | null;
  readonly run: (t: SourceTest) => Promise<void>;
}

type Need = (t: SourceTest) => string | null;
export const has =
  (name: keyof SourceHarness): Need =>
  (t) =>
    t.harness[name] === undefined ? `the harness has no "${name}"` : null;
export const isLog: Need = (t) => (t.capabilities.ordering === 'log' ? null : 'positions of a queue are receipts');
export const isQueue: Need = (t) => (t.capabilities.ordering === 'queue' ? null : 'positions of a log outlive the session');
export const snapshots: Need = (t) => (t.capabilities.snapshot ? null : 'capabilities: no snapshot');
export const both =
  (a: Need, b: Need): Need =>
  (t) =>
    a(t) ?? b(t);

export const rowsFrom = (first: number, count: number): Change[] =>
  Array.from({ length: count }, (_, i) => insert(first + i, `row ${first + i}`));
