// What operators may write as a position: `PositionCodec.parse` of the built-in log sources.

import { describe, expect, it } from 'vitest';
import type { PositionCodec } from '../../../src/sdk/index.ts';
import { filePositions } from '../../../src/sources/file/position.ts';
import { GeneratorSource } from '../../../src/sources/generator/stream.ts';
import { changePositions, pollPositions } from '../../../src/sources/sqlite/position.ts';

const generator = new GeneratorSource(
  { seed: 1, row_bytes: 10, tables: ['t'], partitions: 1, count: 1, keys: 1, mix: { c: 1, u: 0, d: 0 } } as never,
  { name: 'g', clock: { now: () => 0 } } as never,
).positions;
const FILE = '00000001:0000000000000027:0000000003:1a2b3c-9f8e7d6c-01234567';

describe('parse', () => {
  it.each<[string, PositionCodec, string, string | null]>([
    ['generator', generator, '42', '0000000000000042'],
    ['generator', generator, 'event 42', '0000000000000042'],
    ['generator', generator, '0000000000000042', '0000000000000042'],
    ['generator', generator, '-1', null],
    ['sqlite', changePositions, '0000000000000042-1714557600000', '0000000000000042-1714557600000'],
    ['sqlite', changePositions, 'change 42 of 2024-05-01T10:00:00.000Z', '0000000000000042-1714557600000'],
    ['sqlite', changePositions, '42 of 2024-05-01T10:00:00Z', '0000000000000042-1714557600000'],
    ['sqlite', changePositions, '42', null],
    ['sqlite', changePositions, '0000000000000042-1714557600000.r.run.2.3', null],
    ['sqlite, polling', pollPositions, '["t2024-05-01","i7"]', '["t2024-05-01","i7"]'],
    ['sqlite, polling', pollPositions, 'watermark 2024-05-01, key 7', null],
    ['sqlite, polling', pollPositions, '[]', null],
    ['file', filePositions, FILE, FILE],
    ['file', filePositions, 'line 3', null],
  ])('%s: reads what it can stand for, and nothing else (%#)', (_source, codec, text, expected) => {
    expect(codec.parse?.(text)).toBe(expected);
  });

  it('reads its own description of a position where that says all of it', () => {
    for (const [codec, stored] of [
      [generator, '0000000000000042'],
      [changePositions, '0000000000000042-1714557600000'],
    ] as const)
      expect(codec.parse?.(codec.describe(stored as never))).toBe(stored);
  });
});
