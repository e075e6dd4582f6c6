import { describe, expect, it } from 'vitest';
import { formatPayload } from '../../../src/hooks/payload.ts';
import { PAYLOADS } from './samples.ts';

const byEvent = Object.fromEntries(PAYLOADS.map((p) => [p.event, JSON.parse(formatPayload(p)) as Record<string, unknown>]));

describe('the payload', () => {
  it('names event, pipeline and run', () => {
    expect(byEvent['before_run']).toEqual({
      event: 'before_run',
      pipeline: 'orders',
      run: {
        id: 7,
        started_at_ms: 1000,
        ended_at_ms: 2000,
        outcome: 'failed',
        events_read: 12,
        events_filtered: 1,
        dead_letters: 2,
        delivered: { bus: 9 },
        resumed_from: { shop: { main: 'line 3' } },
        error: { code: 'SOURCE_FAILED', message: 'gone', where: null, fix: 'Look.', retriable: false },
      },
    });
  });

  it('has what belongs to its event', () => {
    expect(byEvent['on_error']?.['error']).toEqual({ code: 'DESTINATION_FULL', message: 'full', where: null, fix: null, retriable: false });
    expect(byEvent['on_checkpoint']?.['point']).toEqual({
      epoch: 3,
      log: { id: 'l', seq: 4 },
      sources: { shop: { main: '42' } },
      snapshots: [{ source: 'shop', table: 'public.orders', state: 'running', rows: 10 }],
    });
    expect(byEvent['on_schema_change']?.['change']).toEqual({
      id: 'shop/main/42',
      source: 'shop',
      table: 'public.orders',
      kind: 'alter',
      version: 2,
      key: ['id'],
      columns: [{ name: 'id', type: 'bigint', nullable: false }],
      ddl: 'alter table orders add x int',
      ts_ms: 5,
    });
  });

  it('is one line, and tells neither causes of errors nor keys of rows', () => {
    for (const payload of PAYLOADS) expect(formatPayload(payload)).not.toMatch(/\n|hunter2|123-45/);
  });
});
