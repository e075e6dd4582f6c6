import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { lagLines, retentionText } from '../../../src/cli/lag-text.ts';
import type { Retention } from '../../../src/sdk/index.ts';

const plain = pc.createColors(false);
const kept: Retention = {
  by: 'slot cdc_run_orders',
  retainedBytes: 16 << 20,
  status: 'reserved',
  safeBytes: 1 << 30,
  lossInMs: 3 * 3_600_000,
};

describe('lag', () => {
  it('shows sources, what they keep, and destinations', () => {
    const lag = { events: null, bytes: 1 << 20, retention: kept, atMs: 0 };
    const lines = lagLines(
      {
        pipeline: 'orders',
        running: true,
        sources: [
          { name: 'shop', lagMs: 8, lag, error: null },
          { name: 'crm', lagMs: null, lag: { events: 12, bytes: null, atMs: 0 }, error: null },
          { name: 'old', lagMs: null, lag: null, error: 'no connection' },
        ],
        lanes: [
          { name: 'replica', lagBytes: 2 << 20, lagMs: 120, queued: 12 },
          { name: 'files', lagBytes: null, lagMs: null, queued: 0 },
        ],
      },
      plain,
    );
    expect(lines).toEqual([
      'orders  running',
      '  from  shop                 1 MiB behind, the last change was read 8 ms after its commit',
      '        slot cdc_run_orders  reserved, keeps 16 MiB, 1 GiB may still be written, at this rate for 3 h',
      '  from  crm                  12 events behind',
      '  from  old                  no connection',
      '  to    replica              2 MiB behind, 12 waiting, lag 0.1 s',
      '  to    files                has delivered nothing yet',
    ]);
  });

  it.each([
    ['no limit', { ...kept, safeBytes: null, lossInMs: null }, 'reserved, keeps 16 MiB, without a limit'],
    ['a limit by age', { ...kept, safeBytes: null, lossInMs: 3_600_000 }, 'reserved, keeps 16 MiB, for at least 1 h'],
    [
      'danger',
      { ...kept, status: 'unreserved', safeBytes: 0, lossInMs: 0 },
      'unreserved: it may be lost any time, keeps 16 MiB, 0 B may still be written, it may be lost any time',
    ],
    ['loss', { ...kept, status: 'lost' }, 'lost: what it kept is gone, the tables must be read anew'],
  ])('says of what is kept: %s', (_, retention, text) => {
    expect(retentionText(retention, plain)).toBe(text);
  });
});
