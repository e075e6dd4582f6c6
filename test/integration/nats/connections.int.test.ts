// Ways to log in and to encrypt, and several servers, each on a server that is set up so: both ends come through, and who is not
// let in is told so.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccount, createOperator, createUser, type KeyPair } from '@nats-io/nkeys';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { descriptor as destination } from '../../../src/destinations/nats/index.ts';
import { additiveOnly, silentLogger, systemClock, systemRandom } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/memory-store.ts';
import { descriptor as source } from '../../../src/sources/nats/index.ts';
import type { ConnectionConfig } from '../../../src/systems/nats/config.ts';
import { natsDestinationConfig, natsServers, natsSourceConfig } from '../../helpers/nats.ts';
import { OwnNats, type OwnNatsOptions } from '../../helpers/own-nats.ts';
import { errorsOf as errorsOfEnds, expectedOf, TLS_CASES, TlsFiles } from '../../helpers/tls-cases.ts';

const context = {
  pipeline: 'p',
  name: 'n',
  logger: silentLogger,
  clock: systemClock,
  random: systemRandom,
  schemaEvolution: additiveOnly,
  store: memoryStore(),
};

/** What both ends complain about. */
async function errorsOf(config: Partial<ConnectionConfig>): Promise<(string | undefined)[]> {
  const { url: _, ...given } = natsDestinationConfig('nats://x', { subject: 'cdc.{table}' }),
    { url: __, ...read } = natsSourceConfig('nats://x', { subject: 'cdc.items' });
  return errorsOfEnds(
    await destination.create({ ...given, ...config } as never, context),
    await source.create({ ...read, ...config } as never, context),
  );
}

const FORBIDDEN = ['DESTINATION_FORBIDDEN', 'SOURCE_FORBIDDEN'];

/** A JWT as the tools of NATS make them: https://docs.nats.io/running-a-nats-service/nats_admin/security/jwt */
function jwt(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const encode = (value: object | Uint8Array): string =>
    Buffer.from(value instanceof Uint8Array ? value : JSON.stringify(value)).toString('base64url');
  const body = {
    jti: name,
    iat: 1_700_000_000,
    iss: issuer.getPublicKey(),
    name,
    sub: subject.getPublicKey(),
    nats: { ...nats, version: 2 },
  };
  const signed = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode(body)}`;
  return `${signed}.${encode(issuer.sign(Buffer.from(signed)))}`;
}

const seedOf = (pair: KeyPair): string => Buffer.from(pair.getSeed()).toString();
const unlimited = { subs: -1, data: -1, payload: -1 };

/** An operator with an account and a user, and the server's configuration for them. */
function operator() {
  const [op, account, system, user] = [createOperator(), createAccount(), createAccount(), createUser()];
  const limits = {
    ...unlimited,
    conn: -1,
    leaf: -1,
    imports: -1,
    exports: -1,
    wildcards: true,
    mem_storage: -1,
    disk_storage: -1,
    streams: -1,
    consumer: -1,
  };
  const accountJwt = jwt(op, account, 'shop', { type: 'account', limits }),
    operatorJwt = jwt(op, op, 'operator', { type: 'operator' }),
    userJwt = jwt(account, user, 'cdc', { type: 'user', ...unlimited, pub: {}, sub: {} });
  // JetStream needs an account of the system's own.
  const systemJwt = jwt(op, system, 'SYS', { type: 'account', limits: { ...limits, mem_storage: 0, disk_storage: 0 } });
  const settings = [
    `operator: ${operatorJwt}`,
    `system_account: ${system.getPublicKey()}`,
    'resolver: MEMORY',
    `resolver_preload: {${account.getPublicKey()}: ${accountJwt}, ${system.getPublicKey()}: ${systemJwt}}`,
  ];
  const creds = `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seedOf(user)}\n------END USER NKEY SEED------\n`;
  return { settings, userJwt, seed: seedOf(user), creds };
}

describe.skipIf((await natsServers('nats')).length === 0)('a server', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cdc-nats-keys-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  /** Where nobody can say hello without what the case is about. */
  const start = async (options: OwnNatsOptions): Promise<OwnNats> => OwnNats.start({ ...options, isSilent: true });

  it('with users lets them in by keys and by URL', async () => {
    await using server = await OwnNats.start({ user: { name: 'cdc', password: 'p@ss:word/' }, login: 'cdc:p%40ss%3Aword%2F' });
    const plain = `nats://127.0.0.1:${server.port}`;
    expect(await errorsOf({ servers: plain, username: 'cdc', password: 'p@ss:word/' })).toEqual([]);
    expect(await errorsOf({ url: server.url })).toEqual([]);
    expect(await errorsOf({ servers: plain, username: 'cdc', password: 'wrong' })).toEqual(FORBIDDEN);
    expect(await errorsOf({ servers: plain })).toEqual(FORBIDDEN);
  });

  it('with a token lets it in', async () => {
    await using server = await start({ settings: ['authorization: {token: "s3cret-token"}'] });
    expect(await errorsOf({ servers: server.url, token: 's3cret-token' })).toEqual([]);
    expect(await errorsOf({ servers: server.url, token: 'other' })).toEqual(FORBIDDEN);
  });

  it('with NKeys lets their seeds in', async () => {
    const user = createUser();
    await using server = await start({ settings: [`authorization: {users: [{nkey: ${user.getPublicKey()}}]}`] });
    expect(await errorsOf({ servers: server.url, nkey: seedOf(user) })).toEqual([]);
    expect(await errorsOf({ servers: server.url, nkey: seedOf(createUser()) })).toEqual(FORBIDDEN);
  });

  it('with an operator lets JWTs in, given as keys or as a file', async () => {
    const { settings, userJwt, seed, creds } = operator();
    await using server = await start({ settings });
    writeFileSync(join(folder, 'cdc.creds'), creds);
    expect(await errorsOf({ servers: server.url, jwt: userJwt, nkey: seed })).toEqual([]);
    expect(await errorsOf({ servers: server.url, creds: join(folder, 'cdc.creds') })).toEqual([]);
    expect(await errorsOf({ servers: server.url, jwt: operator().userJwt, nkey: seed })).toEqual(FORBIDDEN);
    expect(await errorsOf({ servers: server.url, creds: join(folder, 'none.creds') })).toEqual([
      'DESTINATION_MISCONFIGURED',
      'SOURCE_MISCONFIGURED',
    ]);
  });

  it('is found among several of which some are away', async () => {
    await using server = await OwnNats.start();
    expect(await errorsOf({ servers: ['127.0.0.1:1', server.url, 'nats://127.0.0.1:2'] })).toEqual([]);
    expect(await errorsOf({ servers: `127.0.0.1:1,${server.url}` })).toEqual([]);
    expect(await errorsOf({ servers: ['127.0.0.1:1', '127.0.0.1:2'] })).toEqual(['DESTINATION_UNREACHABLE', 'SOURCE_UNREACHABLE']);
  });
});

describe.skipIf((await natsServers('nats')).length === 0)('a server that asks for certificates', () => {
  let files: TlsFiles, server: OwnNats;
  beforeAll(async () => {
    files = new TlsFiles();
    const { ca, cert, key } = files.own;
    server = await OwnNats.start({
      settings: [`tls: {cert_file: "${cert}", key_file: "${key}", ca_file: "${ca}", verify: true}`],
      isSilent: true,
    });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    files[Symbol.dispose]();
  });

  it.each(TLS_CASES)('is %s', async (_, one) => {
    const servers = `tls://${one.host}:${server.port}`;
    expect(await errorsOf({ servers, tls: { ...one.tls(files), handshake_first: false } })).toEqual(expectedOf(one));
  });
});
