import { describe, expect, it } from 'vitest';
import { connectionProblems } from '../../../../src/systems/mysql/config.ts';
import { parseUrl } from '../../../../src/systems/mysql/connection-url.ts';
import { describeEndpoint, endpointOf } from '../../../../src/systems/mysql/endpoint.ts';
import { serverFacts } from '../../../../src/systems/mysql/server.ts';

describe('a URL', () => {
  it.each<[string, object]>([
    ['mysql://db', { host: 'db' }],
    [
      'mariadb://cdc:s%40crt@db.example.com:3307/shop',
      { host: 'db.example.com', port: 3307, user: 'cdc', password: 's@crt', database: 'shop' },
    ],
    ['mysql://[::1]:3306/', { host: '::1', port: 3306 }],
    ['mysql://%2Frun%2Fmysqld%2Fmysqld.sock/shop', { host: '/run/mysqld/mysqld.sock', database: 'shop' }],
    ['mysql://db/a%2Fb?sslmode=verify-full&ssl-ca=ca.pem', { host: 'db', database: 'a/b', sslMode: 'verify-full', sslCa: 'ca.pem' }],
    ['mysql://db/?ssl-mode=VERIFY_IDENTITY', { host: 'db', sslMode: 'verify-full' }],
    ['mysql://db/?ssl-mode=required&ssl-cert=c&ssl-key=k', { host: 'db', sslMode: 'require', sslCert: 'c', sslKey: 'k' }],
  ])('is read: %s', (url, parts) => {
    expect(parseUrl(url)).toEqual(parts);
  });

  it.each([
    ['postgresql://db', /does not begin with mysql/],
    ['mysql://user:a b@@/#', /cannot be read/],
    ['mysql://u:%zz@db', /% that is not followed/],
    ['mysql://db/?sslmode=prefer', /"sslmode" is one of disable, .* not "prefer"/],
    ['mysql://db/?compress=1', /"compress" is not supported/],
  ])('is refused without telling its password: %s', (url, why) => {
    const found = parseUrl(url);
    expect(found).toMatch(why);
    expect(found).not.toContain('a b');
  });
});

describe('an endpoint', () => {
  it('takes single keys before the URL, and the environment last', () => {
    const env = { MYSQL_PWD: 'from env' };
    expect(endpointOf({ url: 'mysql://u:p@db:1/one', database: 'two', ssl: { ca: 'ca' } }, env)).toEqual({
      host: 'db',
      port: 1,
      user: 'u',
      password: 'p',
      database: 'two',
      sslMode: 'disable',
      sslCa: 'ca',
    });
    expect(endpointOf({ user: 'cdc' }, env)).toMatchObject({
      host: 'localhost',
      port: 3306,
      user: 'cdc',
      password: 'from env',
      database: null,
    });
  });

  it('is told without who logs in', () => {
    expect(describeEndpoint(endpointOf({ url: 'mysql://u:secret@db/shop' }, {}))).toBe('db:3306/shop');
    expect(describeEndpoint(endpointOf({ host: '/run/mysql.sock' }, {}))).toBe('/run/mysql.sock');
  });

  it.each<[object, string[]]>([
    [{ url: 'mysql://db', host: 'x', port: 1 }, ['host', 'port']],
    [{ url: 'http://db' }, ['url']],
    [{ user: 'a', username: 'b' }, ['user']],
    [{ ssl: { cert: 'c' } }, ['ssl']],
    [{ host: 'db', ssl_mode: 'verify-full' }, []],
    [{ host: '10.0.0.1', ssl_mode: 'verify-full' }, []],
  ])('has problems where keys do not go together: %j', (config, paths) => {
    expect(connectionProblems(config).map((p) => p.path[0])).toEqual(paths);
  });
});

it.each([
  ['8.0.31', 'mysql', 80_031],
  ['5.5.5-10.11.19-MariaDB-0+deb12u1', 'mariadb', 101_119],
  ['11.4.5-MariaDB', 'mariadb', 110_405],
  ['5.7.22-log', 'mysql', 50_722],
])('a version tells the product: %s', (version, flavor, number) => {
  expect(serverFacts(version, 1)).toMatchObject({ flavor, number });
});
