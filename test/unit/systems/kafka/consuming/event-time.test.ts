import { describe, expect, it } from 'vitest';
import { eventTimeMs } from '../../../../../src/systems/kafka/consuming/event-time.ts';

const at = (type: 'timestamp' | 'integer', unit: 's' | 'ms' | 'us' | 'ns' = 'ms') => ({ column: 'at', type, unit });
const MS = 1_709_210_096_789;

describe('eventTimeMs', () => {
  it.each([
    [at('timestamp'), '2024-02-29T12:34:56.789Z', MS],
    [at('timestamp'), '2024-02-29 14:34:56.789+02:00', MS],
    [at('timestamp'), '2024-02-29 12:34:56.789', MS],
    [at('timestamp'), '2024-02-29', 1_709_164_800_000],
    [at('timestamp'), MS, MS],
    [at('timestamp', 's'), 1_709_210_096, 1_709_210_096_000],
    [at('integer', 'us'), 1_709_210_096_789_123n, MS],
    [at('integer'), '2024-02-29T12:34:56Z', null],
    [at('timestamp'), 'yesterday', null],
    [at('timestamp'), '2024-13-45T99:00:00Z', null],
    [at('timestamp'), null, null],
  ])('reads with %o the value %s', (watermark, value, ms) => {
    expect(eventTimeMs(watermark, { at: value })).toBe(ms);
  });

  it('has none without the field, and without a row', () => {
    expect([eventTimeMs(at('timestamp'), { other: 1 }), eventTimeMs(at('timestamp'), null)]).toEqual([null, null]);
  });
});
