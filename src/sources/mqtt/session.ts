// One connection with our session at the broker: what was delivered over it and not taken yet, and the acknowledgements that are held
// until it is delivered. It outlives a reading, since an acknowledgement counts only on the connection of the delivery; when the
// connection is gone all that is unacknowledged comes again.
//
// QoS 1: PUBACK is held. QoS 2: PUBREC is held, and not PUBCOMP: from PUBREC on the broker may forget the message, and sends only its
// number again. What is delivered and not acknowledged when we die comes twice: at-least-once for both.
// https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901235

import type { IPublishPacket, MqttClient, Packet } from 'mqtt';
import { type Clock, type Position, positionOfNumber } from '../../sdk/index.ts';
import { cut, type Opened, openClient, type SessionOptions, watchEnd } from '../../systems/mqtt/client.ts';
import type { Endpoint } from '../../systems/mqtt/endpoint.ts';

/** The driver's own way out, which everything takes. */
interface Sender {
  _sendPacket(packet: Packet, done?: () => void, ...rest: unknown[]): void;
}

export interface Delivery {
  readonly number: number;
  readonly packet: IPublishPacket;
}

export interface SessionSettings extends SessionOptions {
  /** Greater than those before. */
  readonly number: number;
  readonly clock: Clock;
}

export class Session {
  readonly #id: string;
  readonly #most: number;
  readonly #endpoint: Endpoint;
  readonly #clock: Clock;
  readonly #waiting: Delivery[] = [];
  /** How many of `#waiting` were taken. */
  #taken = 0;
  #arrived = 0;
  #acknowledged = 0;
  /** Acknowledgements that are held, by the number of the message; QoS 0 has none. */
  readonly #held = new Map<number, Packet>();
  /** Deliveries that wait for room: the driver reads nothing until they are called. */
  #stalled: (() => void)[] = [];
  readonly #end = new AbortController();
  #client: MqttClient | null = null;
  #send: Sender['_sendPacket'] = () => {};
  #isBounded = false;
  #isWatched = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  private constructor(endpoint: Endpoint, { number, receiveMaximum, clock }: SessionSettings) {
    this.#id = positionOfNumber(number);
    this.#most = receiveMaximum;
    this.#endpoint = endpoint;
    this.#clock = clock;
  }

  static async open(endpoint: Endpoint, settings: SessionSettings): Promise<{ readonly session: Session; readonly opened: Opened }> {
    const session = new Session(endpoint, settings),
      opened = await openClient(endpoint, settings, (client) => session.#attach(client));
    return { session, opened };
  }

  /** From now on its own bound counts. Not before: the answer to a subscription comes behind what a session that goes on delivers at once. */
  bound(): void {
    this.#isBounded = true;
  }

  get isOpen(): boolean {
    return this.#error === null;
  }

  get arrived(): number {
    return this.#arrived;
  }

  /** The oldest messages that were not taken, as far as the bounds go; at least one if there is one. They stay until `drop`. Throws once the connection is lost. */
  peek(maxEvents: number, maxBytes: number): Delivery[] {
    // What a lost connection has left comes again over another one.
    if (this.#error !== null) throw this.#error;
    const some: Delivery[] = [];
    for (let i = this.#taken, bytes = 0; i < this.#waiting.length && some.length < maxEvents; i++) {
      const delivery = this.#waiting[i] as Delivery;
      bytes += delivery.packet.payload.length;
      if (some.length > 0 && bytes > maxBytes) break;
      some.push(delivery);
    }
    return some;
  }

  drop(count: number): void {
    this.#taken += count;
    if (this.#taken >= this.#waiting.length || this.#taken >= 1000) {
      this.#waiting.splice(0, this.#taken);
      this.#taken = 0;
    }
    this.#goOn();
  }

  /** Resolves when there is something to take, on abort, or after `ms`. Throws why nothing comes any more. */
  async wait(signal: AbortSignal, ms: number | null): Promise<void> {
    if (this.#taken < this.#waiting.length || signal.aborted) return;
    if (this.#error !== null) throw this.#error;
    const over = new AbortController(),
      awake = (): void => this.#awake();
    signal.addEventListener('abort', awake, { once: true });
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await (ms === null ? woken : Promise.race([woken, this.#clock.sleep(ms, over.signal)]));
    over.abort();
    signal.removeEventListener('abort', awake);
    if (this.#taken >= this.#waiting.length && !signal.aborted) this.#throwIfLost();
  }

  #throwIfLost(): void {
    if (this.#error !== null) throw this.#error;
  }

  /** Covers this message and all before it. */
  receiptOf({ number }: Delivery): Position {
    return `${this.#id}-${positionOfNumber(number)}` as Position;
  }

  /** In the order of the deliveries, as the protocol asks. Receipts of another session are no business of this connection. */
  acknowledge(receipt: Position | undefined): void {
    const [session, text] = (receipt ?? '').split('-'),
      upTo = Number(text);
    if (session !== this.#id || upTo <= this.#acknowledged || this.#error !== null) return;
    for (const [number, packet] of this.#held) {
      if (number > upTo) break;
      this.#held.delete(number);
      this.#send(packet);
    }
    this.#acknowledged = upTo;
    this.#goOn();
  }

  /** The broker sees what was acknowledged before it sees the end. */
  async close(): Promise<void> {
    const client = this.#client;
    this.#fail(new Error('the connection is closed'));
    if (client === null) return;
    await new Promise<void>((resolve) => {
      client.end(false, () => resolve());
    });
  }

  forget(): void {
    this.#fail(new Error('the connection was cut'));
    if (this.#client !== null) cut(this.#client);
  }

  #attach(client: MqttClient): void {
    this.#client = client;
    const sender = client as unknown as Sender,
      send = sender._sendPacket.bind(client);
    this.#send = send;
    let last: Delivery | null = null;
    client.on('packetreceive', (packet) => {
      if (packet.cmd !== 'publish') return;
      const delivery = this.#deliver(packet);
      last = packet.qos === 0 ? null : delivery;
    });
    // The driver answers a message before it reads the next one.
    sender._sendPacket = (packet, done, ...rest) => {
      if (last === null || (packet.cmd !== 'puback' && packet.cmd !== 'pubrec')) {
        send(packet, done, ...rest);
        return;
      }
      this.#held.set(last.number, { cmd: packet.cmd, messageId: packet.messageId ?? 0 } as Packet);
      last = null;
      this.#whenRoom(done ?? ((): void => {}));
    };
    // It comes first, also for a message without an answer.
    client.handleMessage = (packet, done): void => {
      if (packet.cmd === 'publish' && packet.qos === 0) this.#whenRoom(() => done());
      else done();
    };
    // With a reason the driver keeps no book of its own of QoS 2, which would count what the broker sends beyond the maximum.
    client.options.customHandleAcks = (_topic, _message, _packet, done): void => {
      (done as unknown as (code: number) => void)(endpointCode(this.#endpoint));
    };
    watchEnd(client, (error) => this.#fail(error));
  }

  #deliver(packet: IPublishPacket): Delivery {
    const delivery = { number: ++this.#arrived, packet };
    this.#waiting.push(delivery);
    this.#awake();
    return delivery;
  }

  get #isFull(): boolean {
    return this.#waiting.length - this.#taken >= this.#most || this.#arrived - this.#acknowledged >= 2 * this.#most;
  }

  /** Invariant 5: some brokers send more than the maximum once a part is acknowledged. */
  #whenRoom(done: () => void): void {
    if (!this.#isBounded || !this.#isFull || this.#error !== null) {
      done();
      return;
    }
    this.#stalled.push(done);
    if (!this.#isWatched) void this.#stayAlive();
  }

  /** While nothing is read the broker's signs of life are not either: ours go on, and its are not missed. */
  async #stayAlive(): Promise<void> {
    this.#isWatched = true;
    while (this.#stalled.length > 0 && this.#error === null) {
      this.#client?.sendPing();
      this.#client?.reschedulePing(true);
      await this.#clock.sleep((this.#endpoint.keepaliveSeconds * 1000) / 3, this.#end.signal);
    }
    this.#isWatched = false;
  }

  #goOn(): void {
    while (this.#stalled.length > 0 && (!this.#isFull || this.#error !== null)) this.#stalled.shift()?.();
  }

  #fail(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#end.abort();
    this.#goOn();
    this.#awake();
  }

  #awake(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

/** "No matching subscribers": one that is no error; in 3.1.1 there are none. */
const endpointCode = ({ version }: Endpoint): number => (version === 5 ? 16 : 0);
