// Publishes over one channel with confirms. Whatever goes wrong ends it: the connection is thrown away, and a new publisher sends again.
// https://www.rabbitmq.com/docs/confirms

import type { ConfirmChannel } from 'amqplib';
import type { Connection } from '../../systems/rabbitmq/connection.ts';
import type { OutgoingMessage } from './encode.ts';

/** A queue did not take a message: it is full (`overflow: reject-publish`), or failed. */
export class NackError extends Error {
  override readonly name = 'NackError';
}

export class Publisher {
  readonly connection: Connection;
  readonly #channel: ConfirmChannel;
  #failure: Error | null = null;

  private constructor(connection: Connection, channel: ConfirmChannel) {
    this.connection = connection;
    this.#channel = channel;
    channel.on('error', (error) => {
      this.#failure ??= error;
    });
    channel.on('close', () => {
      this.#failure ??= connection.isOpen ? new Error('the channel was closed') : connection.failure;
    });
  }

  static async open(connection: Connection): Promise<Publisher> {
    return new Publisher(connection, await connection.confirmChannel());
  }

  get isOpen(): boolean {
    return this.#failure === null && this.connection.isOpen;
  }

  /**
   * Resolves once all are confirmed, with the events that no queue took. Rejects when one was not taken, or the channel is lost: then
   * nobody knows which were. While the server blocks publishers it waits.
   */
  publish(exchange: string, messages: readonly OutgoingMessage[]): Promise<ReadonlySet<number>> {
    const channel = this.#channel,
      returned = new Set<number>(),
      byId = new Map<unknown, number>();
    return new Promise((resolve, reject) => {
      let left = messages.length,
        next = 0,
        isNacked = false;
      const end = (error: unknown): void => {
        channel.off('return', unroutable);
        channel.off('close', closed);
        channel.off('drain', send);
        if (error !== null) reject(error);
        else if (isNacked) reject(new NackError('a queue did not take a message'));
        else resolve(returned);
      };
      const closed = (): void => end(this.#failure);
      // It comes before the message's confirm. Few come, so ids are looked up only then.
      const unroutable = ({ properties }: { properties: { messageId?: unknown } }): void => {
        if (byId.size === 0) for (const { event, properties: p } of messages) byId.set(p.messageId, event);
        const event = byId.get(properties.messageId);
        if (event !== undefined) returned.add(event);
      };
      const confirmed = (error: unknown): void => {
        isNacked ||= error !== null && error !== undefined;
        // Those of a lost channel are called with an error, too: `closed` comes behind them and must win.
        if (--left === 0) queueMicrotask(() => end(this.#failure));
      };
      const send = (): void => {
        try {
          while (next < messages.length) {
            const { routingKey, body, properties } = messages[next++] as OutgoingMessage;
            if (channel.publish(exchange, routingKey, body, properties, confirmed)) continue;
            if (next < messages.length) channel.once('drain', send);
            return;
          }
        } catch (error) {
          end(this.#failure ?? error);
        }
      };
      channel.on('return', unroutable);
      channel.on('close', closed);
      send();
    });
  }
}
