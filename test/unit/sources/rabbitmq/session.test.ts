// What a consumer's channel gathers, and when the server hears of what is done. The channel is scripted: it knows four calls, and refuses
// to acknowledge a tag twice as a server would.

import { EventEmitter } from 'node:events';
import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { Session } from '../../../../src/sources/rabbitmq/session.ts';
import type { Connection } from '../../../../src/systems/rabbitmq/connection.ts';
import { VirtualClock } from '../../../helpers/virtual-clock.ts';

class ScriptedChannel extends EventEmitter {
  /** Tags, in the order in which they were told. */
  readonly acknowledged: number[] = [];
  isClosed = false;
  #onMessage: ((message: ConsumeMessage | null) => void) | null = null;
  #tag = 0;

  prefetch = async (_count: number): Promise<void> => {};

  consume = async (_queue: string, onMessage: (message: ConsumeMessage | null) => void): Promise<void> => {
    this.#onMessage = onMessage;
  };

  ack = ({ fields: { deliveryTag } }: ConsumeMessage, allUpTo: boolean): void => {
    if (!allUpTo || deliveryTag <= (this.acknowledged.at(-1) ?? 0))
      throw new Error(`PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`);
    if (this.isClosed) throw new Error('the channel is closed');
    this.acknowledged.push(deliveryTag);
  };

  close = async (): Promise<void> => {
    this.isClosed = true;
  };

  deliver(count: number): void {
    for (let i = 0; i < count; i++)
      this.#onMessage?.({ content: Buffer.from('x'), fields: { deliveryTag: ++this.#tag }, properties: {} } as ConsumeMessage);
  }
}

async function opened(prefetch = 100): Promise<{ session: Session; channel: ScriptedChannel; clock: VirtualClock }> {
  const channel = new ScriptedChannel(),
    clock = new VirtualClock(),
    connection = { channel: async () => channel, isOpen: true, failure: new Error('lost') } as unknown as Connection;
  return { session: await Session.open(1, connection, { queue: 'q', prefetch, clock }), channel, clock };
}

const ALL = 1_000_000;
/** The receipt of the n-th message. */
const receipt = (session: Session, n: number): ReturnType<Session['receiptOf']> =>
  session.receiptOf({ fields: { deliveryTag: n } } as ConsumeMessage);

describe('the consumer of a queue', () => {
  it('takes along what is read right behind the messages that wait, and not more than asked for', async () => {
    const { session, channel } = await opened();
    channel.deliver(3);
    setImmediate(() => channel.deliver(3));
    await session.gather(100);
    expect(session.peek(100, ALL)).toHaveLength(6);
    setImmediate(() => channel.deliver(50));
    await session.gather(6);
    expect(session.peek(100, ALL)).toHaveLength(6);
  });

  it('waits for nothing where nothing has come', async () => {
    const { session } = await opened();
    await session.gather(100);
    expect(session.peek(100, ALL)).toEqual([]);
  });

  it('keeps what was looked at until it is dropped, and gives one message however large', async () => {
    const { session, channel } = await opened();
    channel.deliver(3);
    expect(session.peek(2, ALL)).toHaveLength(2);
    expect(session.peek(10, 0)).toHaveLength(1);
    session.drop(1);
    expect(session.peek(10, ALL).map((m) => m.fields.deliveryTag)).toEqual([2, 3]);
  });

  it('tells the server of a quarter of the prefetch at once, and of less after a moment', async () => {
    const { session, channel, clock } = await opened();
    channel.deliver(100);
    session.acknowledge(receipt(session, 25));
    expect(channel.acknowledged).toEqual([25]);
    session.acknowledge(receipt(session, 26));
    session.acknowledge(receipt(session, 30));
    expect(channel.acknowledged).toEqual([25]);
    expect(session.unfinished).toBe(70);
    await clock.when(() => channel.acknowledged.length > 1);
    expect(channel.acknowledged).toEqual([25, 30]);
  });

  it('tells at the end what was not told yet, once', async () => {
    const { session, channel } = await opened();
    channel.deliver(10);
    session.acknowledge(receipt(session, 4));
    await session.close();
    expect(channel.acknowledged).toEqual([4]);
    expect(channel.isClosed).toBe(true);
    session.acknowledge(receipt(session, 9));
    expect(channel.acknowledged).toEqual([4]);
  });

  it('takes no receipt of another session, and none twice', async () => {
    const { session, channel } = await opened(4);
    channel.deliver(4);
    const other = await opened(4);
    const foreign = (
      await Session.open(2, { channel: async () => other.channel } as unknown as Connection, {
        queue: 'q',
        prefetch: 4,
        clock: other.clock,
      })
    ).receiptOf({
      fields: { deliveryTag: 3 },
    } as ConsumeMessage);
    session.acknowledge(foreign);
    session.acknowledge(receipt(session, 2));
    session.acknowledge(receipt(session, 2));
    session.acknowledge(receipt(session, 1));
    session.acknowledge(undefined);
    expect(channel.acknowledged).toEqual([2]);
  });

  it('gives nothing of a channel that is lost: it comes again over another one', async () => {
    const { session, channel, clock } = await opened();
    channel.deliver(3);
    session.acknowledge(receipt(session, 1));
    channel.emit('error', new Error('CHANNEL_ERROR'));
    expect(() => session.peek(10, ALL)).toThrow('CHANNEL_ERROR');
    await clock.sleep(0);
    expect(channel.acknowledged).toEqual([]);
  });
});
