import { describe, expect, it } from 'vitest';
import { SlotForecast, type SlotLag } from '../../../../src/sources/postgresql/lag.ts';
import { logPositions, positionAfter } from '../../../../src/sources/postgresql/position.ts';
import { slotState } from '../../../../src/sources/postgresql/replication/slot.ts';

const look = (safe: string | null, status = 'extended'): SlotLag => ({
  slot: slotState({ slot_name: 'cdc_run_orders', wal_status: status, safe_wal_size: safe }),
  currentLsn: 1000n,
  bytesBehind: 10n,
  retainedBytes: 400n,
});

describe('what a slot may come to', () => {
  it('is told from how fast the room was used within some minutes', () => {
    const forecast = new SlotForecast();
    expect(forecast.retention(look('1000000'), 0)).toEqual({
      by: 'slot cdc_run_orders',
      retainedBytes: 400,
      status: 'extended',
      safeBytes: 1_000_000,
      lossInMs: null,
    });
    expect(forecast.retention(look('900000'), 60_000).lossInMs).toBe(540_000);
    // The first look is too old by now.
    expect(forecast.retention(look('800000'), 360_000).lossInMs).toBe(2_400_000);
  });

  it('is now when the slot is lost, and never without a limit', () => {
    expect(new SlotForecast().retention(look(null, 'lost'), 0).lossInMs).toBe(0);
    expect(new SlotForecast().retention(look(null), 0)).toMatchObject({ safeBytes: null, lossInMs: null });
  });
});

describe('bytes between places of the log', () => {
  it.each([
    [0x100n, 0x180n, 0x80],
    [0x180n, 0x100n, 0],
  ])('from %s to %s are %s', (from, to, bytes) => {
    expect(logPositions.bytesBetween?.(positionAfter(from), positionAfter(to))).toBe(bytes);
  });
});
