// Where RabbitMQ is, and what its errors mean.

import { describe, expect, it } from 'vitest';
import { connectionProblems } from '../../../../src/systems/rabbitmq/config.ts';
import { parseUrl } from '../../../../src/systems/rabbitmq/connection-url.ts';
import { ConnectError, problemOf, sizeLimitOf } from '../../../../src/systems/rabbitmq/driver-errors.ts';
import { describeEndpoint, endpointOf } from '../../../../src/systems/rabbitmq/endpoint.ts';

const config = (keys: object) => ({ connection_timeout: 1000, heartbeat: 10_000, ...keys });

describe('a URL', () => {
  it.each([
    ['amqp://localhost', { host: 'localhost' }],
    ['amqp://u:p%40@h:1/shop', { host: 'h', port: 1, username: 'u', password: 'p@', vhost: 'shop' }],
    ['amqps://h/%2Fa', { host: 'h', vhost: '/a', tls: true }],
    ['amqp://[::1]:5672', { host: '::1', port: 5672 }],
  ])('%s has its parts', (url, parts) => {
    expect(parseUrl(url)).toEqual(parts);
  });

  it.each(['http://h', 'amqp://h/a/b', 'amqp://h?heartbeat=1', 'amqp://h/%zz', 'amqp://u:p@h:x'])('%s is refused', (url) => {
    expect(parseUrl(url)).toBeTypeOf('string');
  });

  it('gives what is not said: user, port, virtual host', () => {
    const endpoint = endpointOf(config({}));
    expect(endpoint).toMatchObject({
      host: 'localhost',
      port: 5672,
      username: 'guest',
      vhost: '/',
      sslMode: 'disable',
      heartbeatSeconds: 10,
    });
    expect(endpointOf(config({ url: 'amqps://h' }))).toMatchObject({ port: 5671, sslMode: 'verify-full' });
    expect(describeEndpoint(endpointOf(config({ url: 'amqp://u:secret@h/shop' })))).toBe('h:5672, virtual host shop');
  });

  it('stands alone', () => {
    const problems = connectionProblems(config({ url: 'amqp://h', host: 'h', vhost: '/' }));
    expect(problems.map((p) => p.path)).toEqual([['host'], ['vhost']]);
  });
});

describe('an error', () => {
  const coded = (message: string, code: unknown): Error => Object.assign(new Error(message), { code });

  it.each([
    [coded('connect ECONNREFUSED', 'ECONNREFUSED'), 'broken'],
    [coded("Channel closed by server: 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'q' in vhost '/'\"", 404), 'missing'],
    [coded('Channel closed by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - write access"', 403), 'permission'],
    [coded('… with message "PRECONDITION_FAILED - message size 20 is larger than configured max size 10"', 406), 'too_large'],
    [coded('… with message "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out."', 406), 'broken'],
    [coded('… with message "PRECONDITION_FAILED - inequivalent arg"', 406), 'conflict'],
    [coded('Connection closed: 320 (CONNECTION-FORCED) with message "CONNECTION_FORCED"', 320), 'away'],
    [new Error('Heartbeat timeout'), 'broken'],
    [new Error('something else'), 'other'],
    [coded('self-signed certificate', 'SELF_SIGNED_CERT_IN_CHAIN'), 'certificate'],
    [coded('80CE:error:0A00045C', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), 'our_certificate'],
    [coded('80CE:error:0A000418', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'), 'our_certificate'],
    [new ConnectError('x', { cause: coded('connect ECONNREFUSED', 'ECONNREFUSED') }), 'unreachable'],
    [new ConnectError('x', { cause: new Error('Handshake terminated by server: 403 (ACCESS-REFUSED) with message "no"') }), 'login'],
    [new ConnectError('x', { cause: new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>') }), 'vhost'],
    [new ConnectError('x', { cause: new Error('Socket closed abruptly during opening handshake') }), 'unreachable'],
  ])('%s is %s', (error, kind) => {
    expect(problemOf(error).kind).toBe(kind);
  });

  it('tells the words of the server, and its limit', () => {
    expect(problemOf(coded('80CE:error:0A00045C', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')).detail).toBe('certificate required');
    expect(problemOf(coded('Channel closed by server: 404 (NOT-FOUND) with message "NOT_FOUND - no queue"', 404)).detail).toBe(
      'NOT_FOUND - no queue',
    );
    expect(sizeLimitOf(new Error('message size 20 is larger than configured max size 10'))).toBe(10);
    expect(sizeLimitOf(new Error('no'))).toBeNull();
  });
});
