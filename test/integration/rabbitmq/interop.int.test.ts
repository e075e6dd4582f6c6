// RabbitMQ's own PerfTest reads what we wrote, and we read what it writes.

import { describe, expect, it } from 'vitest';
import { descriptor as destinationType } from '../../../src/destinations/rabbitmq/index.ts';
import { Events, item, laneBatch, memoryStore } from '../../../src/sdk/testing/index.ts';
import { readToEnd, testContext } from '../../../src/sdk/testing/reading.ts';
import { descriptor as sourceType } from '../../../src/sources/rabbitmq/index.ts';
import { perfTest } from '../../helpers/perf-test.ts';
import { openReplica, STORED } from '../../helpers/postgresql-lane.ts';
import { RabbitPlace, rabbitmqConfig, rabbitmqSourceConfig, skipReason } from '../../helpers/rabbitmq.ts';

const noServer = (await skipReason()) !== null;

describe.skipIf(noServer)('PerfTest', () => {
  it('reads what we wrote', { timeout: 400_000 }, async ({ skip }) => {
    await using place = await RabbitPlace.open();
    const destination = await openReplica(rabbitmqConfig(place.url, { queue: place.queue }), { descriptor: destinationType }),
      e = new Events();
    const events = Array.from({ length: 2000 }, (_, i) => e.create(item(i, 'x'.repeat(300))));
    expect(await destination.write(laneBatch(events), new AbortController().signal)).toEqual(STORED);
    await destination.close();
    expect(await place.count()).toBe(2000);
    // It ends once it has read and acknowledged as many.
    const said = await perfTest(place.url, place.queue, '-x', '0', '-y', '1', '-q', '500', '-D', '2000');
    if (said === null) skip('no Java or Maven');
    expect(said).toMatch(/receiving rate avg: \d+/);
    expect(await place.count()).toBe(0);
  });

  it('writes what we read', { timeout: 400_000 }, async ({ skip }) => {
    await using place = await RabbitPlace.open();
    await place.makeQueue();
    const said = await perfTest(place.url, place.queue, '-x', '1', '-y', '0', '-s', '400', '-c', '100', '-f', 'persistent', '-C', '1000');
    if (said === null) skip('no Java or Maven');
    const config = rabbitmqSourceConfig(place.url, place.queue, { message_format: 'raw' }),
      source = await sourceType.create(config, testContext('rabbitmq', memoryStore())),
      { events } = await readToEnd(source);
    expect(events).toHaveLength(1000);
    expect(events.every((e) => (e.get('after', 'value') as Uint8Array).length === 400)).toBe(true);
    await source.close();
  });
});
