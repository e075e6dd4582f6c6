import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARENA_BYTES, Arena } from '../../../../src/sources/postgresql/replication/arena.ts';
import {
  errorFields,
  FrameError,
  FrameList,
  ReplicationServerError,
  scanFrames,
} from '../../../../src/sources/postgresql/replication/frames.ts';
import { isServerError, sqlState } from '../../../../src/systems/postgresql/driver-errors.ts';

interface Message {
  readonly type: string;
  readonly body: Uint8Array;
}

function encode({ type, body }: Message): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** Through arenas, cut at these places, as the stream does it. */
function scanInPieces(bytes: Buffer, cuts: readonly number[]): { data: string[]; others: string[] } {
  const arena = new Arena(),
    data: string[] = [],
    others: string[] = [];
  let frames = new FrameList();
  const take = (): void => {
    for (let i = 0; i < frames.count; i++) data.push(arena.bytes.toString('hex', frames.starts[i], frames.ends[i]));
    frames = new FrameList();
  };
  for (const [i, from] of [0, ...cuts].entries()) {
    const piece = bytes.subarray(from, cuts[i] ?? bytes.length);
    for (let at = 0; at < piece.length; ) {
      const n = Math.min(piece.length - at, arena.bytes.length - arena.to);
      arena.to += piece.copy(arena.bytes, arena.to, at, at + n);
      at += n;
      arena.from = scanFrames(arena.bytes, arena.from, arena.to, frames, (type, b, start, end) =>
        others.push(type + b.toString('hex', start, end)),
      );
      if (!arena.isTight) continue;
      take();
      arena.renew();
    }
  }
  take();
  return { data, others };
}

const messages = fc.array(
  fc.record({ type: fc.constantFrom('d', 'd', 'd', 'd', 'N', 'S', 'E', 'c'), body: fc.uint8Array({ maxLength: 300 }) }),
  { maxLength: 200 },
);

describe('frames', () => {
  it('are found whole, in order, wherever the reads cut the bytes', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(5000), { maxLength: 30 }), (list, places) => {
        const bytes = Buffer.concat(list.map(encode));
        const cuts = [...new Set(places.filter((p) => p > 0 && p < bytes.length))].sort((a, b) => a - b);
        const found = scanInPieces(bytes, cuts);
        const hex = (m: Message): string => Buffer.from(m.body).toString('hex');
        expect(found.data).toEqual(list.filter((m) => m.type === 'd').map(hex));
        expect(found.others).toEqual(list.filter((m) => m.type !== 'd').map((m) => m.type + hex(m)));
      }),
    );
  });

  it('move on to the next arena when they do not fit, also when one is larger than an arena', () => {
    const list = Array.from({ length: 40 }, (_, i) => ({ type: 'd', body: new Uint8Array(i === 20 ? 3 * ARENA_BYTES : 100_000).fill(i) }));
    const bytes = Buffer.concat(list.map(encode));
    const found = scanInPieces(
      bytes,
      Array.from({ length: Math.floor(bytes.length / 65_536) }, (_, i) => (i + 1) * 65_536),
    );
    expect(found.data).toEqual(list.map((m) => Buffer.from(m.body).toString('hex')));
  });

  it('end in a typed error when the bytes are none, and what came before is kept', () => {
    const good = encode({ type: 'd', body: new Uint8Array(10) });
    for (const bad of [
      [0x64, 0, 0, 0, 3],
      [0x64, 0xff, 0xff, 0xff, 0xff],
      [0x64, 0x40, 0, 0, 0],
      [0x00, 0, 0, 0, 8],
      [0x16, 3, 1, 2, 0],
    ]) {
      const bytes = Buffer.concat([good, Buffer.from(bad)]),
        frames = new FrameList();
      const scan = (): number => scanFrames(bytes, 0, bytes.length, frames, () => undefined);
      expect(scan).toThrow(FrameError);
      expect(frames.count).toBe(1);
      expect(() => scanFrames(bytes, 0, bytes.length, new FrameList(), () => undefined)).toThrow(
        expect.objectContaining({ offset: good.length }),
      );
    }
  });

  it('survive any bytes: frames within them, or a typed error', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 10 }), (list, changes) => {
        const bytes = Buffer.concat([...list.map(encode), Buffer.from([1])]);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const frames = new FrameList();
        try {
          const rest = scanFrames(bytes, 0, bytes.length, frames, (type, b, start, end) => {
            if (type === 'E') expect(new ReplicationServerError(errorFields(b, start, end)).code).toBeTypeOf('string');
          });
          expect(rest).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
        for (let i = 0; i < frames.count; i++) {
          expect(frames.starts[i]).toBeLessThanOrEqual(frames.ends[i] as number);
          expect(frames.ends[i]).toBeLessThanOrEqual(bytes.length);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('an error of the server', () => {
  it('has the shape of the driver', () => {
    const body = Buffer.from('SFEHLER\0VERROR\0C55006\0Mreplication slot "x" is active for PID 7\0RReplicationSlotAcquire\0\0');
    const error = new ReplicationServerError(errorFields(body, 0, body.length));
    expect(isServerError(error)).toBe(true);
    expect(sqlState(error)).toBe('55006');
    expect(error).toMatchObject({
      severity: 'ERROR',
      routine: 'ReplicationSlotAcquire',
      message: 'replication slot "x" is active for PID 7',
    });
  });

  it('without its fields still is one', () => {
    expect(sqlState(new ReplicationServerError(errorFields(Buffer.alloc(0), 0, 0)))).toBe('XX000');
  });
});
