// What the server is told: how far we have read, and what is durable. Soon after that has moved, when the server asks, and from
// time to time.

import type { Clock } from '../../../sdk/index.ts';
import type { FrameList } from './frames.ts';
import { KEEPALIVE, lsnAt, statusUpdate, wantsReply } from './status.ts';

/** What was confirmed goes out after this at the latest, however often it moves. */
const STATUS_DELAY_MS = 100;
/** Kind and LSN of both kinds of messages. */
const LSN_END = 9;

export class StatusSender {
  readonly #clock: Clock;
  readonly #write: (message: Buffer) => void;
  /** The end of the stream: nothing is sent any more. */
  readonly #ended: AbortSignal;
  #received = 0n;
  #confirmed = 0n;
  #isSending = false;

  constructor(clock: Clock, write: (message: Buffer) => void, ended: AbortSignal) {
    this.#clock = clock;
    this.#write = write;
    this.#ended = ended;
  }

  get received(): bigint {
    return this.#received;
  }

  get confirmed(): bigint {
    return this.#confirmed;
  }

  /** Takes in the places of the frames behind the first `before`. `true`: the server wants an answer. */
  see({ starts, ends, base, end }: FrameList, before: number, bytes: Buffer): boolean {
    let isAsked = false;
    for (let i = base + before; i < end; i++) {
      const start = starts[i] as number;
      if (bytes[start] !== KEEPALIVE) continue;
      this.#reach(lsnAt(bytes, start));
      isAsked ||= wantsReply(bytes, start, ends[i] as number);
    }
    const last = starts[end - 1] as number;
    if (end > base + before && (ends[end - 1] as number) - last > LSN_END) this.#reach(lsnAt(bytes, last));
    return isAsked;
  }

  confirm(lsn: bigint): void {
    if (lsn <= this.#confirmed) return;
    this.#confirmed = lsn;
    this.sendSoon();
  }

  send(isReplyWanted: boolean): void {
    if (this.#ended.aborted) return;
    this.#write(statusUpdate(this.#received, this.#confirmed, this.#clock.now(), isReplyWanted));
  }

  sendSoon(): void {
    if (this.#isSending || this.#ended.aborted) return;
    this.#isSending = true;
    void this.#clock.sleep(STATUS_DELAY_MS, this.#ended).then(() => {
      this.#isSending = false;
      this.send(false);
    });
  }

  #reach(lsn: bigint): void {
    if (lsn > this.#received) this.#received = lsn;
  }
}
