import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Incoming } from '../../../src/snapshot/incoming.ts';
import { Notifier } from '../../../src/util/signal.ts';

/** A stream that gives what it is given. */
class Fed<T> {
  #give: ((value: T | null) => void) | null = null;
  #fail: ((error: Error) => void) | null = null;
  asked = 0;

  next(): Promise<T | null> {
    this.asked++;
    return new Promise((give, fail) => {
      this.#give = give;
      this.#fail = fail;
    });
  }
  give(value: T | null): void {
    this.#give?.(value);
  }
  fail(error: Error): void {
    this.#fail?.(error);
  }
}

const never = new AbortController().signal;

describe('what a source waits for', () => {
  it('is what the stream gives, asked once for each', async () => {
    const stream = new Fed<number>(),
      incoming = new Incoming(stream, new Notifier(), never);
    const first = incoming.next();
    stream.give(1);
    expect(await first).toBe(1);
    const second = incoming.next();
    stream.give(2);
    expect([await second, stream.asked]).toEqual([2, 2]);
  });

  it('is a word that comes before it, which loses nothing of the stream', async () => {
    const stream = new Fed<number>(),
      changed = new Notifier(),
      incoming = new Incoming(stream, changed, never);
    const word = incoming.next();
    changed.notify();
    expect(await word).toBeNull();
    const value = incoming.next();
    stream.give(3);
    expect([await value, stream.asked]).toEqual([3, 1]);
  });

  it('is a failure of the stream, thrown to who asks next', async () => {
    const stream = new Fed<number>(),
      changed = new Notifier(),
      incoming = new Incoming(stream, changed, never);
    const word = incoming.next();
    changed.notify();
    await word;
    stream.fail(new Error('lost'));
    await new Promise((resolve) => setImmediate(resolve));
    await expect(incoming.next()).rejects.toThrow('lost');
  });

  it('is nothing once it is aborted', async () => {
    const stop = new AbortController(),
      incoming = new Incoming(new Fed<number>(), new Notifier(), stop.signal),
      next = incoming.next();
    stop.abort();
    expect(await next).toBeNull();
  });

  it('is not kept once it was taken, however long no word comes', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const stream = new Fed<object>(),
      incoming = new Incoming(stream, new Notifier(), never),
      taken: WeakRef<object>[] = [];
    for (let i = 0; i < 20; i++) {
      const next = incoming.next();
      stream.give({ i });
      taken.push(new WeakRef((await next) as object));
    }
    // The last one may still be held by the stream that gave it.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(taken.filter((ref) => ref.deref() !== undefined).length).toBeLessThanOrEqual(1);
  });
});
