// Publishes over one connection, some messages at once. Whatever goes wrong ends it: the connection is thrown away, and a new publisher
// sends again.

import type { MqttClient } from 'mqtt';
import { cut, openClient, type SessionOptions, watchEnd } from '../../systems/mqtt/client.ts';
import { problemOf } from '../../systems/mqtt/driver-errors.ts';
import type { Endpoint } from '../../systems/mqtt/endpoint.ts';
import type { OutgoingMessage } from './encode.ts';

export interface PublishOptions {
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

export class Publisher {
  readonly #client: MqttClient;
  readonly #window: number;
  /** What the broker takes at most; `null`: it has not said. */
  readonly maxPacketBytes: number | null;
  #failure: Error | null = null;
  #failed: ((error: Error) => void) | null = null;

  private constructor(client: MqttClient, window: number, maxPacketBytes: number | null) {
    this.#client = client;
    this.#window = window;
    this.maxPacketBytes = maxPacketBytes;
    watchEnd(client, (error) => {
      this.#failure ??= error;
      this.#failed?.(this.#failure);
    });
  }

  static async open(endpoint: Endpoint, session: SessionOptions, maxInFlight: number): Promise<Publisher> {
    const { client, properties } = await openClient(endpoint, session, () => {});
    // The driver does not look at what the broker asks for.
    const window = Math.min(maxInFlight, properties.receiveMaximum ?? maxInFlight);
    return new Publisher(client, window, properties.maximumPacketSize ?? null);
  }

  get isOpen(): boolean {
    return this.#failure === null;
  }

  /** Resolves once all are acknowledged, with the events that the broker refuses for good, and why. Rejects when nobody knows which were taken. */
  publish(messages: readonly OutgoingMessage[], { qos, retain }: PublishOptions): Promise<ReadonlyMap<number, Error>> {
    const refused = new Map<number, Error>();
    return new Promise((resolve, reject) => {
      let next = 0,
        inFlight = 0,
        isSending = false;
      const end = (error: Error | null): void => {
        this.#failed = null;
        if (error === null) resolve(refused);
        else reject(error);
      };
      const answered = (event: number, error: Error | null | undefined): void => {
        inFlight--;
        if (error && problemOf(error).kind === 'refused_message') refused.set(event, error);
        else if (error) {
          this.#failure ??= error;
          end(error);
          return;
        }
        if (this.#failure === null) send();
      };
      const send = (): void => {
        // Messages of QoS 0 are answered within the call.
        if (isSending) return;
        isSending = true;
        while (next < messages.length && inFlight < this.#window && this.#failure === null) {
          const { event, topic, payload, properties } = messages[next++] as OutgoingMessage;
          inFlight++;
          const options = properties === null ? { qos, retain } : { qos, retain, properties };
          this.#client.publish(topic, payload, options, (error) => answered(event, error));
        }
        isSending = false;
        if (next === messages.length && inFlight === 0 && this.#failure === null) end(null);
      };
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#failed = end;
      send();
    });
  }

  /** Cuts the connection: nothing more is sent. */
  drop(): void {
    this.#failure ??= new Error('the connection was cut');
    cut(this.#client);
  }

  async close(): Promise<void> {
    this.#failure ??= new Error('the connection is closed');
    await new Promise<void>((resolve) => {
      this.#client.end(false, () => resolve());
    });
  }
}
