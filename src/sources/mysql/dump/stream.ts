// The binary log as the server sends it: packets as fast as the socket gives them. The socket pauses while nobody takes them, and
// a peer that has fallen silent is noticed, because an idle server sends heartbeats.

import type { Socket } from 'node:net';
import type { Clock } from '../../../sdk/index.ts';
import { Notifier } from '../../../util/signal.ts';
import { type PacketHandler, PacketReader, Packets, type ServerRefusal } from './packets.ts';

/** The peer is gone, although the server did not say why. */
export class StreamLost extends Error {
  override readonly name = 'StreamLost';
}

export interface StreamSettings {
  readonly clock: Clock;
  /** Bytes that may wait for `next` before the socket pauses. */
  readonly maxBytes: number;
  /** The server was told to send something at least this often. */
  readonly heartbeatMs: number;
}

/** Heartbeats that may be missing. */
const SILENT_PERIODS = 3;
/** Packets that are handed over together. */
const MOST_PACKETS = 512;

export class BinlogStream implements PacketHandler {
  readonly #socket: Socket;
  readonly #settings: StreamSettings;
  readonly #release: () => void;
  readonly #reader = new PacketReader(this);
  readonly #notifier = new Notifier();
  readonly #ended = new AbortController();
  #queue: Packets[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #failure: Error | null = null;
  #answers = 0;
  #isRegistered = false;
  #lastReadMs: number;

  /** `release` closes the connection that the socket is of. */
  constructor(socket: Socket, settings: StreamSettings, release: () => void) {
    this.#socket = socket;
    this.#settings = settings;
    this.#release = release;
    this.#lastReadMs = settings.clock.now();
    // The driver must not see packets that it did not ask for.
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('close', () => this.fail(new StreamLost('the connection was closed')));
    socket.resume();
  }

  /** Sends `register`, and `dump` once that is answered. Throws what the server says against it. */
  async begin(register: Buffer, dump: Buffer, signal: AbortSignal): Promise<void> {
    this.#socket.write(register);
    while (this.#answers === 0 && this.#failure === null && !signal.aborted) await this.#notifier.wait(signal);
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
    this.#isRegistered = true;
    this.#socket.write(dump);
    void this.#watch();
  }

  /** Events that have come; `null` when `signal` aborts, or after `close`. Throws what ended the stream, behind all that came before. */
  async next(signal: AbortSignal): Promise<Packets | null> {
    for (;;) {
      if (signal.aborted) return null;
      const packets = this.#queue.shift();
      if (packets !== undefined) {
        this.#waitingBytes -= packets.size;
        if (this.#isPaused && this.#waitingBytes <= this.#settings.maxBytes / 2) this.#resume();
        return packets;
      }
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended.signal.aborted) return null;
      await this.#notifier.wait(signal);
    }
  }

  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  close(): void {
    this.#ended.abort();
    this.#queue = [];
    this.#release();
    this.#notifier.notify();
  }

  // -- the socket ----------------------------------------------------------------------------------------------------------

  #onData(chunk: Buffer): void {
    this.#lastReadMs = this.#settings.clock.now();
    if (this.#ended.signal.aborted) return;
    this.#reader.push(chunk);
    if (this.#waitingBytes > this.#settings.maxBytes && !this.#isPaused) {
      // Invariant 5: the window of the connection closes, and the server waits.
      this.#isPaused = true;
      this.#socket.pause();
    }
    this.#notifier.notify();
  }

  #resume(): void {
    this.#isPaused = false;
    // While we did not read, silence meant nothing.
    this.#lastReadMs = this.#settings.clock.now();
    this.#socket.resume();
  }

  onEvent(bytes: Buffer, start: number, end: number): void {
    if (!this.#isRegistered) {
      this.#answers++;
      return;
    }
    let last = this.#queue[this.#queue.length - 1];
    if (last === undefined || last.count >= MOST_PACKETS) {
      last = new Packets();
      this.#queue.push(last);
    }
    last.push(bytes, start, end);
    this.#waitingBytes += end - start;
  }

  onRefusal(error: ServerRefusal): void {
    this.fail(error);
  }

  onEnd(): void {
    this.fail(new StreamLost('the server ended the stream'));
  }

  /** The first failure counts. What came before it is still handed over. */
  fail(error: Error): void {
    if (this.#failure !== null || this.#ended.signal.aborted) return;
    this.#failure = error;
    this.#ended.abort();
    this.#release();
    this.#notifier.notify();
  }

  async #watch(): Promise<void> {
    const { clock, heartbeatMs } = this.#settings,
      isSilent = (): boolean => !this.#isPaused && clock.now() - this.#lastReadMs > heartbeatMs * SILENT_PERIODS;
    while (!this.#ended.signal.aborted) {
      await clock.sleep(heartbeatMs, this.#ended.signal);
      if (!isSilent()) continue;
      // If this process stood still, the answer lies in the socket: it has its turn first.
      await clock.sleep(0);
      if (isSilent()) this.fail(new StreamLost(`no byte came for ${Math.round((heartbeatMs * SILENT_PERIODS) / 1000)} s`));
    }
  }
}
