import { describe, expect, it } from 'vitest';
import { driverProblem, errorNumber, isFatal, isServerError, isTimeout } from '../../../../src/systems/mysql/driver-errors.ts';
import { CertificateFileError } from '../../../../src/systems/tls.ts';

const driver = (message: string, more: object = {}): Error => Object.assign(new Error(message), more);
const ofServer = driver('Duplicate entry', { code: 'ER_DUP_ENTRY', errno: 1062, sqlState: '23000' });

describe('an error of the driver', () => {
  it('is the word of the server where it has its number and state', () => {
    expect([isServerError(ofServer), errorNumber(ofServer)]).toEqual([true, 1062]);
    // The network has numbers, too.
    const network = driver('connect ECONNREFUSED', { code: 'ECONNREFUSED', errno: -111 });
    expect([isServerError(network), errorNumber(network)]).toEqual([false, null]);
  });

  it.each<[string, unknown, boolean]>([
    ['the server closed it', driver('Connection lost', { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }), true],
    ['the network', driver('read', { code: 'ECONNRESET' }), true],
    ['the server, of a statement', ofServer, false],
    ['no error at all', 'text', false],
  ])('tells whether the connection is gone: %s', (_, error, expected) => {
    expect(isFatal(error)).toBe(expected);
  });

  it.each<[string, unknown]>([
    ['unreachable', driver('connect', { code: 'ECONNREFUSED' })],
    ['unreachable', driver('Connection lost', { code: 'PROTOCOL_CONNECTION_LOST', fatal: true })],
    ['unreachable', driver("Can't add new command when connection is in closed state")],
    ['unreachable', driver('socket hang up', { code: 'HANDSHAKE_SSL_ERROR' })],
    ['slow', driver('Query inactivity timeout', { code: 'PROTOCOL_SEQUENCE_TIMEOUT', fatal: true })],
    ['no_encryption', driver('Server does not support secure connection', { code: 'HANDSHAKE_NO_SSL_SUPPORT' })],
    ['certificate', driver('self-signed certificate', { code: 'HANDSHAKE_SSL_ERROR' })],
    ['certificate', driver('unable to verify', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })],
    ['certificate_file', new CertificateFileError('ca.pem', null)],
    ['login', driver('Server requests authentication using unknown plugin', { code: 'AUTH_SWITCH_PLUGIN_ERROR' })],
    ['other', driver('something else')],
    ['other', 'no error at all'],
  ])('is of kind %s', (kind, error) => {
    expect(driverProblem(error).kind).toBe(kind);
  });

  it('of a statement that took too long is no other loss', () => {
    expect(isTimeout(driver('', { code: 'PROTOCOL_SEQUENCE_TIMEOUT' }))).toBe(true);
    expect(isTimeout(ofServer)).toBe(false);
  });
});
