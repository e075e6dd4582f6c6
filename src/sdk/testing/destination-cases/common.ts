// What the cases of `describeDestination` share: their form, what they need, and how a refusal is read.

import { expect } from 'vitest';
import type { WriteFailure, WriteResult } from '../../index.ts';
import type { DestinationHarness, DestinationTest, RowOp } from '../destination-harness.ts';

export interface DestinationCase {
  readonly title: string;
  /** Why it cannot run; `null` when it can. */
  readonly lacks?: (t: DestinationTest) => string | null;
  readonly run: (t: DestinationTest) => Promise<void>;
}

export const has =
  (name: keyof DestinationHarness) =>
  (t: DestinationTest): string | null =>
    t.harness[name] === undefined ? `the harness has no "${name}"` : null;
export const does =
  (...ops: RowOp[]) =>
  (t: DestinationTest): string | null => {
    const missing = ops.filter((op) => !t.harness.ops.includes(op));
    return missing.length === 0 ? null : `this destination has no ${missing.join(', ')}`;
  };
export const holdsPoint = (t: DestinationTest): string | null => (t.capabilities.holdsPoint ? null : 'capabilities: holds no point');
export const all =
  (...needs: ((t: DestinationTest) => string | null)[]) =>
  (t: DestinationTest): string | null =>
    needs.map((n) => n(t)).find((why) => why !== null) ?? null;
export const ofRows = has('rows');

/** The failures that a result names; fails when it names none. */
export function failuresOf(result: WriteResult): readonly WriteFailure[] {
  if (result.kind === 'stored') throw new Error('the batch was stored although an event in it can never be');
  for (const { error } of result.failed) expect(error).toMatchObject({ name: 'CdcError', retriable: false });
  return result.failed;
}
