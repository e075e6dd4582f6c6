// Is the peer still there? The server ends a connection that it has not heard from for `wal_sender_timeout`; we do the same the
// other way round. A connection may stand long after the machine at its end has gone.

import type { Clock } from '../../../sdk/index.ts';

/** For servers whose `wal_sender_timeout` is off. */
const DEFAULT_TIMEOUT_MS = 60_000;

export interface PeerWatchOptions {
  readonly senderTimeoutMs: number;
  readonly statusIntervalMs: number;
  readonly clock: Clock;
  /** The end of the stream. */
  readonly ended: AbortSignal;
  /** Silence means nothing: we do not read. */
  isPaused(): boolean;
  /** Tells the server how far we are, and asks it for an answer if it has been silent. */
  send(isReplyWanted: boolean): void;
  onGone(why: string): void;
}

export class PeerWatch {
  readonly #o: PeerWatchOptions;
  readonly timeoutMs: number;
  #lastReadMs: number;
  #pingedMs: number | null = null;

  constructor(options: PeerWatchOptions) {
    this.#o = options;
    this.timeoutMs = options.senderTimeoutMs > 0 ? options.senderTimeoutMs : DEFAULT_TIMEOUT_MS;
    this.#lastReadMs = options.clock.now();
  }

  /** Bytes have come. */
  heard(nowMs: number): void {
    this.#lastReadMs = nowMs;
    this.#pingedMs = null;
  }

  /** We read again: while we did not, silence meant nothing. */
  listen(): void {
    this.#lastReadMs = this.#o.clock.now();
  }

  /** Until the stream ends. */
  async run(): Promise<void> {
    const { clock, statusIntervalMs, ended } = this.#o;
    const interval = Math.max(1, Math.min(statusIntervalMs, this.timeoutMs / 3));
    for (;;) {
      await clock.sleep(interval, ended);
      if (ended.aborted) return;
      const isSilent = !this.#o.isPaused() && clock.now() - this.#lastReadMs > this.timeoutMs / 2;
      if (isSilent && (await this.#isGone())) return;
      this.#o.send(isSilent);
      if (isSilent) this.#pingedMs ??= clock.now();
    }
  }

  /** Asked long enough ago, and still no byte: the peer is gone, although the connection stands. */
  async #isGone(): Promise<boolean> {
    const { clock, ended } = this.#o;
    const wasAsked = (): boolean => this.#pingedMs !== null && clock.now() - this.#lastReadMs > this.timeoutMs;
    if (!wasAsked()) return false;
    // If this process stood still, the answer lies in the socket: it has its turn first.
    await clock.sleep(0);
    if (!wasAsked() || ended.aborted) return false;
    this.#o.onGone(`no byte came for ${Math.round(this.timeoutMs / 1000)} s`);
    return true;
  }
}
