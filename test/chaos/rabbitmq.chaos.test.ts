// Through a queue whose server is killed: what it has confirmed it has.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { OwnRabbitmq, QUEUE_IS_SAFE_MS } from '../helpers/own-rabbitmq.ts';
import { skipReason } from '../helpers/rabbitmq.ts';
import { expectRelayed } from './relay.ts';
import { chaosFolder, killsOf, TIMEOUT_MS } from './victim.ts';

const noServer = (await skipReason()) !== null;

describe('file → rabbitmq → file, with a server that is killed', () => {
  it.skipIf(noServer)('loses nothing', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using server = await OwnRabbitmq.start();
    const broker = {
      destination: `{type: rabbitmq, url: "${server.url}", exchange: chaos, queue: chaos, envelope: plain}`,
      source: `{type: rabbitmq, url: "${server.url}", queue: chaos, exchange: chaos, envelope: plain, prefetch: 200}`,
      ready: () => sleep(QUEUE_IS_SAFE_MS),
      stop: () => server.kill(),
      start: () => server.start(),
    };
    await expectRelayed(work, broker, killsOf(6), 8);
  });
});
