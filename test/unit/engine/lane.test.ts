// A lane alone, on a log that does something at a moment of its own choice.

import { expect, it } from 'vitest';
import { Lane } from '../../../src/engine/lane.ts';
import { ParkedKeys } from '../../../src/engine/parked-keys.ts';
import { BEGINNING } from '../../../src/engine/places.ts';
import { RateLimiter } from '../../../src/engine/rate-limiter.ts';
import { MemoryLog } from '../../../src/log/memory-log.ts';
import { type Destination, silentLogger, systemClock } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/index.ts';
import { destination, MemoryDeadLetters } from '../../helpers/pipeline.ts';

/** Looked at by the lane after it found nothing to collect. */
class LogThatIsWatched extends MemoryLog {
  onLook = (): void => {};
  override get readableSeq(): number {
    queueMicrotask(() => this.onLook());
    return super.readableSeq;
  }
}

it('ends when it is asked to while it looks for a batch', async () => {
  const log = new LogThatIsWatched({ id: 'L', start: BEGINNING, maxEvents: 10, maxBytes: 1000 });
  const lane = new Lane({
    pipeline: 'p',
    config: destination('fake_rows'),
    destination: {} as Destination,
    holdsPoint: false,
    idempotent: true,
    epoch: 1,
    log,
    codecs: {},
    queues: new Set(),
    point: { epoch: 1, log: null, ...BEGINNING },
    entry: { seq: 0, place: BEGINNING },
    encoder: null,
    transform: null,
    middleware: [],
    failFast: false,
    isWaitedFor: () => false,
    deadLetters: new MemoryDeadLetters(),
    keys: new ParkedKeys(memoryStore(), {}),
    rate: new RateLimiter(null, systemClock),
    worker: null,
    joinedAt: { epoch: 1, log: null, ...BEGINNING },
    replay: null,
    saveReplay: async () => {},
    clock: systemClock,
    random: () => 0,
    logger: silentLogger,
    assertLease: () => {},
    onProgress: () => {},
    onError: () => {},
  });
  let isAsked = false;
  log.onLook = () => {
    if (!isAsked) lane.finish();
    isAsked = true;
  };
  await lane.run(new AbortController().signal);
  expect(lane.status().state).toBe('stopped');
});
