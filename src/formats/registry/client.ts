// A client of schema registries with Confluent's API: six calls, a cache, and answers shared by those who ask for the same.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html

import { CdcError } from '../../sdk/index.ts';
import { Lru } from '../../util/lru.ts';
import { unlessAborted } from '../../util/signal.ts';
import type { FormatContext } from '../context.ts';
import type { RegistryConfig } from './config.ts';
import { distrust, incompatible, isOverloaded, messageOf, noAnswer, type RegistryPlace, refusal, unavailable, unknown } from './errors.ts';
import { httpTransport, type RegistryRequest, type RegistryResponse, type Transport } from './transport.ts';

export type SchemaType = 'AVRO' | 'PROTOBUF' | 'JSON';

export interface SchemaReference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** A schema as it is registered. */
export interface RegistrySchema {
  readonly type: SchemaType;
  readonly text: string;
  readonly references: readonly SchemaReference[];
}
export interface RegisteredSchema extends RegistrySchema {
  readonly id: number;
}

/** Tries of one request, the first included: a registry that restarts is back in a second. The engine waits longer. */
const TRIES = 3;
const FIRST_DELAY_MS = 200;
/** A registry that never answers holds nobody longer than this beyond its time. */
const MAX_REFERENCE_DEPTH = 32;

interface Latest {
  readonly schema: RegisteredSchema;
  readonly untilMs: number;
}

export class SchemaRegistry {
  readonly #config: RegistryConfig;
  readonly #ctx: FormatContext;
  readonly #place: RegistryPlace;
  readonly #connect: () => Promise<Transport>;
  #transport: Promise<Transport> | null = null;
  readonly #byId: Lru<RegistrySchema>;
  /** Subject and schema → id. */
  readonly #ids: Lru<number>;
  readonly #latest: Lru<Latest>;
  readonly #versions: Lru<RegistrySchema>;
  readonly #levels = new Set<string>();
  readonly #underWay = new Map<string, Promise<unknown>>();
  readonly #closed = new AbortController();

  constructor(config: RegistryConfig, ctx: FormatContext, connect = (): Promise<Transport> => httpTransport(config, ctx.where)) {
    this.#config = config;
    this.#ctx = ctx;
    this.#place = { where: ctx.where, origin: new URL(config.url).origin };
    this.#connect = connect;
    this.#byId = new Lru(config.cache_size);
    this.#ids = new Lru(config.cache_size);
    this.#latest = new Lru(config.cache_size);
    this.#versions = new Lru(config.cache_size);
  }

  /** Throws `REGISTRY_SCHEMA_UNKNOWN`, `REGISTRY_UNAVAILABLE`, `REGISTRY_FORBIDDEN`, as all others do. */
  byId(id: number, signal: AbortSignal): Promise<RegistrySchema> {
    const known = this.#byId.get(`${id}`);
    if (known !== undefined) return Promise.resolve(known);
    return this.#shared(`id ${id}`, signal, async () => {
      const found = await this.#call({ method: 'GET', path: `/schemas/ids/${id}` });
      if (found === null) throw unknown(this.#place, `schema with the id ${id}`);
      const schema = schemaOf(found);
      this.#byId.set(`${id}`, schema);
      return schema;
    });
  }

  /** The newest version of a subject, not older than `cache_ttl`. */
  latest(subject: string, signal: AbortSignal): Promise<RegisteredSchema> {
    const known = this.#latest.get(subject),
      { clock } = this.#ctx;
    if (known !== undefined && known.untilMs > clock.now()) return Promise.resolve(known.schema);
    return this.#shared(`latest ${subject}`, signal, async () => {
      const found = await this.#call({ method: 'GET', path: `/subjects/${encodeURIComponent(subject)}/versions/latest` });
      if (found === null) throw unknown(this.#place, `subject "${subject}"`);
      const schema = { ...schemaOf(found), id: idOf(found, this.#place) };
      this.#latest.set(subject, { schema, untilMs: clock.now() + this.#config.cache_ttl });
      return schema;
    });
  }

  /**
   * The id of a schema under a subject. One that is not there yet is registered, once the registry has said that readers of the
   * subject can live with it. Throws `REGISTRY_SCHEMA_INCOMPATIBLE`; with `auto_register: false` `REGISTRY_SCHEMA_UNKNOWN`.
   */
  idOf(subject: string, schema: RegistrySchema, signal: AbortSignal): Promise<number> {
    const key = `${subject}\0${schema.type}\0${schema.text}`,
      known = this.#ids.get(key);
    if (known !== undefined) return Promise.resolve(known);
    return this.#shared(`register ${key}`, signal, async () => {
      const id = (await this.#lookup(subject, schema)) ?? (await this.#register(subject, schema));
      this.#ids.set(key, id);
      return id;
    });
  }

  /** The schemas that a schema refers to, those first that others need. */
  async referencesOf(schema: RegistrySchema, signal: AbortSignal): Promise<readonly (RegistrySchema & { readonly name: string })[]> {
    const found = new Map<string, RegistrySchema & { readonly name: string }>();
    const visit = async ({ references }: RegistrySchema, depth: number): Promise<void> => {
      if (depth > MAX_REFERENCE_DEPTH) throw unavailable(this.#place, 'has schemas that refer to each other without end');
      for (const { name, subject, version } of references) {
        if (found.has(name)) continue;
        const referred = await this.#version(subject, version, signal);
        await visit(referred, depth + 1);
        found.set(name, { ...referred, name });
      }
    };
    await visit(schema, 0);
    return [...found.values()];
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('closed'));
    (await this.#transport?.catch(() => null))?.close();
  }

  #version(subject: string, version: number, signal: AbortSignal): Promise<RegistrySchema> {
    const key = `${subject}\0${version}`,
      known = this.#versions.get(key);
    if (known !== undefined) return Promise.resolve(known);
    return this.#shared(`version ${key}`, signal, async () => {
      const found = await this.#call({ method: 'GET', path: `/subjects/${encodeURIComponent(subject)}/versions/${version}` });
      if (found === null) throw unknown(this.#place, `version ${version} of the subject "${subject}"`);
      const schema = schemaOf(found);
      this.#versions.set(key, schema);
      return schema;
    });
  }

  async #lookup(subject: string, schema: RegistrySchema): Promise<number | null> {
    const found = await this.#call({ method: 'POST', path: `/subjects/${encodeURIComponent(subject)}`, body: bodyOf(schema) });
    return found === null ? null : idOf(found, this.#place);
  }

  async #register(subject: string, schema: RegistrySchema): Promise<number> {
    if (!this.#config.auto_register) throw unknown(this.#place, `such schema under the subject "${subject}", and auto_register is off`);
    await this.#level(subject);
    const name = encodeURIComponent(subject),
      body = bodyOf(schema);
    const verdict = await this.#call({ method: 'POST', path: `/compatibility/subjects/${name}/versions/latest?verbose=true`, body });
    // Nothing there yet: nothing to be compatible with.
    if (verdict !== null && verdict['is_compatible'] === false)
      throw incompatible(this.#place, `subject "${subject}": ${reasonOf(verdict)}`);
    const registered = await this.#call({ method: 'POST', path: `/subjects/${name}/versions`, body });
    if (registered === null) throw unavailable(this.#place, `does not register under the subject "${subject}"`);
    this.#latest.delete(subject);
    return idOf(registered, this.#place);
  }

  /** The level of compatibility that the configuration asks for. */
  async #level(subject: string): Promise<void> {
    const { compatibility } = this.#config;
    if (compatibility === undefined || this.#levels.has(subject)) return;
    const path = `/config/${encodeURIComponent(subject)}`;
    const found = await this.#call({ method: 'GET', path });
    if (found?.['compatibilityLevel'] !== compatibility) await this.#call({ method: 'PUT', path, body: JSON.stringify({ compatibility }) });
    this.#levels.add(subject);
  }

  /** One answer for all who ask at the same time; whoever is aborted leaves the others theirs. */
  #shared<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    let answer = this.#underWay.get(key) as Promise<T> | undefined;
    if (answer === undefined) {
      answer = work().finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, answer);
    }
    return unlessAborted(answer, signal);
  }

  /** The answer; `null`: there is no such thing. */
  async #call(request: RegistryRequest): Promise<Record<string, unknown> | null> {
    const response = await this.#patiently(request);
    if (response.status === 404) return null;
    if (response.status < 200 || response.status > 299) throw refusal(this.#place, request, response);
    try {
      const json: unknown = JSON.parse(response.body);
      if (typeof json === 'object' && json !== null) return json as Record<string, unknown>;
    } catch {
      /* below */
    }
    throw unavailable(this.#place, `answers ${request.method} ${request.path} with no JSON: ${messageOf(response.body)}`);
  }

  async #patiently(request: RegistryRequest): Promise<RegistryResponse> {
    const { clock, random } = this.#ctx,
      signal = this.#closed.signal;
    for (let attempt = 1; ; attempt++) {
      let failure: () => Error;
      try {
        const response = await this.#once(request);
        if (!isOverloaded(response)) return response;
        failure = () => refusal(this.#place, request, response);
      } catch (cause) {
        if (cause instanceof CdcError) throw cause;
        const distrusted = distrust(this.#place, cause);
        if (distrusted !== null) throw distrusted;
        failure = () => noAnswer(this.#place, cause);
      }
      if (attempt === TRIES || signal.aborted) throw failure();
      await clock.sleep(FIRST_DELAY_MS * 2 ** (attempt - 1) * (1 + random()), signal);
    }
  }

  /** One exchange, within `request_timeout`. */
  async #once(request: RegistryRequest): Promise<RegistryResponse> {
    const done = new AbortController(),
      late = new AbortController();
    const { clock } = this.#ctx,
      { request_timeout: timeoutMs } = this.#config;
    void clock.sleep(timeoutMs, AbortSignal.any([done.signal, this.#closed.signal])).then(() => {
      if (!done.signal.aborted) late.abort(new Error(`no answer within ${timeoutMs} ms`));
    });
    try {
      this.#transport ??= this.#connect();
      return await unlessAborted((await this.#transport).send(request, late.signal), late.signal);
    } finally {
      done.abort();
    }
  }
}

const bodyOf = ({ type, text, references }: RegistrySchema): string =>
  JSON.stringify({ schema: text, ...(type === 'AVRO' ? {} : { schemaType: type }), ...(references.length === 0 ? {} : { references }) });

function schemaOf(found: Record<string, unknown>): RegistrySchema {
  const type = found['schemaType'] ?? 'AVRO';
  return {
    type: type as SchemaType,
    text: String(found['schema']),
    references: Array.isArray(found['references']) ? (found['references'] as SchemaReference[]) : [],
  };
}

function idOf(found: Record<string, unknown>, place: RegistryPlace): number {
  const { id } = found;
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff) return id;
  throw unavailable(place, 'answers without the id of a schema');
}

function reasonOf(verdict: Record<string, unknown>): string {
  const messages = verdict['messages'];
  return messageOf(Array.isArray(messages) && messages.length > 0 ? messages.join('; ') : 'it is not compatible with the versions before');
}
