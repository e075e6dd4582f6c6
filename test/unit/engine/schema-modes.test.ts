import { describe, expect, it } from 'vitest';
import { schemaModes } from '../../../src/engine/schema-modes.ts';

const table = (schema: string | null, name: string) => ({ database: null, schema, table: name });

describe('schemaModes', () => {
  const modes = schemaModes({
    mode: 'evolve',
    tables: [
      { pattern: 'public.audit_*', mode: 'freeze' },
      { pattern: 'public.*', mode: 'lenient' },
      { pattern: 'public.audit_log', mode: 'dlq' },
      { pattern: 'events', mode: 'discard' },
    ],
  });

  it.each([
    ['public', 'audit_log', 'dlq'],
    ['public', 'audit_rows', 'freeze'],
    ['public', 'orders', 'lenient'],
    ['sales', 'orders', 'evolve'],
    [null, 'events', 'discard'],
    ['public', 'events', 'lenient'],
  ])('takes an exact name, then the first pattern: %s.%s is %s', (schema, name, mode) => {
    expect(modes.modeOf(table(schema, name))).toBe(mode);
    expect(modes.modeOf(table(schema, name))).toBe(mode);
  });
});
