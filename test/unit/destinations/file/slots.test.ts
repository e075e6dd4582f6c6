// The two slots of a sidecar: whatever becomes of the one that is being written, the other one counts.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSlots, slotBytes, slotFile, slotOf, slotSizeFor } from '../../../../src/destinations/file/slots.ts';

const anyState = fc.record({ text: fc.string({ unit: 'binary', maxLength: 200 }), numbers: fc.array(fc.integer(), { maxLength: 5 }) });
const SIZE = 4096;

function written(file: Buffer, generation: number, state: unknown): Buffer {
  const slot = slotBytes(generation, JSON.stringify(state), SIZE) as Buffer,
    copy = Buffer.from(file);
  copy.set(slot, slotOf(generation) * SIZE);
  return copy;
}

describe('the slots of a sidecar', () => {
  it('give back what was written last, and are JSON', () => {
    fc.assert(
      fc.property(fc.array(anyState, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (states, first) => {
        let file = slotFile(first, JSON.stringify(states[0]), SIZE);
        states.forEach((state, i) => {
          if (i > 0) file = written(file, first + i, state);
          expect(readSlots(file)).toEqual({ generation: first + i, state });
          expect(JSON.parse(file.toString())).toHaveLength(2);
        });
        expect(readSlots(Buffer.concat([file, Buffer.from('\n\n\n')]))).toEqual(readSlots(file));
      }),
    );
  });

  it('give back the one before when the last was written in part, in any mixture of sectors', () => {
    fc.assert(
      fc.property(
        anyState,
        anyState,
        anyState,
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        fc.nat(SIZE),
        (a, b, c, sectors, torn) => {
          const before = written(slotFile(1, JSON.stringify(a), SIZE), 2, b),
            after = written(before, 3, c);
          const mixed = Buffer.from(before),
            at = slotOf(3) * SIZE;
          sectors.forEach((isNew, i) => {
            if (isNew) after.copy(mixed, at + i * 512, at + i * 512, at + (i + 1) * 512);
          });
          for (const file of [mixed, Buffer.concat([after.subarray(0, at + torn), before.subarray(at + torn)])])
            expect(readSlots(file)).toEqual(readSlots(file.equals(after) ? after : before));
        },
      ),
    );
  });

  it('have room for a state twice as long, and refuse a longer one', () => {
    const state = JSON.stringify({ text: 'x'.repeat(5000) }),
      size = slotSizeFor(state);
    expect(size % 4096).toBe(0);
    expect(slotBytes(1, JSON.stringify({ text: 'x'.repeat(10_000) }), size)).toHaveLength(size);
    expect(slotBytes(1, JSON.stringify({ text: 'x'.repeat(size) }), size)).toBeNull();
  });

  it('are none where neither is whole', () => {
    expect(readSlots(Buffer.alloc(2 * SIZE, 0x20))).toBeNull();
    expect(readSlots(Buffer.from('[]'))).toBeNull();
  });
});
