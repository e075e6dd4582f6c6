// A storm of redeliveries: another consumer of the queue takes messages and gives them back, again and again. Those that came too often
// end in the dead letter queue; the others pass.

import { existsSync } from 'node:fs';
import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { readDeadLetters } from '../../src/dead-letters/reader.ts';
import { RabbitPlace, skipReason } from '../helpers/rabbitmq.ts';
import { Workspace } from './process.ts';

const MESSAGES = 300;
const MOST = 10;

const idOf = ({ content }: { readonly content: Uint8Array }): number => (JSON.parse(Buffer.from(content).toString()) as { id: number }).id;
/** Nobody who gets one of these can finish it. */
const isPoison = (id: number): boolean => id % 100 === 7;
const timesReturned = ({ properties }: ConsumeMessage): number => Number(properties.headers?.['x-delivery-count'] ?? 0);

/** Another consumer: what `gives` says it gives back at once, the rest when its scope ends. */
async function takeAndGiveBack(
  place: RabbitPlace,
  prefetch: number,
  gives: (message: ConsumeMessage) => boolean,
): Promise<AsyncDisposable> {
  const other = await RabbitPlace.open(place.url);
  await other.channel.prefetch(prefetch);
  await other.channel.consume(place.queue, (message) => {
    if (message !== null && gives(message)) other.channel.nack(message, false, true);
  });
  return other;
}

describe.skipIf((await skipReason()) !== null)('rabbitmq → file', () => {
  it('parks what was delivered too often, and delivers the rest, in a storm', async () => {
    await using place = await RabbitPlace.open();
    using work = new Workspace();
    await place.makeQueue();
    const all = Array.from({ length: MESSAGES }, (_, i) => i + 1),
      poison = all.filter(isPoison);
    for (const id of all) place.channel.sendToQueue(place.queue, Buffer.from(JSON.stringify({ id })), { persistent: true });
    await expect.poll(() => place.count()).toBe(MESSAGES);

    const tooOften = new Set<number>();
    {
      await using _ = await takeAndGiveBack(place, MESSAGES, (message) => {
        const id = idOf(message);
        if (timesReturned(message) >= MOST) tooOften.add(id);
        return isPoison(id);
      });
      await expect.poll(() => [...tooOften].sort((a, b) => a - b)).toEqual(poison);
    }

    work.write(
      'calm.yaml',
      `
source: {type: rabbitmq, url: "${place.url}", queue: ${place.queue}, key_fields: [id], prefetch: 20, max_deliveries: ${MOST}}
destination: {type: file, path: out.ndjson, envelope: plain}
error_handling: {dead_letter_queue: {type: file, path: dead.ndjson}}
`,
    );
    const delivered = (): number[] =>
      existsSync(work.path('out.ndjson'))
        ? work.lines('out.ndjson').map((line) => (JSON.parse(line) as { after: { id: number } }).after.id)
        : [];
    const parked = async (): Promise<Map<number, string>> => {
      const found = new Map<number, string>();
      if (existsSync(work.path('dead.ndjson')))
        for await (const { input, error } of readDeadLetters(work.path('dead.ndjson')))
          found.set(idOf({ content: input as Uint8Array }), error.message);
      return found;
    };
    const finished = async (): Promise<number[]> => [...new Set([...delivered(), ...(await parked()).keys()])].sort((a, b) => a - b);
    const isThrough = (count: number) =>
      expect.poll(async () => (await finished()).length, { timeout: 60_000 }).toBeGreaterThanOrEqual(count);
    const run = work.start(['calm.yaml']);
    {
      await using _ = await takeAndGiveBack(place, 5, () => true);
      await isThrough(MESSAGES / 2);
    }
    await isThrough(MESSAGES);
    run.child.kill('SIGTERM');
    expect(await run.ended).toMatchObject({ code: 0 });

    const letters = await parked();
    expect(await finished()).toEqual(all);
    expect(poison.filter((id) => !letters.has(id))).toEqual([]);
    for (const message of letters.values()) expect(Number(/delivered (\d+) times/.exec(message)?.[1])).toBeGreaterThan(MOST);
    expect(await place.count()).toBe(0);
  });
});
