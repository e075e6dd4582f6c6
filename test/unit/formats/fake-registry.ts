// A fake of a schema registry: the part of Confluent's API that the client uses, scripted, and 599 for all that it does not know.

import { createHash } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { RegistryConfig } from '../../../src/formats/registry/config.ts';
import type { RegistryRequest, RegistryResponse, Transport } from '../../../src/formats/registry/transport.ts';

interface Version {
  readonly id: number;
  readonly version: number;
  readonly schema: string;
  readonly schemaType: string;
  readonly references: unknown;
}

export const registryConfig = (more: Partial<RegistryConfig> = {}): RegistryConfig => ({
  url: 'http://registry.test:8081',
  subject_strategy: 'topic',
  auto_register: true,
  request_timeout: 10_000,
  cache_ttl: 60_000,
  cache_size: 1000,
  ...more,
});

const json = (status: number, body: unknown): RegistryResponse => ({ status, body: JSON.stringify(body) });
const missing = (code: number, message: string): RegistryResponse => json(404, { error_code: code, message });

export class FakeRegistry {
  readonly subjects = new Map<string, Version[]>();
  readonly levels = new Map<string, string>();
  readonly requests: string[] = [];
  /** Answers of the next requests: a status, or an error that there is none. */
  script: (number | Error)[] = [];
  /** Subjects whose new versions do not fit. */
  readonly incompatible = new Set<string>();
  closed = false;

  /** A transport that talks to it without a network. */
  get transport(): Transport {
    return {
      send: (request) => Promise.resolve().then(() => this.answer(request)),
      close: () => {
        this.closed = true;
      },
    };
  }

  schemaOf(id: number): Version | undefined {
    return [...this.subjects.values()].flat().find((version) => version.id === id);
  }

  answer(request: RegistryRequest): RegistryResponse {
    this.requests.push(`${request.method} ${request.path}`);
    const next = this.script.shift();
    if (next instanceof Error) throw next;
    if (next !== undefined && next !== 200) return { status: next, body: '{"error_code":50001,"message":"scripted"}' };
    return this.#route(request);
  }

  #route({ method, path, body }: RegistryRequest): RegistryResponse {
    const [, first = '', second = '', third = '', fourth = ''] = path.split('?')[0]?.split('/').map(decodeURIComponent) ?? [];
    const sent =
      body === undefined
        ? null
        : (JSON.parse(body) as { schema?: string; schemaType?: string; compatibility?: string; references?: unknown });
    if (method === 'GET' && first === 'schemas' && second === 'ids') {
      const found = this.schemaOf(Number(third));
      return found === undefined ? missing(40403, 'Schema not found') : json(200, withType(found));
    }
    if (method === 'GET' && first === 'subjects' && third === 'versions') return this.#version(second, fourth);
    if (method === 'POST' && first === 'subjects' && third === '' && sent?.schema !== undefined) return this.#lookup(second, sent.schema);
    if (method === 'POST' && first === 'subjects' && third === 'versions' && sent?.schema !== undefined)
      return json(200, { id: this.register(second, sent.schema, sent.schemaType, sent.references) });
    if (method === 'POST' && first === 'compatibility' && second === 'subjects') return this.#verdict(third);
    if (first === 'config') return this.#level(method, second, sent?.compatibility);
    return { status: 599, body: `the fake knows no ${method} ${path}` };
  }

  register(subject: string, schema: string, schemaType = 'AVRO', references: unknown = []): number {
    const versions = this.subjects.get(subject) ?? [];
    // Ids as Confluent's: the same for the same schema, whatever its subject.
    const id = [...this.subjects.values()].flat().find((v) => v.schema === schema)?.id ?? hashOf(schema);
    if (!versions.some((v) => v.schema === schema)) versions.push({ id, version: versions.length + 1, schema, schemaType, references });
    this.subjects.set(subject, versions);
    return id;
  }

  #version(subject: string, version: string): RegistryResponse {
    const versions = this.subjects.get(subject);
    if (versions === undefined) return missing(40401, `Subject '${subject}' not found.`);
    const found = version === 'latest' ? versions.at(-1) : versions.find((v) => v.version === Number(version));
    return found === undefined ? missing(40402, 'Version not found.') : json(200, { subject, ...withType(found) });
  }

  #lookup(subject: string, schema: string): RegistryResponse {
    const found = this.subjects.get(subject)?.find((v) => v.schema === schema);
    return found === undefined ? missing(40403, 'Schema not found') : json(200, { subject, ...found });
  }

  #verdict(subject: string): RegistryResponse {
    if (!this.subjects.has(subject)) return missing(40401, `Subject '${subject}' not found.`);
    return json(
      200,
      this.incompatible.has(subject) ? { is_compatible: false, messages: ['a field has no default'] } : { is_compatible: true },
    );
  }

  #level(method: string, subject: string, level: string | undefined): RegistryResponse {
    if (method === 'PUT' && level !== undefined) this.levels.set(subject, level);
    const found = this.levels.get(subject);
    if (found === undefined) return missing(40408, 'no level');
    return json(200, method === 'PUT' ? { compatibility: found } : { compatibilityLevel: found });
  }
}

/** Confluent's leave the type out for Avro. */
const withType = ({ schemaType, ...version }: Version): object => (schemaType === 'AVRO' ? version : { ...version, schemaType });

function hashOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() >>> 4;
}

/** The fake behind a port of this machine; by TLS with a key and a certificate. */
export async function serve(
  fake: FakeRegistry,
  expected: { authorization?: string } = {},
  tls: { readonly key: string; readonly cert: string } | null = null,
): Promise<{ url: string; close(): Promise<void> }> {
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const refused = expected.authorization !== undefined && request.headers.authorization !== expected.authorization;
      const body = Buffer.concat(chunks).toString(),
        { method = '', url = '' } = request;
      const answer = refused
        ? { status: 401, body: '{"error_code":401,"message":"Unauthorized"}' }
        : fake.answer({ method: method as 'GET', path: url.replace(/^\/base/, ''), ...(body === '' ? {} : { body }) });
      response.writeHead(answer.status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(answer.body);
    });
  };
  const server = tls === null ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: tls === null ? `http://127.0.0.1:${port}/base` : `https://localhost:${port}/base`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
