// Writes a batch as the engine does, over faults.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { CdcError, type Destination, formatPoint, type LaneBatch, type ResumePoint } from '../../src/sdk/index.ts';
import { LANE, STORED } from './postgresql-lane.ts';

const never = new AbortController().signal;

/** What is unknown is looked up where the destination keeps the place, what is retriable is tried again. */
export async function deliver(destination: Destination, batch: LaneBatch, isTracked = true): Promise<void> {
  for (let isUnknown = false; ; ) {
    try {
      if (isUnknown && isTracked) {
        const found = await destination.committed(LANE);
        if (found.kind === 'points' && formatPoint(found.points[0] as ResumePoint) === formatPoint(batch.through)) return;
      }
      expect(await destination.write(batch, never)).toEqual(STORED);
      return;
    } catch (error) {
      if (!(error instanceof CdcError) || !error.retriable) throw error;
      isUnknown ||= error.code === 'DESTINATION_OUTCOME_UNKNOWN';
      await sleep(20);
    }
  }
}
