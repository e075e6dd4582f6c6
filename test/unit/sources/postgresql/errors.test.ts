import { describe, expect, it } from 'vitest';
import { CdcError } from '../../../../src/sdk/index.ts';
import { sourceError } from '../../../../src/sources/postgresql/errors.ts';
import { FrameError } from '../../../../src/sources/postgresql/replication/frames.ts';
import { CertificateFileError } from '../../../../src/systems/tls.ts';

const place = { server: 'db:5432/shop', where: 'source "orders"', slot: 'cdc_orders' };
const fromServer = (code: string, routine = '', message = 'message of the server'): Error =>
  Object.assign(new Error(message), { code, severity: 'ERROR', routine });
const fromDriver = (message: string, code?: string): Error => Object.assign(new Error(message), code === undefined ? {} : { code });

describe('errors of the server', () => {
  it.each([
    ['28P01', '', 'SOURCE_FORBIDDEN', false],
    ['28000', '', 'SOURCE_FORBIDDEN', false],
    ['42501', '', 'SOURCE_FORBIDDEN', false],
    ['3D000', '', 'SOURCE_MISCONFIGURED', false],
    ['42P01', 'parserOpenTable', 'SOURCE_MISCONFIGURED', false],
    ['42601', '', 'SOURCE_MISCONFIGURED', false],
    ['42704', 'ReplicationSlotAcquire', 'SOURCE_POSITION_GONE', false],
    ['42704', 'get_publication_oid', 'SOURCE_MISCONFIGURED', false],
    ['42704', 'find_option', 'SOURCE_MISCONFIGURED', false],
    ['42710', 'ReplicationSlotCreate', 'SOURCE_FAILED', true],
    ['55006', 'ReplicationSlotAcquire', 'SOURCE_IN_USE', true],
    ['55000', 'CheckLogicalDecodingRequirements', 'SOURCE_MISCONFIGURED', false],
    ['55000', 'StartLogicalReplication', 'SOURCE_POSITION_GONE', false],
    ['55000', 'CreateDecodingContext', 'SOURCE_POSITION_GONE', false],
    ['55000', 'RaiseSlotInvalidationError', 'SOURCE_POSITION_GONE', false],
    ['55000', 'somewhere_else', 'SOURCE_FAILED', false],
    ['55P03', '', 'SOURCE_FAILED', true],
    ['53400', 'ReplicationSlotCreate', 'SOURCE_MISCONFIGURED', false],
    ['53300', '', 'SOURCE_UNREACHABLE', true],
    ['53100', '', 'SOURCE_FAILED', true],
    ['57P01', '', 'SOURCE_UNREACHABLE', true],
    ['57P03', '', 'SOURCE_UNREACHABLE', true],
    ['57P04', '', 'SOURCE_MISCONFIGURED', false],
    ['57014', '', 'SOURCE_FAILED', true],
    ['58P01', 'WalSegmentOpen', 'SOURCE_POSITION_GONE', false],
    ['40001', '', 'SOURCE_FAILED', true],
    ['22021', '', 'SOURCE_DATA_INVALID', false],
    ['25006', '', 'SOURCE_MISCONFIGURED', false],
    ['XX000', '', 'SOURCE_FAILED', true],
    ['XX001', '', 'SOURCE_FAILED', false],
    ['ZZ999', '', 'SOURCE_FAILED', false],
  ])('%s of %s is %s, retriable: %s', (state, routine, code, retriable) => {
    const error = sourceError(fromServer(state, routine), place);
    expect(error).toMatchObject({ code, retriable, where: place.where });
    expect(error.message).toContain(state);
    expect(error.message).toContain('db:5432/shop');
    expect(error.message).toContain('cdc_orders');
    if (!retriable && state !== 'ZZ999') expect(error.fix).not.toBeNull();
  });

  it('keep values out of the message and the cause', () => {
    const error = sourceError(fromServer('22P02', '', 'invalid input syntax for type integer: "4111111111111111"'), place);
    expect(error.message).not.toContain('4111');
    expect(error.cause).toBeUndefined();
  });
});

describe('errors of the network, of TLS and of the login', () => {
  it.each([
    [fromDriver('connect ECONNREFUSED 127.0.0.1:5432', 'ECONNREFUSED'), 'SOURCE_UNREACHABLE', true],
    [fromDriver('getaddrinfo ENOTFOUND db', 'ENOTFOUND'), 'SOURCE_UNREACHABLE', true],
    [fromDriver('Connection terminated unexpectedly'), 'SOURCE_UNREACHABLE', true],
    [fromDriver('timeout expired'), 'SOURCE_UNREACHABLE', true],
    [fromDriver('The server does not support SSL connections'), 'SOURCE_MISCONFIGURED', false],
    [fromDriver('self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'), 'SOURCE_FORBIDDEN', false],
    [fromDriver("Hostname/IP does not match certificate's altnames", 'ERR_TLS_CERT_ALTNAME_INVALID'), 'SOURCE_FORBIDDEN', false],
    [fromDriver('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), 'SOURCE_FORBIDDEN', false],
    [new CertificateFileError('ca.pem', null), 'SOURCE_MISCONFIGURED', false],
    [new FrameError(7, 'no message begins with byte 0'), 'SOURCE_DATA_INVALID', false],
    [new Error('something else'), 'SOURCE_FAILED', false],
  ])('%s is %s, retriable: %s', (error, code, retriable) => {
    expect(sourceError(error, place)).toMatchObject({ code, retriable, where: place.where });
  });

  it('pass when they are ours already', () => {
    const error = new CdcError('SOURCE_IN_USE', 'x');
    expect(sourceError(error, place)).toBe(error);
  });
});
