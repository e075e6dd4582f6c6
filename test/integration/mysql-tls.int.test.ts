// A server that shows a certificate of ours: who is let believe that it is the one that was called.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descriptor as destinationType } from '../../src/destinations/mysql/index.ts';
import { memoryStore } from '../../src/sdk/testing/memory-store.ts';
import { testContext } from '../../src/sdk/testing/reading.ts';
import { descriptor as sourceType } from '../../src/sources/mysql/index.ts';
import { findMysql, OwnMysql } from '../chaos/own-mysql.ts';
import { mysqlConfig } from '../helpers/mysql-destination.ts';
import { MYSQL_SOURCE_DEFAULTS } from '../helpers/mysql-source.ts';
import { openReplica } from '../helpers/postgresql-lane.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { errorsOf } from '../helpers/tls-cases.ts';
import { SourceWorld } from './mysql-source/source-world.ts';

const programs = await findMysql('mariadb');
const FORBIDDEN = ['DESTINATION_FORBIDDEN', 'SOURCE_FORBIDDEN'];

describe.skipIf(programs === null)('a server with a certificate', () => {
  let folder: string, server: OwnMysql;
  const path = (name: string): string => join(folder, name);
  const show = ({ cert, key }: ReturnType<typeof selfSigned>): void => {
    writeFileSync(path('server.pem'), cert);
    writeFileSync(path('server.key'), key);
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cdc-mysql-tls-'));
    // The server runs as another account.
    chmodSync(folder, 0o755);
    show(selfSigned('localhost'));
    server = await OwnMysql.start(programs as NonNullable<typeof programs>, [
      `--ssl-cert=${path('server.pem')}`,
      `--ssl-key=${path('server.key')}`,
    ]);
    await server.query('CREATE TABLE items (id int PRIMARY KEY)');
  }, 100_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const called = (host: string): string => Object.assign(new URL(server.url), { hostname: host }).href;
  /** From now on it shows a certificate for `names`, which signs itself. */
  const showFor = async (...names: string[]): Promise<void> => {
    show(selfSigned(...names));
    await server.query('FLUSH SSL');
  };
  const verifyFull = (): object => ({ ssl_mode: 'verify-full', ssl: { ca: path('server.pem') } });

  it.each<[is: string, ssl_mode: 'verify-full' | 'verify-ca', host: string, names: string[], string[]]>([
    ['taken for the address that it is for', 'verify-full', '127.0.0.1', ['127.0.0.1'], []],
    ['taken for one of the addresses that it is for', 'verify-full', '127.0.0.1', ['db.example.com', '10.0.0.1', '127.0.0.1'], []],
    ['not taken for an address by the name localhost', 'verify-full', '127.0.0.1', ['localhost'], FORBIDDEN],
    ['not taken for another address', 'verify-full', '127.0.0.1', ['127.0.0.2'], FORBIDDEN],
    ['taken for the name that it is for', 'verify-full', 'localhost', ['localhost'], []],
    ['not taken for another name', 'verify-full', 'localhost', ['db.example.com', '127.0.0.1'], FORBIDDEN],
    ['taken for any address where only its authority counts', 'verify-ca', '127.0.0.1', ['db.example.com'], []],
  ])('is %s: %s of %s, for %o', async (_, ssl_mode, host, names, codes) => {
    await showFor(...names);
    const url = called(host),
      tls = { ...verifyFull(), ssl_mode };
    const destination = await openReplica(mysqlConfig(url, tls), { descriptor: destinationType }),
      source = await sourceType.create({ ...MYSQL_SOURCE_DEFAULTS, url, ...tls }, testContext('db', memoryStore()));
    expect(await errorsOf(destination, source)).toEqual(codes);
  });

  it('streams and gives rows where it is called by its address, and is not read once it shows a certificate for another', async () => {
    await showFor('127.0.0.1');
    await using world = SourceWorld.on(server, { ...verifyFull(), url: called('127.0.0.1'), tables: ['items'] });
    await server.query('INSERT INTO items VALUES (1)');
    const reader = await world.streaming();
    await server.query('INSERT INTO items VALUES (2)');
    await world.take(reader, (events) => events.length === 2, 'row 2');
    expect(world.events.map((e) => [e.op, e.after?.['id']])).toEqual([
      ['r', 1],
      ['c', 2],
    ]);
    await showFor('localhost');
    const again = await world.open();
    await expect(again.next('nothing')).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', retriable: false });
  });
});
