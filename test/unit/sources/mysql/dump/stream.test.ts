// Back-pressure: while nobody takes packets the socket stands still, and its silence means nothing.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { BinlogStream } from '../../../../../src/sources/mysql/dump/stream.ts';
import { VirtualClock } from '../../../../helpers/virtual-clock.ts';

const MAX_BYTES = 10_000,
  PACKET_BYTES = 1000;

class FakeSocket extends EventEmitter {
  isPaused = false;
  readonly calls: string[] = [];
  pause(): void {
    this.isPaused = true;
    this.calls.push('pause');
  }
  resume(): void {
    this.isPaused = false;
    this.calls.push('resume');
  }
  write(): void {}
}

function packet(length: number): Buffer {
  const bytes = Buffer.alloc(4 + length);
  bytes.writeUIntLE(length, 0, 3);
  return bytes;
}

async function begun(clock: VirtualClock): Promise<{ stream: BinlogStream; socket: FakeSocket }> {
  const socket = new FakeSocket(),
    stream = new BinlogStream(socket as unknown as Socket, { clock, maxBytes: MAX_BYTES, heartbeatMs: 1000 }, () => {});
  const beginning = stream.begin(Buffer.alloc(1), Buffer.alloc(1), new AbortController().signal);
  socket.emit('data', packet(1));
  await beginning;
  socket.calls.length = 0;
  return { stream, socket };
}

describe('the socket of a dump', () => {
  it('stands still above its bound, goes on at half of it, and loses nothing', async () => {
    const { stream, socket } = await begun(new VirtualClock()),
      { signal } = new AbortController();
    let sent = 0,
      taken = 0;
    const send = (): void => {
      while (!socket.isPaused) {
        socket.emit('data', packet(PACKET_BYTES));
        sent++;
      }
    };
    for (let round = 0; round < 5; round++) {
      send();
      // The bound, and what one read brings beyond it.
      expect((sent - taken) * PACKET_BYTES).toBeLessThanOrEqual(MAX_BYTES + 2 * PACKET_BYTES);
      while (socket.isPaused) taken += (await stream.next(signal))?.count ?? 0;
    }
    expect(socket.calls.slice(0, 4)).toEqual(['pause', 'resume', 'pause', 'resume']);
    expect(sent).toBeGreaterThan(50);
    stream.close();
  });

  it('is not thought to be dead while it stands still, and is when it is not heard of for long behind that', async () => {
    const clock = new VirtualClock(),
      { stream, socket } = await begun(clock),
      { signal } = new AbortController();
    while (!socket.isPaused) socket.emit('data', packet(PACKET_BYTES));
    await clock.pass(60_000);
    expect(stream.hasFailed).toBe(false);
    while (socket.isPaused) await stream.next(signal);
    await clock.pass(2500);
    expect(stream.hasFailed).toBe(false);
    await clock.pass(2500);
    expect(stream.hasFailed).toBe(true);
  });
});
