import { describe, expect, it } from 'vitest';
import { brokersOf, type ConnectionConfig, connectionProblems, securityOf } from '../../../../src/systems/kafka/config.ts';

const config = (changes: Partial<ConnectionConfig> = {}): ConnectionConfig => ({
  bootstrap_servers: 'a:1',
  client_id: 'c',
  connection_timeout: 1,
  request_timeout: 1,
  ...changes,
});

describe('brokersOf', () => {
  it.each([
    ['localhost', ['localhost:9092']],
    ['a:1, b:2', ['a:1', 'b:2']],
    [
      ['a:1', 'b'],
      ['a:1', 'b:9092'],
    ],
    ['SASL_SSL://a:9094', ['a:9094']],
    ['[::1]:9092', ['[::1]:9092']],
  ])('reads %j', (given, brokers) => {
    expect(brokersOf({ bootstrap_servers: given })).toEqual(brokers);
  });
});

describe('securityOf', () => {
  it.each([
    [{}, false, null],
    [{ ssl_ca: 'ca.pem' }, true, null],
    [{ sasl_username: 'u', sasl_password: 'p' }, false, 'PLAIN'],
    [{ sasl_mechanism: 'SCRAM-SHA-512', ssl_ca: 'ca.pem' }, true, 'SCRAM-SHA-512'],
    [{ security_protocol: 'SASL_SSL', sasl_oauth: { token: 't' } }, true, 'OAUTHBEARER'],
    [{ security_protocol: 'SSL' }, true, null],
  ] as const)('takes %j for what it asks', (changes, isEncrypted, mechanism) => {
    expect(securityOf(config(changes))).toEqual({ isEncrypted, mechanism });
  });
});

describe('connectionProblems', () => {
  it.each([
    [{ bootstrap_servers: ' , ' }, 'bootstrap_servers'],
    [{ ssl_cert: 'c.pem', security_protocol: 'SSL' }, 'ssl_cert'],
    [{ security_protocol: 'PLAINTEXT', ssl_ca: 'ca.pem' }, 'security_protocol'],
    [{ security_protocol: 'SSL', sasl_username: 'u' }, 'security_protocol'],
    [{ sasl_username: 'u' }, 'sasl_username'],
    [{ sasl_mechanism: 'OAUTHBEARER', sasl_oauth: { client_id: 'c' } }, 'sasl_oauth'],
  ] as const)('finds what is wrong in %j', (changes, path) => {
    expect(connectionProblems(config(changes)).map((p) => p.path[0])).toEqual([path]);
  });

  it('finds nothing in a login with a token', () => {
    expect(connectionProblems(config({ sasl_mechanism: 'OAUTHBEARER', sasl_oauth: { token: 't' } }))).toEqual([]);
  });
});
