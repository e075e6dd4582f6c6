// The hook `webhook`: posts what happened as JSON to an address.

import {
  CdcError,
  type ConfigOf,
  type ConfigProblem,
  Default,
  Duration,
  defineHook,
  type Hook,
  type HookPayload,
  Keys,
  type PluginContext,
  Secret,
  Type,
} from '../sdk/index.ts';
import { formatPayload } from './payload.ts';

const configSchema = Keys(
  {
    url: Secret({
      description: 'Where to post, https or http. Printed without its path, which often holds a token.',
      examples: ['https://hooks.example.com/cdc'],
    }),
    headers: Default(
      Type.Record(Type.String(), Secret({ description: 'A header.' }), {
        description: 'Headers of the request.',
        examples: [{ authorization: 'Bearer ${TOKEN}' }],
      }),
      {},
    ),
    timeout: Default(Duration({ unit: 's', minimum: 0.01, description: 'How long one attempt may take.', examples: ['10s'] }), '10s'),
    retries: Default(
      Type.Integer({
        minimum: 0,
        maximum: 10,
        description: 'Further attempts when the server cannot be reached, is overloaded (429) or fails (5xx).',
        examples: [2],
      }),
      2,
    ),
  },
  { description: 'Posts what happened as JSON.' },
);

type WebhookConfig = ConfigOf<typeof configSchema>;

/** Delay before the first repeat; doubled for each further one, with up to as much again by chance. */
const FIRST_DELAY_MS = 500;

export const descriptor = defineHook({
  type: 'webhook',
  title: 'Posts what happened as JSON to an address',
  config: configSchema,
  validate,
  create: (config, ctx) => new WebhookHook(config, ctx),
});

function validate(config: WebhookConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const url = URL.canParse(config.url) ? new URL(config.url) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    problems.push({ path: ['url'], message: 'this is no http or https address', fix: 'Write a whole address: https://host/path.' });
  } else if (url.username !== '' || url.password !== '') {
    problems.push({ path: ['url'], message: 'the address holds a user name or password', fix: 'Send it as the header `authorization`.' });
  }
  for (const [name, value] of Object.entries(config.headers)) {
    try {
      new Headers([[name, value]]);
    } catch {
      problems.push({
        path: ['headers', name],
        message: 'this is no valid header',
        fix: 'Use letters, digits and `-` in the name, and one line as value.',
      });
    }
  }
  return problems;
}

class WebhookHook implements Hook {
  readonly #config: WebhookConfig;
  readonly #ctx: PluginContext;
  readonly #running = new Set<AbortController>();
  #closed = false;

  constructor(config: WebhookConfig, ctx: PluginContext) {
    this.#config = config;
    this.#ctx = ctx;
  }

  async handle(payload: HookPayload): Promise<void> {
    const body = formatPayload(payload),
      stop = new AbortController();
    this.#running.add(stop);
    try {
      for (let attempt = 0; ; attempt++) {
        const error = await this.#post(body, stop.signal);
        if (error === null) return;
        if (!error.retriable || attempt >= this.#config.retries || this.#closed) throw error;
        await this.#ctx.clock.sleep(FIRST_DELAY_MS * 2 ** attempt * (1 + this.#ctx.random()), stop.signal);
      }
    } finally {
      this.#running.delete(stop);
    }
  }

  /** Ends what is still under way: the engine has given up waiting for it. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stop of this.#running) stop.abort();
  }

  async #post(body: string, stop: AbortSignal): Promise<CdcError | null> {
    const { url, headers, timeout } = this.#config,
      request = new AbortController(),
      done = new AbortController();
    let late = false;
    void this.#ctx.clock.sleep(timeout, done.signal).then(() => {
      late = true;
      request.abort();
    });
    const abort = (): void => {
      request.abort();
    };
    stop.addEventListener('abort', abort);
    try {
      const response = await fetch(url, {
        method: 'POST',
        body,
        headers: allHeaders(headers),
        // Followed, a redirect would take the headers and what happened to an address that nobody configured.
        redirect: 'manual',
        signal: request.signal,
      });
      await response.body?.cancel();
      return response.ok ? null : this.#refused(response.status);
    } catch (cause) {
      return this.#unreachable(cause, late);
    } finally {
      done.abort();
      stop.removeEventListener('abort', abort);
    }
  }

  #refused(status: number): CdcError {
    const isRedirect = status >= 300 && status < 400;
    return new CdcError(
      'PLUGIN_FAILED',
      `${this.#address()} answered with status ${status}${isRedirect ? '; redirects are not followed' : ''}.`,
      {
        where: `hook "${this.#ctx.name}"`,
        retriable: status === 429 || status >= 500,
        fix: isRedirect ? 'Set `url` to the address that it leads to.' : 'Check `url` and `headers`, and what the server says.',
      },
    );
  }

  #unreachable(cause: unknown, late: boolean): CdcError {
    const where = `hook "${this.#ctx.name}"`;
    if (late)
      return new CdcError('PLUGIN_TIMEOUT', `${this.#address()} did not answer within ${this.#config.timeout / 1000} s.`, {
        where,
        fix: 'Check the server, or raise `timeout`.',
        retriable: true,
      });
    return new CdcError('PLUGIN_FAILED', `${this.#address()} cannot be reached: ${reasonOf(cause)}.`, {
      where,
      fix: 'Check `url`, the network and the certificate of the server.',
      retriable: true,
    });
  }

  /** Path and query of such addresses are often the secret. */
  #address(): string {
    return new URL(this.#config.url).origin;
  }
}

/** Own ones replace ours, whatever case they are written in; what the body is, we know. */
function allHeaders(own: Readonly<Record<string, string>>): Headers {
  const headers = new Headers({ 'user-agent': 'cdc-run' });
  for (const [name, value] of Object.entries(own)) headers.set(name, value);
  headers.set('content-type', 'application/json');
  return headers;
}

/** `fetch failed` alone says nothing; the cause has the code. Its own text may quote the request, so only the code is told. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'the request failed';
}
