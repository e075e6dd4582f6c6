import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketReader } from '../../../../../src/sources/mysql/dump/packets.ts';

const FULL = 0xff_ffff;

function packets(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; at += FULL) {
    const part = body.subarray(at, at + FULL),
      head = Buffer.alloc(4);
    head.writeUIntLE(part.length, 0, 3);
    parts.push(head, part);
    if (part.length < FULL) return Buffer.concat(parts);
  }
}

/** What comes of these bytes in chunks of these sizes. */
function read(bytes: Buffer, sizes: readonly number[]): string[] {
  const found: string[] = [];
  const reader = new PacketReader({
    onEvent: (b, start, end) => found.push(b.toString('latin1', start, end)),
    onRefusal: (error) => found.push(`${error.errno}: ${error.message}`),
    onEnd: () => found.push('end'),
  });
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    reader.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return found;
}

describe('packets', () => {
  it('are whole, however the socket cuts them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\0'), maxLength: 40 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 10 }),
        (events, sizes) => {
          const bytes = Buffer.concat(events.map((e) => packets(Buffer.from(`\0${e}`, 'latin1'))));
          expect(read(bytes, sizes)).toEqual(events);
        },
      ),
    );
  });

  it.each([0, 1, 5])('of more than 16 MiB go on in the next one, %i bytes beyond', (beyond) => {
    const body = Buffer.alloc(FULL + beyond, 0x61);
    body[0] = 0;
    const [event, next] = read(Buffer.concat([packets(body), packets(Buffer.from('\0next'))]), [1 << 16]);
    expect([event?.length, next]).toEqual([FULL + beyond - 1, 'next']);
  });

  it('say what the server refuses, and its end', () => {
    const error = Buffer.from([0xff, 0xd4, 0x04, ...Buffer.from('#HY000it was purged')]);
    expect(read(Buffer.concat([packets(error), packets(Buffer.from([0xfe, 0, 0, 0, 0]))]), [7])).toEqual(['1236: it was purged', 'end']);
  });
});
