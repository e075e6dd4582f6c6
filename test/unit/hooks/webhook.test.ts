// Against a server on the loopback interface: what goes over the wire is the point.

import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { descriptor } from '../../../src/hooks/webhook.ts';
import { CdcError, type Clock, type Hook } from '../../../src/sdk/index.ts';
import { AFTER_RUN, contextWith } from './samples.ts';

type Config = Parameters<typeof descriptor.create>[0];
interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers with these statuses in turn, the last one for ever. */
async function server(...answers: (number | RequestListener)[]): Promise<{ url: string; received: Received[] } & AsyncDisposable> {
  const received: Received[] = [];
  const http = createServer((request, response) => {
    let body = '';
    request
      .on('data', (chunk) => {
        body += String(chunk);
      })
      .on('end', () => {
        const answer = answers[Math.min(received.length, answers.length - 1)] ?? 200;
        received.push({ method: request.method, url: request.url, headers: request.headers, body });
        if (typeof answer === 'function') answer(request, response);
        else response.writeHead(answer, { location: '/elsewhere' }).end('ok');
      });
  });
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hooks/T0KEN?x=S3CRET`,
    received,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => {
        http.close(resolve);
      });
    },
  };
}

/** Sleeps are noted and over at once, except those as long as the timeout: they never end. */
function clock(slept: number[] = []): Clock {
  return {
    now: () => 0,
    sleep: (ms, signal) => {
      if (ms !== TIMEOUT_MS) {
        slept.push(ms);
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        signal?.addEventListener(
          'abort',
          () => {
            resolve();
          },
          { once: true },
        );
      });
    },
  };
}
const TIMEOUT_MS = 12_345;

const hook = (config: Partial<Config>, slept: number[] = [], time: Clock = clock(slept)): Hook & { close(): Promise<void> } =>
  descriptor.create({ url: '', headers: {}, timeout: TIMEOUT_MS, retries: 2, ...config }, contextWith([], { clock: time })) as never;

describe('a request', () => {
  it('posts the payload as JSON with the headers that are configured', async () => {
    await using s = await server(204);
    await hook({ url: s.url, headers: { authorization: 'Bearer abc', 'User-Agent': 'mine' } }).handle(AFTER_RUN);
    expect(s.received).toMatchObject([
      {
        method: 'POST',
        url: '/hooks/T0KEN?x=S3CRET',
        headers: { authorization: 'Bearer abc', 'content-type': 'application/json', 'user-agent': 'mine' },
      },
    ]);
    expect(JSON.parse(s.received[0]?.body ?? '')).toMatchObject({ event: 'after_run', pipeline: 'orders', run: { id: 7 } });
  });

  it.each([[429], [500], [503]])('is repeated after status %d with growing delays', async (status) => {
    await using s = await server(status, status, 200);
    const slept: number[] = [];
    await hook({ url: s.url }, slept).handle(AFTER_RUN);
    expect([s.received.length, slept]).toEqual([3, [500, 1000]]);
    expect(new Set(s.received.map((r) => r.body)).size).toBe(1);
  });

  const final: [number, RegExp][] = [
    [400, /status 400/],
    [401, /status 401/],
    [404, /status 404/],
    [302, /status 302; redirects are not followed/],
    [308, /status 308; redirects/],
  ];
  it.each(final)('is not repeated after status %d', async (status, message) => {
    await using s = await server(status);
    await expect(hook({ url: s.url }).handle(AFTER_RUN)).rejects.toMatchObject({
      code: 'PLUGIN_FAILED',
      retriable: false,
      message: expect.stringMatching(message),
    });
    expect(s.received).toHaveLength(1);
  });

  it('is given up after its retries', async () => {
    await using s = await server(503);
    await expect(hook({ url: s.url, retries: 1 }).handle(AFTER_RUN)).rejects.toMatchObject({ code: 'PLUGIN_FAILED', retriable: true });
    expect(s.received).toHaveLength(2);
  });

  it('is repeated when the connection breaks', async () => {
    await using s = await server((request) => {
      request.socket.destroy();
    }, 200);
    await hook({ url: s.url }).handle(AFTER_RUN);
    expect(s.received).toHaveLength(2);
  });

  it('ends with its timeout when the server does not answer', async () => {
    await using s = await server(() => undefined);
    const sleepless: Clock = {
      now: () => 0,
      sleep: async () => {
        while (s.received.length === 0)
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
      },
    };
    await expect(hook({ url: s.url, retries: 0 }, [], sleepless).handle(AFTER_RUN)).rejects.toMatchObject({
      code: 'PLUGIN_TIMEOUT',
      message: expect.stringMatching(/within 12\.345 s/),
    });
  });

  it('ends when the pipeline ends', async () => {
    await using s = await server(() => {
      void one.close();
    });
    const one = hook({ url: s.url });
    await expect(one.handle(AFTER_RUN)).rejects.toMatchObject({ code: 'PLUGIN_FAILED' });
    expect(s.received).toHaveLength(1);
  });

  it('that fails tells neither path nor headers', async () => {
    await using s = await server(500);
    const errors: unknown[] = [];
    const config = { url: s.url, headers: { authorization: 'Bearer T0KEN' }, retries: 0 };
    await hook(config)
      .handle(AFTER_RUN)
      ?.catch((e: unknown) => errors.push(e));
    await hook({ ...config, url: s.url.replace(/:\d+/, ':1') })
      .handle(AFTER_RUN)
      ?.catch((e: unknown) => errors.push(e));
    expect(errors).toHaveLength(2);
    for (const error of errors)
      expect(error instanceof CdcError && `${error.message} ${JSON.stringify(error)}`).not.toMatch(/T0KEN|S3CRET/);
    expect((errors[1] as Error).message).toMatch(/http:\/\/127\.0\.0\.1:1 cannot be reached/);
  });
});

describe('the configuration', () => {
  const cases: [Partial<Config>, string[]][] = [
    [{ url: 'https://example.com/x' }, []],
    [{ url: 'ftp://example.com' }, ['url']],
    [{ url: 'example.com' }, ['url']],
    [{ url: 'https://user:secret@example.com' }, ['url']],
    [{ url: 'https://example.com', headers: { 'x y': 'a', ok: 'a\nb' } }, ['headers.x y', 'headers.ok']],
  ];
  it.each(cases)('%o has problems at %j', (config, paths) => {
    const problems = descriptor.validate?.({ url: '', headers: {}, timeout: 1, retries: 0, ...config }) ?? [];
    expect(problems.map((p) => p.path.join('.'))).toEqual(paths);
    expect(JSON.stringify(problems)).not.toMatch(/secret@/);
  });
});
