import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/sdk/index.ts';
import { tokenProvider } from '../../../../src/systems/kafka/oauth.ts';

const CONFIG = { token_endpoint_url: 'http://login/token', client_id: 'c:1', client_secret: 's', scope: 'kafka' };

function answering(...answers: { status?: number; body?: unknown }[]) {
  const requests: RequestInit[] = [];
  const request = (async (_url: unknown, init?: RequestInit) => {
    requests.push(init ?? {});
    const { status = 200, body = {} } = answers.shift() ?? {};
    return new Response(JSON.stringify(body), { status });
  }) as typeof fetch;
  return { requests, request };
}

describe('tokenProvider', () => {
  it('asks once while a token is good, and again shortly before it ends', async () => {
    let nowMs = 0;
    const { requests, request } = answering({ body: { access_token: 'one', expires_in: 100 } }, { body: { access_token: 'two' } });
    const token = tokenProvider(CONFIG, { ...systemClock, now: () => nowMs }, request);
    expect([await token(), await token()]).toEqual(['one', 'one']);
    nowMs = 71_000;
    expect(await token()).toBe('two');
    expect(requests).toHaveLength(2);
    expect(requests[0]).toMatchObject({
      body: 'grant_type=client_credentials&scope=kafka',
      headers: { authorization: 'Basic YyUzQTE6cw==' },
    });
  });

  it('gives the token that was configured', async () => {
    expect(await tokenProvider({ token: 'given' }, systemClock)()).toBe('given');
  });

  it.each([
    [{ status: 401 }, false],
    [{ status: 503 }, true],
    [{ body: {} }, false],
  ])('fails for the answer %j, retriable: %s', async (answer, retriable) => {
    const { request } = answering(answer);
    await expect(tokenProvider(CONFIG, systemClock, request)()).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', retriable });
  });
});
