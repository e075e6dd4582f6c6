import { describe, expect, it } from 'vitest';
import { CdcError } from '../../../src/sdk/index.ts';
import { LaneWorld, unreachable } from '../../helpers/lane-world.ts';

describe('values that a destination left out', () => {
  it('are counted once per batch that was stored, not per try', async () => {
    const world = new LaneWorld();
    world.fill(1, 10);
    let tries = 0;
    world.around = async (batch, _signal, write) => {
      tries++;
      if (tries === 1) throw unreachable();
      const result = await write();
      return result.kind === 'stored' && batch.events.length > 0 ? { ...result, discarded: batch.events.length * 2 } : result;
    };
    const handle = world.start();
    await world.clock.until(handle.done);
    expect(tries).toBeGreaterThan(1);
    expect(handle.status().lanes[0]).toMatchObject({ delivered: 10, discardedValues: 20 });
  });
});

describe('a destination that freezes a table', () => {
  it('ends the pipeline with its error, with nothing in the dead letter queue', async () => {
    const world = new LaneWorld();
    world.fill(1, 10);
    world.around = async () => {
      throw new CdcError('DESTINATION_SCHEMA_FROZEN', 'column "note" is missing there', { fix: 'Run it.' });
    };
    const { outcome, error } = await world.run();
    expect([outcome, error?.code, world.letters]).toEqual(['failed', 'DESTINATION_SCHEMA_FROZEN', []]);
  });
});
