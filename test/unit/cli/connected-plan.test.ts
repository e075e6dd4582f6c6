import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { type ConnectedPlan, connectedLines, refusals } from '../../../src/cli/connected-plan.ts';

const plain = pc.createColors(false);
const found: ConnectedPlan = {
  sources: [
    {
      name: 'shop',
      plan: {
        creates: [{ what: 'the replication slot s', statement: 'CREATE_REPLICATION_SLOT "s" LOGICAL pgoutput' }],
        locks: ['ACCESS SHARE'],
        reads: [
          { table: 'public.items', rows: 110_000 },
          { table: 'public.odd', rows: null },
        ],
        keeps: { by: 'the replication slot s', limitBytes: 1 << 30, bytesPerSecond: 1 << 20 },
      },
      error: null,
    },
    { name: 'quiet', plan: { creates: [], locks: [], reads: [], keeps: null }, error: null },
    { name: 'away', plan: null, error: 'no connection' },
    { name: 'plain', plan: null, error: null },
  ],
  findings: [
    {
      pipeline: 'p',
      component: 'source shop (postgresql)',
      findings: [
        { level: 'ok', check: 'reachable', message: 'there' },
        { level: 'warning', check: 'w', message: 'no limit', fix: 'Set one.' },
        { level: 'error', check: 'publication', message: 'it is missing' },
      ],
    },
  ],
};

describe('a plan that asked the servers', () => {
  it('shows statements, locks, rows, what is kept, and what checks say', () => {
    expect(connectedLines(found, plain)).toEqual([
      '',
      'At the servers now',
      '  + source shop: the replication slot s',
      '      CREATE_REPLICATION_SLOT "s" LOGICAL pgoutput;',
      '  locks: ACCESS SHARE',
      '  reads first: at least 110,000 rows of 2 tables, about 5.5 s at 20,000 rows/s',
      '    public.items  110,000 rows',
      '    public.odd    unknown',
      '  the replication slot s keeps the log while the pipeline does not read: it grows by 1 MiB/s now; 1 GiB are allowed, enough for 17 min 4 s',
      '  source quiet creates nothing: all is there',
      '  reads no existing rows',
      '  ✖ source away: no connection',
      '',
      'Checks',
      '  ! source shop (postgresql): no limit',
      '    fix: Set one.',
      '  ✖ source shop (postgresql): it is missing',
    ]);
    expect(refusals(found)).toBe(1);
  });
});
