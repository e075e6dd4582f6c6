// Tokens for OAUTHBEARER: the client credentials grant, or one that was given. kafkajs asks for one per connection, and again
// when a broker says that a session ends.
// https://www.rfc-editor.org/rfc/rfc6749#section-4.4

import { CdcError, type Clock } from '../../sdk/index.ts';
import type { ConnectionConfig } from './config.ts';

type OauthConfig = NonNullable<ConnectionConfig['sasl_oauth']>;
type Fetch = typeof fetch;

/** A token is asked for anew when it has less than this left: a login takes a moment. */
const EARLY_MS = 30_000;
/** For answers that do not say how long the token lasts. */
const DEFAULT_LIFE_MS = 300_000;
const TIMEOUT_MS = 10_000;

/** A function that gives a token which is still good. */
export function tokenProvider(config: OauthConfig, clock: Clock, request: Fetch = fetch): () => Promise<string> {
  const { token } = config;
  if (token !== undefined) return () => Promise.resolve(token);
  let known: { readonly token: string; readonly untilMs: number } | null = null;
  return async () => {
    if (known === null || clock.now() >= known.untilMs - EARLY_MS) known = await ask(config, clock, request);
    return known.token;
  };
}

async function ask(config: OauthConfig, clock: Clock, request: Fetch): Promise<{ token: string; untilMs: number }> {
  const { token_endpoint_url: url = '', client_id: id = '', client_secret: secret = '', scope } = config;
  const failed = (what: string, retriable: boolean, cause?: unknown): CdcError =>
    new CdcError('SOURCE_FORBIDDEN', `No token from ${url}: ${what}`, {
      retriable,
      cause,
      fix: 'Check `sasl_oauth`, and that the address can be reached.',
    });
  const nowMs = clock.now();
  let response: Response;
  try {
    response = await request(url, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) }).toString(),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw failed('nobody answers', true, cause);
  }
  if (!response.ok) throw failed(`it answers ${response.status}`, response.status >= 500 || response.status === 429);
  const { access_token: token, expires_in: seconds } = (await response.json()) as { access_token?: unknown; expires_in?: unknown };
  if (typeof token !== 'string' || token === '') throw failed('the answer has no access_token', false);
  return { token, untilMs: nowMs + (typeof seconds === 'number' ? seconds * 1000 : DEFAULT_LIFE_MS) };
}
