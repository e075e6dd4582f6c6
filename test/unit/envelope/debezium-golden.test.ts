// Compatible mode against Debezium's recorded output: same records, same members in the same order, same values.

import { describe, expect, test } from 'vitest';
import { createEnvelope } from '../../../src/envelope/create.ts';
import type { EncodedBatch } from '../../../src/sdk/index.ts';
import { GOLDEN_CASES, normalized, recorded, recordedLines } from '../../helpers/debezium-records.ts';
import { goldenEvents, goldenFields } from './golden-events.ts';

function ours(options: Record<string, unknown>, truncates: boolean): { lines: string[]; batch: EncodedBatch } {
  const envelope = createEnvelope(
    { type: 'debezium', options: { compatible: true, ...options } },
    {
      pipeline: 'golden',
      version: '0.1.0',
      now: () => 1_795_242_997_141,
      sources: { golden: { connector: 'postgresql', database: 'golden', fields: goldenFields } },
    },
  );
  const batch = envelope.encode(goldenEvents({ truncates }));
  return { lines: normalized(batch), batch };
}

describe('compatible mode writes what Debezium wrote', () => {
  test.each(GOLDEN_CASES)('$file', ({ file, options, truncates }) => {
    const expected = recorded(file),
      { lines } = ours(options, truncates);
    for (const [i, line] of expected.entries()) expect(lines[i], `record ${i + 1}`).toBe(line);
    expect(lines).toHaveLength(expected.length);
  });

  // Numbers too are written as Debezium does: `0.0`, `3.4028235E38`. Only its escapes of emoji are not kept.
  test('rows are equal byte for byte', () => {
    const rowsOf = (line: string): string => /"before":.*?,"source":\{/.exec(line)?.[0] ?? '';
    const lines = recordedLines('default').map((line) => rowsOf(line).replace('\\uD83D\\uDE80', '🚀'));
    expect(lines.filter((line) => line !== '')).toHaveLength(25);
    expect(ours({}, false).batch.value.map((bytes) => rowsOf(bytes === null ? '' : Buffer.from(bytes).toString()))).toEqual(lines);
  });

  test('ties the two records of a change of key together by headers', () => {
    const { batch } = ours({}, false);
    const at = batch.headers.findIndex((h) => h !== null && '__debezium.newkey' in h);
    expect(batch.headers.slice(at, at + 3)).toEqual([
      { '__debezium.newkey': '{"id":20}' },
      { '__debezium.newkey': '{"id":20}' },
      { '__debezium.oldkey': '{"id":10}' },
    ]);
    expect(new Set(batch.event.slice(at, at + 3)).size).toBe(1);
  });
});
