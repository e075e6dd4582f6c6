import { describe, expect, it } from 'vitest';
import { type PostgresqlConfig, validate } from '../../../../src/destinations/postgresql/config.ts';
import { descriptor } from '../../../../src/destinations/postgresql/index.ts';
import { targetName } from '../../../../src/destinations/postgresql/target-name.ts';
import { placeholderProblems } from '../../../../src/relational/target-name.ts';
import { additiveOnly, silentLogger, systemClock, systemRandom } from '../../../../src/sdk/index.ts';
import { parseUrl } from '../../../../src/systems/postgresql/connection-url.ts';
import { describeEndpoint, endpointOf } from '../../../../src/systems/postgresql/endpoint.ts';
import { tlsOptions } from '../../../../src/systems/tls.ts';

const config = (more: object): PostgresqlConfig =>
  ({
    schema: 'public',
    table: '{table}',
    create_tables: true,
    transactions: 'split',
    application_name: 'cdc-run',
    ...more,
  }) as PostgresqlConfig;

describe('URLs', () => {
  it.each([
    [
      'postgresql://u:p%40ss@db.example.com:6432/shop?sslmode=verify-full&sslrootcert=ca.pem',
      { user: 'u', password: 'p@ss', host: 'db.example.com', port: 6432, database: 'shop', sslMode: 'verify-full', sslCa: 'ca.pem' },
    ],
    ['postgres://db', { host: 'db' }],
    [
      'postgresql:///shop?host=/var/run/postgresql&port=5433&user=me',
      { database: 'shop', host: '/var/run/postgresql', port: 5433, user: 'me' },
    ],
    ['postgresql://[::1]:5432/shop', { host: '::1', port: 5432, database: 'shop' }],
    [
      'postgresql://db/a%20b?application_name=x&options=-c%20a%3Db',
      { host: 'db', database: 'a b', applicationName: 'x', options: '-c a=b' },
    ],
  ])('reads %s', (url, parts) => {
    expect(parseUrl(url)).toEqual(parts);
  });

  it.each(['mysql://db', 'postgresql://u:pass#word@db:x/shop', 'postgresql://db?foo=1', 'postgresql://db?port=x', 'postgresql://u:%zz@db'])(
    'says what is wrong with %s, without the password',
    (url) => {
      const problem = parseUrl(url);
      expect(problem).toBeTypeOf('string');
      expect(problem).not.toContain('pass#word');
    },
  );
});

describe('validate', () => {
  it.each([
    [{ url: 'postgresql://db', host: 'db' }, ['host']],
    [{ url: 'postgresql://db', password: 'x' }, ['password']],
    [{ url: 'oracle://db' }, ['url']],
    [{ user: 'a', username: 'b' }, ['user']],
    [{ ssl: { cert: 'a.pem' } }, ['ssl']],
    [{ table: '{tabel}' }, ['table']],
    [{ url: 'postgresql://db', table: 'x_{schema}_{table}' }, null],
    [{ host: 'db', user: 'a' }, null],
  ])('%o → %o', (keys, path) => {
    expect(validate(config(keys)).map((p) => p.path)).toEqual(path === null ? [] : [path]);
  });
});

describe('endpoints', () => {
  it('takes single keys, and leaves the rest to the environment of the driver', () => {
    expect(endpointOf(config({ host: 'db', username: 'me' }), { PGSSLMODE: 'require' })).toEqual({
      host: 'db',
      user: 'me',
      sslMode: 'require',
      applicationName: 'cdc-run',
    });
  });

  it.each([
    [{}, {}, 'disable'],
    [{}, { PGSSLMODE: 'prefer' }, 'disable'],
    [{ url: 'postgresql://db?sslmode=verify-ca' }, { PGSSLMODE: 'disable' }, 'verify-ca'],
    [{ url: 'postgresql://db?sslmode=disable', ssl_mode: 'verify-full' }, {}, 'verify-full'],
  ])('%o with %o encrypts as %s', (keys, env, mode) => {
    expect(endpointOf(config(keys), env).sslMode).toBe(mode);
  });

  it('refuses a mode that only sometimes encrypts', () => {
    expect(() => endpointOf(config({ url: 'postgresql://db?sslmode=prefer' }), {})).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID_VALUE' }),
    );
  });

  it.each([
    ['disable', {}, false],
    ['require', {}, { rejectUnauthorized: false }],
    ['require', { sslCa: 'ca' }, { ca: 'file ca', rejectUnauthorized: true, checkServerIdentity: expect.any(Function) as unknown }],
    ['verify-ca', {}, { rejectUnauthorized: true, checkServerIdentity: expect.any(Function) as unknown }],
    ['verify-full', { sslCa: 'ca', sslCert: 'c', sslKey: 'k' }, { ca: 'file ca', cert: 'file c', key: 'file k', rejectUnauthorized: true }],
  ] as const)('%s with %o is TLS %o', async (sslMode, files, options) => {
    expect(await tlsOptions({ sslMode, ...files }, async (file) => `file ${file}`)).toEqual(options);
  });

  it('are described without user and password', () => {
    expect(describeEndpoint(endpointOf(config({ url: 'postgresql://me:secret@db:6000/shop' }), {}), {})).toBe('db:6000/shop');
    expect(describeEndpoint(endpointOf(config({}), {}), { PGHOST: 'h', PGPORT: '1', PGDATABASE: 'd' })).toBe('h:1/d');
  });
});

describe('target names', () => {
  const table = { id: { database: null, schema: 'public', table: 'orders' }, columns: [], key: [], version: 1 };
  it.each([
    ['{table}', 'orders'],
    ['{source}_{schema}_{table}', 'shop_public_orders'],
    ['{database}x', 'x'],
    ['unified', 'unified'],
  ])('%s → %s', (template, name) => {
    expect(targetName(template, 'shop', table)).toBe(name);
  });

  it('refuses names that the server would cut', () => {
    expect(() => targetName(`${'ä'.repeat(30)}{table}`, 'shop', table)).toThrow(
      expect.objectContaining({ code: 'DESTINATION_MISCONFIGURED' }),
    );
  });

  it('knows its placeholders', () => {
    expect([placeholderProblems('{a}_{table}'), placeholderProblems('{schema}.{table}')]).toEqual([['{a} is not known here'], []]);
  });
});

describe('descriptor', () => {
  it('stops at `transactions: atomic` instead of ignoring it', async () => {
    const made = descriptor.create(config({ transactions: 'atomic' }), {
      pipeline: 'p',
      name: 'd',
      logger: silentLogger,
      clock: systemClock,
      random: systemRandom,
      schemaEvolution: additiveOnly,
    });
    await expect(made).rejects.toMatchObject({ code: 'CONFIG_FEATURE_NOT_AVAILABLE' });
  });

  it('says what it creates', () => {
    expect(descriptor.capabilities(config({ points_schema: 'cdc' })).creates[0]).toContain('cdc.cdc_run_points');
    expect(descriptor.capabilities(config({ create_tables: false })).creates).toHaveLength(1);
  });
});
