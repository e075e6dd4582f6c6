// One HTTP exchange with the registry, over connections that are kept. Node's own client, since `fetch` takes no authority of one's own.

import { readFile } from 'node:fs/promises';
import type { Agent, IncomingMessage, RequestOptions } from 'node:http';
import { CdcError } from '../../sdk/index.ts';
import type { RegistryConfig } from './config.ts';

/** `path` begins with a slash and holds no secret. */
export interface RegistryRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: string;
}

export interface RegistryResponse {
  readonly status: number;
  readonly body: string;
}

export interface Transport {
  /** Rejects when there is no answer, or when `signal` aborts. */
  send(request: RegistryRequest, signal: AbortSignal): Promise<RegistryResponse>;
  close(): void;
}

/** An answer longer than this is none of a registry. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

export async function httpTransport(config: RegistryConfig, where: string): Promise<Transport> {
  const url = new URL(config.url),
    base = url.pathname.replace(/\/+$/, ''),
    isTls = url.protocol === 'https:';
  const { request, Agent } = isTls ? await import('node:https') : await import('node:http');
  const agent: Agent = new Agent({
    keepAlive: true,
    maxSockets: 4,
    ...(config.ca === undefined ? {} : { ca: await readCa(config.ca, where) }),
  });
  const headers = { accept: `${MEDIA_TYPE}, application/json`, ...authorization(config) };
  return {
    send: ({ method, path, body }, signal) =>
      new Promise((resolve, reject) => {
        const options: RequestOptions = {
          host: url.hostname.replace(/^\[|\]$/g, ''),
          port: url.port === '' ? (isTls ? 443 : 80) : url.port,
          method,
          path: `${base}${path}${url.search}`,
          agent,
          signal,
          headers: body === undefined ? headers : { ...headers, 'content-type': MEDIA_TYPE, 'content-length': Buffer.byteLength(body) },
        };
        const sent = request(options, (response) => void answerOf(response).then(resolve, reject));
        sent.once('error', reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}

function authorization({ username, password, token }: RegistryConfig): { authorization?: string } {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (username === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` };
}

async function answerOf(response: IncomingMessage): Promise<RegistryResponse> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error(`it answers with more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() };
}

async function readCa(file: string, where: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new CdcError('CONFIG_FILE_UNREADABLE', `The certificate file ${file} cannot be read.`, {
      where,
      fix: 'Correct schema_registry.ca.',
      cause,
    });
  }
}
