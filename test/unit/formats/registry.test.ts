// The registry's client against a fake of a registry: in memory, over HTTP, and over TLS.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SchemaRegistry } from '../../../src/formats/registry/client.ts';
import type { RegistryConfig } from '../../../src/formats/registry/config.ts';
import { httpTransport } from '../../../src/formats/registry/transport.ts';
import { HEAD_BYTES, headOf, messageIndexes, readMessageIndexes, schemaIdOf } from '../../../src/formats/registry/wire.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { selfSigned } from '../../helpers/self-signed.ts';
import { FakeRegistry, registryConfig, serve } from './fake-registry.ts';
import { component, FakeClock, formatContext, never } from './helpers.ts';

const SCHEMA = { type: 'AVRO', text: '"string"', references: [] } as const;
const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

function setUp(config: Partial<RegistryConfig> = {}) {
  const fake = new FakeRegistry(),
    clock = new FakeClock();
  const registry = new SchemaRegistry(registryConfig(config), { ...component(), clock, where: 'destination "bus"' }, () =>
    Promise.resolve(fake.transport),
  );
  return { fake, clock, registry };
}

async function failureOf(promise: Promise<unknown>): Promise<CdcError> {
  const error = await promise.then(
    () => null,
    (e: unknown) => e,
  );
  if (!(error instanceof CdcError)) throw new Error(`expected a CdcError, got ${String(error)}`);
  return error;
}

describe('a schema', () => {
  test('is looked up, checked, then registered, and asked for once', async () => {
    const { fake, registry } = setUp();
    const id = await registry.idOf('users-value', SCHEMA, never);
    expect(await registry.idOf('users-value', SCHEMA, never)).toBe(id);
    expect(fake.requests).toEqual([
      'POST /subjects/users-value',
      'POST /compatibility/subjects/users-value/versions/latest?verbose=true',
      'POST /subjects/users-value/versions',
    ]);
  });

  test('that is there already is only looked up', async () => {
    const { fake, registry } = setUp();
    const id = fake.register('a/b', SCHEMA.text);
    expect(await registry.idOf('a/b', SCHEMA, never)).toBe(id);
    expect(fake.requests).toEqual(['POST /subjects/a%2Fb']);
  });

  test('is asked for once by all who ask at the same time; who is aborted leaves the others theirs', async () => {
    const { fake, registry } = setUp();
    const id = fake.register('s', SCHEMA.text),
      abort = new AbortController();
    const first = registry.byId(id, abort.signal),
      others = [registry.byId(id, never), registry.byId(id, never)];
    abort.abort(new Error('asked to stop'));
    await expect(first).rejects.toThrow('asked to stop');
    expect((await Promise.all(others)).map((s) => s.text)).toEqual([SCHEMA.text, SCHEMA.text]);
    expect(fake.requests).toHaveLength(1);
  });

  test('is not registered without leave', async () => {
    const { fake, registry } = setUp({ auto_register: false });
    expect(await failureOf(registry.idOf('s', SCHEMA, never))).toMatchObject({ code: 'REGISTRY_SCHEMA_UNKNOWN', retriable: false });
    expect(fake.subjects.size).toBe(0);
  });

  test('that does not fit is not registered', async () => {
    const { fake, registry } = setUp();
    fake.register('s', '"long"');
    fake.incompatible.add('s');
    const error = await failureOf(registry.idOf('s', SCHEMA, never));
    expect(error).toMatchObject({ code: 'REGISTRY_SCHEMA_INCOMPATIBLE', retriable: false });
    expect(error.message).toContain('subject "s": a field has no default');
    expect(fake.subjects.get('s')).toHaveLength(1);
  });

  test('is registered under the level that the configuration asks for, set once', async () => {
    const { fake, registry } = setUp({ compatibility: 'FULL' });
    await registry.idOf('s', SCHEMA, never);
    await registry.idOf('s', { ...SCHEMA, text: '"long"' }, never);
    expect(fake.levels.get('s')).toBe('FULL');
    expect(fake.requests.filter((r) => r.includes('/config/'))).toEqual(['GET /config/s', 'PUT /config/s']);
  });

  test('has its references, those first that others need', async () => {
    const { fake, registry } = setUp();
    fake.register('a', 'A', 'PROTOBUF');
    fake.register('b', 'B', 'PROTOBUF', [{ name: 'a.proto', subject: 'a', version: 1 }]);
    const id = fake.register('c', 'C', 'PROTOBUF', [
      { name: 'b.proto', subject: 'b', version: 1 },
      { name: 'a.proto', subject: 'a', version: 1 },
    ]);
    const schema = await registry.byId(id, never);
    expect(schema.type).toBe('PROTOBUF');
    expect((await registry.referencesOf(schema, never)).map((r) => [r.name, r.text])).toEqual([
      ['a.proto', 'A'],
      ['b.proto', 'B'],
    ]);
  });

  test('that goes out of the cache is asked for again', async () => {
    const { fake, registry } = setUp({ cache_size: 1 });
    const [a, b] = [fake.register('a', '"int"'), fake.register('b', '"long"')];
    for (const id of [a, a, b, a]) await registry.byId(id, never);
    expect(fake.requests).toHaveLength(3);
  });

  test('that is the newest stays so for its time', async () => {
    const { fake, clock, registry } = setUp();
    fake.register('s', '"int"');
    await registry.latest('s', never);
    fake.register('s', '"long"');
    expect((await registry.latest('s', never)).text).toBe('"int"');
    clock.nowMs += 60_001;
    expect((await registry.latest('s', never)).text).toBe('"long"');
  });
});

describe('a registry that fails', () => {
  test('is tried again, each time later', async () => {
    const { fake, clock, registry } = setUp();
    fake.script = [503, refused()];
    const id = fake.register('s', SCHEMA.text);
    expect((await registry.byId(id, never)).text).toBe(SCHEMA.text);
    expect(clock.slept).toEqual([200, 400]);
  });

  test.each<[string, (number | Error)[], string, boolean]>([
    ['away', [refused(), refused(), refused()], 'REGISTRY_UNAVAILABLE', true],
    ['overloaded', [503, 429, 500], 'REGISTRY_UNAVAILABLE', true],
    ['of another kind', [302], 'REGISTRY_UNAVAILABLE', true],
    ['closed to us', [401], 'REGISTRY_FORBIDDEN', false],
    ['closed to us here', [403], 'REGISTRY_FORBIDDEN', false],
    ['against the schema', [409], 'REGISTRY_SCHEMA_INCOMPATIBLE', false],
    ['against its form', [422], 'REGISTRY_SCHEMA_INCOMPATIBLE', false],
    ['without the schema', [404], 'REGISTRY_SCHEMA_UNKNOWN', false],
  ])('%s: %j → %s', async (_what, script, code, retriable) => {
    const { fake, registry } = setUp();
    fake.script = script;
    expect(await failureOf(registry.byId(1, never))).toMatchObject({ code, retriable, where: 'destination "bus"' });
    expect(fake.script).toEqual([]);
  });

  test('is asked again after it has failed', async () => {
    const { fake, registry } = setUp();
    const id = fake.register('s', SCHEMA.text);
    fake.script = [refused(), refused(), refused()];
    await failureOf(registry.byId(id, never));
    expect((await registry.byId(id, never)).text).toBe(SCHEMA.text);
  });

  test('that never answers is given up after the time limit', async () => {
    const clock = new FakeClock();
    clock.areLimitsReached = true;
    const registry = new SchemaRegistry(registryConfig(), { ...component(), clock, where: 'x' }, () =>
      Promise.resolve({ send: () => new Promise(() => undefined), close: () => undefined }),
    );
    const error = await failureOf(registry.byId(1, never));
    expect(error).toMatchObject({ code: 'REGISTRY_UNAVAILABLE', retriable: true });
    expect(error.message).toContain('no answer within 10000 ms');
  });

  test('says nothing of the login in its errors', async () => {
    const { fake, registry } = setUp({ username: 'me', password: 'hunter2', token: 'topsecret' });
    fake.script = [401];
    const error = await failureOf(registry.byId(1, never));
    expect(`${error.stack}${JSON.stringify(error)}`).not.toMatch(/hunter2|topsecret/);
  });
});

describe('over HTTP', () => {
  async function overHttp(config: Partial<RegistryConfig>, expected: { authorization?: string } = {}) {
    const fake = new FakeRegistry(),
      server = await serve(fake, expected);
    const whole = registryConfig({ ...config, url: server.url });
    const registry = new SchemaRegistry(whole, { ...component(), where: 'destination "bus"' });
    return { fake, registry, server, whole };
  }

  test.each<[string, Partial<RegistryConfig>, string]>([
    ['a name and a password', { username: 'me', password: 'pä:ss' }, `Basic ${Buffer.from('me:pä:ss').toString('base64')}`],
    ['a token', { token: 'abc' }, 'Bearer abc'],
  ])('logs in by %s, and registers below the path of its address', async (_what, login, authorization) => {
    const { fake, registry, server } = await overHttp(login, { authorization });
    try {
      const id = await registry.idOf('s', SCHEMA, never);
      expect(fake.schemaOf(id)?.schema).toBe(SCHEMA.text);
    } finally {
      await registry.close();
      await server.close();
    }
  });

  test('is refused with another login', async () => {
    const { registry, server } = await overHttp({ token: 'wrong' }, { authorization: 'Bearer right' });
    try {
      expect(await failureOf(registry.byId(1, never))).toMatchObject({ code: 'REGISTRY_FORBIDDEN' });
    } finally {
      await registry.close();
      await server.close();
    }
  });

  test('names the code of a connection that is refused', async () => {
    const { server, whole } = await overHttp({});
    await server.close();
    const registry = new SchemaRegistry(whole, { ...component(), where: 'destination "bus"' });
    expect((await failureOf(registry.byId(1, never))).message).toContain('ECONNREFUSED');
    await registry.close();
  });

  test('names a file with authorities that cannot be read', async () => {
    await expect(httpTransport(registryConfig({ url: 'https://r.test', ca: '/nowhere/ca.pem' }), 'x')).rejects.toMatchObject({
      code: 'CONFIG_FILE_UNREADABLE',
    });
  });
});

describe('over TLS', () => {
  const ours = selfSigned('localhost'),
    another = selfSigned('localhost'),
    elsewhere = selfSigned('registry.example.com');

  test.each([
    ['is trusted with its authority', ours, ours, null],
    ['is refused with the authority of another', ours, another, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ["is refused with the system's authorities", ours, null, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['is refused under another name', elsewhere, elsewhere, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('a registry %s', async (_what, own, trusted, code) => {
    const folder = await mkdtemp(join(tmpdir(), 'cdc-registry-')),
      ca = join(folder, 'ca.pem'),
      fake = new FakeRegistry(),
      server = await serve(fake, {}, own);
    await writeFile(ca, trusted?.cert ?? '');
    const registry = new SchemaRegistry(registryConfig({ url: server.url, ...(trusted === null ? {} : { ca }) }), formatContext());
    try {
      const registered = registry.idOf('s', SCHEMA, never);
      if (code === null) {
        expect(fake.schemaOf(await registered)?.schema).toBe(SCHEMA.text);
        return;
      }
      const failure = await failureOf(registered);
      expect(failure).toMatchObject({ code: 'REGISTRY_FORBIDDEN', retriable: false, fix: expect.stringContaining('schema_registry.ca') });
      expect(failure.message).toContain(code);
      expect(fake.requests).toEqual([]);
    } finally {
      await registry.close();
      await server.close();
      await rm(folder, { recursive: true });
    }
  });
});

describe('the wire format', () => {
  test('has the id in four bytes behind a zero', () => {
    expect([...headOf(0x01020304)]).toEqual([0, 1, 2, 3, 4]);
    fc.assert(fc.property(fc.nat(0xffff_ffff), (id) => schemaIdOf(headOf(id)) === id));
  });

  test.each([[[]], [[0, 1]], [[1, 0, 0, 0, 1]]])('is not in %j', (bytes) => {
    expect(() => schemaIdOf(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'SOURCE_DATA_INVALID' }));
  });

  test.each([
    [[0], [0]],
    [[2], [2, 4]],
    [
      [1, 0],
      [4, 2, 0],
    ],
    [[64], [2, 128, 1]],
  ])('names the message %j as %j', (path, bytes) => {
    expect([...messageIndexes(path)]).toEqual(bytes);
  });

  test('gives the place of a message back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 }), (path) => {
        const bytes = Buffer.concat([headOf(1), messageIndexes(path), Buffer.from([1, 2, 3])]);
        expect(readMessageIndexes(bytes, HEAD_BYTES)).toEqual({ path, end: bytes.length - 3 });
      }),
    );
  });

  test.each([[[]], [[0x80]], [[20, 1]], [[1]]])('has no place in %j', (bytes) => {
    expect(() => readMessageIndexes(Uint8Array.from(bytes), 0)).toThrow(expect.objectContaining({ code: 'SOURCE_DATA_INVALID' }));
  });
});
