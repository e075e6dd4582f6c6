// One consumer on one channel: what was delivered over it and not taken yet, and what may be acknowledged. It outlives a reading, since
// an acknowledgement counts only on the channel of the delivery; when the channel is gone all that is unacknowledged comes again.

import type { Channel, ConsumeMessage } from 'amqplib';
import { CdcError, type Clock, type Position, positionOfNumber } from '../../sdk/index.ts';
import type { Connection } from '../../systems/rabbitmq/connection.ts';
import { nextTurn } from '../../util/next-turn.ts';

/** How long an acknowledgement may wait for more. */
const TELL_MS = 5;
/** Of the prefetch: while the server hears of one it has others to send. */
const PARTS = 4;

export interface SessionOptions {
  readonly queue: string;
  readonly prefetch: number;
  readonly clock: Clock;
}

export class Session {
  readonly connection: Connection;
  readonly #id: string;
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #waiting: ConsumeMessage[] = [];
  /** How many of `#waiting` were taken. */
  #taken = 0;
  #arrived = 0;
  #acknowledged = 0;
  /** Done, and told with the next acknowledgement. */
  #done = 0;
  readonly #atOnce: number;
  readonly #clock: Clock;
  readonly #end = new AbortController();
  #isTelling = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  private constructor(id: string, connection: Connection, channel: Channel, { queue, prefetch, clock }: SessionOptions) {
    this.#id = id;
    this.#atOnce = Math.ceil(prefetch / PARTS);
    this.#clock = clock;
    this.connection = connection;
    this.#channel = channel;
    this.#queue = queue;
    channel.on('error', (error: Error) => this.#fail(error));
    channel.on('close', () => this.#fail(connection.isOpen ? new Error('the channel was closed') : connection.failure));
  }

  /** `number` is greater than those before. */
  static async open(number: number, connection: Connection, options: SessionOptions): Promise<Session> {
    const channel = await connection.channel(),
      session = new Session(positionOfNumber(number), connection, channel, options);
    await channel.prefetch(options.prefetch);
    await channel.consume(options.queue, (message) => session.#deliver(message));
    return session;
  }

  /** Gives back what is not acknowledged. Waits until the server has seen what is; on the connection's own channel its close would overtake that. */
  async close(): Promise<void> {
    this.#tell();
    this.#fail(new Error('the channel is closed'));
    await Promise.resolve()
      .then(() => this.#channel.close())
      .catch(() => undefined);
  }

  get isOpen(): boolean {
    return this.#error === null;
  }

  /** Delivered in all. */
  get arrived(): number {
    return this.#arrived;
  }

  /** Delivered, and not acknowledged. */
  get unfinished(): number {
    return this.#arrived - this.#done;
  }

  get #ready(): number {
    return this.#waiting.length - this.#taken;
  }

  /**
   * What is read from the socket right behind the messages that wait goes along, as far as `most`: a batch for each read would be a
   * tenth of one, and a quorum queue writes down each acknowledgement.
   */
  async gather(most: number): Promise<void> {
    for (let before = 0; this.#ready > before && this.#ready < most; await nextTurn()) before = this.#ready;
  }

  /** The oldest messages that were not taken, as far as the bounds go; at least one if there is one. They stay until `drop`. Throws once the channel is lost. */
  peek(maxEvents: number, maxBytes: number): ConsumeMessage[] {
    // What a lost channel has left comes again over another one.
    if (this.#error !== null) throw this.#error;
    const some: ConsumeMessage[] = [];
    for (let i = this.#taken, bytes = 0; i < this.#waiting.length && some.length < maxEvents; i++) {
      const message = this.#waiting[i] as ConsumeMessage;
      bytes += message.content.length;
      if (some.length > 0 && bytes > maxBytes) break;
      some.push(message);
    }
    return some;
  }

  drop(count: number): void {
    this.#taken += count;
    if (this.#taken < this.#waiting.length && this.#taken < 1000) return;
    this.#waiting.splice(0, this.#taken);
    this.#taken = 0;
  }

  /** Resolves when there is something to take, or on abort. Throws why nothing comes any more. */
  async wait(signal: AbortSignal): Promise<void> {
    while (this.#ready === 0 && !signal.aborted) {
      if (this.#error !== null) throw this.#error;
      const awake = (): void => this.#awake();
      signal.addEventListener('abort', awake, { once: true });
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      signal.removeEventListener('abort', awake);
    }
  }

  /** Is there nothing left? The server answers in the order of its channel only once it has handed over what it had before. */
  async isEmpty(): Promise<boolean> {
    const before = this.#arrived;
    for (let look = 0; look < 2; look++) {
      const { messageCount } = await this.#channel.checkQueue(this.#queue);
      if (messageCount > 0 || this.#arrived > before) return false;
    }
    return this.#ready === 0;
  }

  /** Covers this message and all before it. */
  receiptOf(message: ConsumeMessage): Position {
    return `${this.#id}-${positionOfNumber(message.fields.deliveryTag)}` as Position;
  }

  /**
   * Receipts of another session are no business of this channel. The server is told of a part of the prefetch at once, and of less after
   * a moment: a quorum queue writes down each acknowledgement.
   */
  acknowledge(receipt: Position | undefined): void {
    const [session, number] = (receipt ?? '').split('-'),
      tag = Number(number);
    if (session !== this.#id || tag <= this.#done || this.#error !== null) return;
    this.#done = tag;
    if (this.#done - this.#acknowledged >= this.#atOnce) this.#tell();
    else if (!this.#isTelling) void this.#tellSoon();
  }

  async #tellSoon(): Promise<void> {
    this.#isTelling = true;
    await this.#clock.sleep(TELL_MS, this.#end.signal);
    this.#isTelling = false;
    this.#tell();
  }

  #tell(): void {
    // A tag that is acknowledged twice closes the channel.
    if (this.#done <= this.#acknowledged || this.#error !== null) return;
    this.#channel.ack({ fields: { deliveryTag: this.#done } } as ConsumeMessage, true);
    this.#acknowledged = this.#done;
  }

  #deliver(message: ConsumeMessage | null): void {
    if (message === null) {
      this.#fail(
        new CdcError(
          'SOURCE_FAILED',
          `The server ended our consumer of the queue ${this.#queue}: it was deleted, or moved to another node.`,
          {
            retriable: true,
            fix: 'Find out who deleted the queue.',
          },
        ),
      );
      return;
    }
    this.#arrived++;
    this.#waiting.push(message);
    this.#awake();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#end.abort();
    this.#awake();
  }

  #awake(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
