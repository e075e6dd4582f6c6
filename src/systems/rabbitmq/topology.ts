// The queue, the exchange and the binding that a component needs: looked at first, and made only where they are missing, so that those
// that are there may differ from what we would make.

import type { Channel } from 'amqplib';
import type { Connection } from './connection.ts';
import { problemOf } from './driver-errors.ts';

export interface Topology {
  readonly queue: string | null;
  readonly queueType: 'quorum' | 'classic';
  /** `null`: the default exchange, which every queue is bound to by its name. */
  readonly exchange: string | null;
  readonly exchangeType: string;
  /** Keys that bind the queue to the exchange. */
  readonly bindings: readonly string[];
}

export interface Presence {
  readonly exchange: boolean;
  readonly queue: boolean;
}

/** Makes what is missing, and says what was there. */
export async function declare(connection: Connection, topology: Topology): Promise<Presence> {
  const there = await look(connection, topology),
    { queue, exchange, exchangeType, bindings } = topology;
  await onChannel(connection, async (channel) => {
    if (exchange !== null && !there.exchange) await channel.assertExchange(exchange, exchangeType, { durable: true });
    if (queue !== null && !there.queue)
      await channel.assertQueue(queue, { durable: true, arguments: queueArguments(connection, topology) });
    if (queue === null || exchange === null) return;
    // Repeating a binding changes nothing; to look for one there is no command.
    for (const key of bindings) await channel.bindQueue(queue, exchange, key);
  });
  return there;
}

export async function look(connection: Connection, { queue, exchange }: Topology): Promise<Presence> {
  return {
    exchange: exchange === null || (await isThere(connection, (c) => c.checkExchange(exchange))),
    queue: queue === null || (await isThere(connection, (c) => c.checkQueue(queue))),
  };
}

/** Messages in the queue that nobody has been given. */
export async function readyIn(connection: Connection, queue: string): Promise<number> {
  return (await onChannel(connection, (channel) => channel.checkQueue(queue))).messageCount;
}

function queueArguments(connection: Connection, { queueType }: Topology): Record<string, unknown> {
  const major = Number.parseInt(connection.version ?? '', 10);
  // From 4.0 on a quorum queue drops what was returned 20 times, unless told otherwise: nothing may vanish (invariant 3).
  const limit = queueType === 'quorum' && major >= 4 ? { 'x-delivery-limit': -1 } : {};
  return { 'x-queue-type': queueType, ...limit };
}

/** The server closes the channel that asks for what is not there. */
async function isThere(connection: Connection, ask: (channel: Channel) => Promise<unknown>): Promise<boolean> {
  try {
    await onChannel(connection, ask);
    return true;
  } catch (error) {
    if (problemOf(error).kind === 'missing') return false;
    throw error;
  }
}

async function onChannel<T>(connection: Connection, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await connection.channel();
  try {
    return await work(channel);
  } finally {
    // One that the server has closed throws, or rejects.
    await Promise.resolve()
      .then(() => channel.close())
      .catch(() => undefined);
  }
}
