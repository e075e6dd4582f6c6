// What is pure about NATS: subjects, addresses, answers, kinds of errors, and a handshake.

import { describe, expect, it } from 'vitest';
import { judge } from '../../../../scripts/services/nats-handshake.ts';
import { type ConnectionConfig, connectionProblems, describeServers, parseServer, serversOf } from '../../../../src/systems/nats/config.ts';
import { isAtLeast, versionOf } from '../../../../src/systems/nats/connect.ts';
import { ApiError, ConnectError, lossOf, problemOf } from '../../../../src/systems/nats/driver-errors.ts';
import { isYes, parsePubAck } from '../../../../src/systems/nats/pub-ack.ts';
import { covers } from '../../../../src/systems/nats/subject.ts';

const named = (name: string, message: string, cause?: unknown): Error => Object.assign(new Error(message, { cause }), { name });

describe('a pattern of subjects', () => {
  it.each([
    ['cdc.>', 'cdc.a', true],
    ['cdc.>', 'cdc', false],
    ['cdc.>', 'cdc.a.b', true],
    ['cdc.*', 'cdc.a', true],
    ['cdc.*', 'cdc.a.b', false],
    ['cdc.*', 'cdc.>', false],
    ['cdc.>', 'cdc.*', true],
    ['cdc.a', 'cdc.*', false],
    ['>', 'a.b', true],
    ['a.b', 'a.b', true],
    ['a.b', 'a', false],
  ])('%s takes %s: %s', (pattern, subject, expected) => {
    expect(covers(pattern, subject)).toBe(expected);
  });
});

describe('addresses', () => {
  it.each([
    [{}, ['nats://localhost:4222']],
    [{ url: 'nats://a' }, ['nats://a']],
    [{ servers: 'nats://a, b:1' }, ['nats://a', 'b:1']],
    [{ servers: ['a', 'b'] }, ['a', 'b']],
  ])('of %j are %j', (config, expected) => {
    expect(serversOf(config)).toEqual(expected);
  });

  it.each([
    ['nats://u:p%40ss@a:1', { host: 'a:1', name: 'a', login: { user: 'u', password: 'p@ss' }, tls: false }],
    ['tls://t0ken@a', { host: 'a', name: 'a', login: { user: 't0ken', password: '' }, tls: true }],
    ['[::1]:4222', { host: '[::1]:4222', name: '[::1]', login: null, tls: false }],
    ['nats://u:100%@a', null],
    ['http://a', null],
    ['', null],
  ])('%s is read', (text, expected) => {
    expect(parseServer(text)).toEqual(expected);
  });

  it.each([
    [['nats://u:p@a', 'nats://u:p@b', 'c'], []],
    [['nats://u:p@a', 'nats://v:p@b'], ['the addresses have different logins']],
    [['a', 'nats://u:p@b'], ['the addresses have different logins']],
    [['nats://u:100%@a'], ['is not the address of a NATS server']],
  ])('%j have problems: %j', (servers, expected) => {
    expect(connectionProblems({ servers } as unknown as ConnectionConfig).map((p) => p.message)).toEqual(expected);
  });

  it('are described without their logins', () => {
    expect(describeServers({ servers: ['nats://user:secret@a:1', 'b:2', 'http://x'] })).toBe('a:1, b:2, (not an address)');
  });
});

describe('versions', () => {
  it.each([
    ['2.12.0', true],
    ['2.11.9', false],
    ['3.0.0-beta', true],
    ['odd', false],
  ])('%s has what came with 2.12: %s', (text, expected) => {
    expect(isAtLeast(versionOf(text), [2, 12])).toBe(expected);
  });
});

describe('the answer to a message', () => {
  it('is a place in the stream, or an error with the code of the server', () => {
    expect(parsePubAck(Buffer.from('{"stream":"S","seq":7,"duplicate":true}'))).toEqual({ stream: 'S', sequence: 7, isDuplicate: true });
    expect(isYes(Buffer.from('{"stream":"S","seq":7}'))).toBe(true);
    const refusal = Buffer.from('{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"S","seq":0}');
    expect(isYes(refusal)).toBe(false);
    expect(() => parsePubAck(refusal)).toThrow('maximum messages exceeded');
    expect(isYes(new Uint8Array())).toBe(false);
  });
});

describe('an error', () => {
  it.each([
    [new ConnectError('x', { cause: named('ConnectionError', 'connection refused') }), 'unreachable'],
    [new ConnectError('x', { cause: named('AuthorizationError', 'Authorization Violation') }), 'login'],
    [new ApiError(10_077, 'maximum messages exceeded'), 'full'],
    [new ApiError(10_071, 'wrong last sequence: 3'), 'wrong_sequence'],
    [new ApiError(10_201, 'contains duplicate'), 'duplicate'],
    [new ApiError(10_164, 'wrong last sequence'), 'away'],
    [new ApiError(10_163, 'expected last sequence per subject temporarily unavailable'), 'away'],
    [new ApiError(10_100, 'filtered consumer not unique on workqueue stream'), 'misconfigured'],
    [new ApiError(1, 'new'), 'other'],
    [named('RequestError', 'no responders', named('NoResponders', 'no responders')), 'away'],
    [named('JetStreamNotEnabled', 'x', named('NoResponders', 'no responders')), 'no_jetstream'],
    [named('RequestError', 'x', named('PermissionViolationError', 'Permissions Violation for Publish to "a"')), 'permission'],
    [named('TimeoutError', 'timeout'), 'broken'],
    [lossOf(named('AuthorizationError', 'x')), 'login'],
    [lossOf(new Error('stale connection')), 'broken'],
    [lossOf(undefined), 'broken'],
    [Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'broken'],
    [Object.assign(new Error('x'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }), 'certificate'],
    ['text', 'other'],
  ])('%o is of the kind %s', (error, kind) => {
    expect(problemOf(error).kind).toBe(kind);
  });
});

describe('the handshake with a server', () => {
  it.each([
    ['', null],
    ['INFO {"version":"2.15.2"}\r\n', null],
    ['INFO {"version":"2.15.2"}\r\nPONG\r\n', { version: '2.15.2' }],
    ["INFO {}\r\n-ERR 'Authorization Violation'\r\n", new Error('Authorization Violation')],
    ['HTTP/1.1 400\r\n', new Error('it does not speak the protocol of NATS')],
  ])('judges %j', (text, expected) => {
    expect(judge(text)).toEqual(expected);
  });
});
