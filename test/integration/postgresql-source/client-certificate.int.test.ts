// A server that lets nobody in without a certificate, and shows one of its own: sessions and the stream.

import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../../src/sdk/testing/memory-store.ts';
import { progressAfter, Reader, testContext } from '../../../src/sdk/testing/reading.ts';
import { descriptor } from '../../../src/sources/postgresql/index.ts';
import { findPostgres, OwnPostgres } from '../../chaos/own-postgres.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../../helpers/postgres-source.ts';
import { selfSigned } from '../../helpers/self-signed.ts';
import { areDone } from './source-world.ts';

const programs = (await skipReason()) === null ? await findPostgres() : null;

describe.skipIf(programs === null)('a server that asks for certificates', () => {
  it('is read by who has one that it trusts, with verify-full, and by nobody else', async () => {
    await using server = await OwnPostgres.start(programs as NonNullable<typeof programs>);
    const folder = mkdtempSync(join(tmpdir(), 'cdc-client-cert-')),
      own = selfSigned('localhost'),
      ours = selfSigned('client'),
      stranger = selfSigned('stranger');
    try {
      await askForCertificates(server, own, ours.cert);
      const file = (name: string, text: string): string => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      };
      const ca = file('ca.pem', own.cert);
      const url = new URL(server.url);
      url.hostname = 'localhost';
      const read = async (ssl: object): Promise<unknown[]> => {
        const config = {
          ...POSTGRESQL_SOURCE_DEFAULTS,
          url: url.href,
          slot_name: 'certified',
          ssl_mode: 'verify-full',
          ssl: { ca, ...ssl },
        } as const;
        const source = await descriptor.create(config, testContext('db', memoryStore())),
          reader = new Reader(source);
        try {
          await reader.until(({ batches }) => areDone(progressAfter(batches)), 'the rows');
          await server.query('INSERT INTO t VALUES (2)');
          await reader.until(({ events }) => events.length === 2, 'a change');
          return reader.reading.events.map((e) => e.after);
        } finally {
          await reader.stop().catch(() => undefined);
          await source.close();
        }
      };
      await expect(read({})).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', retriable: false });
      const wrong = { cert: file('stranger.pem', stranger.cert), key: file('stranger.key', stranger.key) };
      await expect(read(wrong)).rejects.toMatchObject({ code: expect.stringMatching(/^SOURCE_(FORBIDDEN|UNREACHABLE)$/) });
      expect(await read({ cert: file('ours.pem', ours.cert), key: file('ours.key', ours.key) })).toEqual([{ id: 1 }, { id: 2 }]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Without encryption all is as it was: that is how the test itself gets in. */
async function askForCertificates(server: OwnPostgres, own: { cert: string; key: string }, trusted: string): Promise<void> {
  await server.query('CREATE TABLE t (id int PRIMARY KEY)');
  await server.query('INSERT INTO t VALUES (1)');
  const [row] = await server.query<{ folder: string; hba: string }>(
    "SELECT current_setting('data_directory') AS folder, current_setting('hba_file') AS hba",
  );
  const { folder = '', hba = '' } = row ?? {};
  const { uid, gid } = statSync(folder);
  const put = (name: string, text: string): void => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    chownSync(join(folder, name), uid, gid);
  };
  put('server.crt', own.cert);
  put('server.key', own.key);
  put('clients.crt', trusted);
  writeFileSync(hba, 'hostssl all all all scram-sha-256 clientcert=verify-ca\nhostnossl all all all scram-sha-256\n');
  await server.query("ALTER SYSTEM SET ssl_ca_file = 'clients.crt'");
  await server.query('ALTER SYSTEM SET ssl = on');
  await server.query('SELECT pg_reload_conf()');
}
