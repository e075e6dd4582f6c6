import { describe, expect, it } from 'vitest';
import { classify, isCertainRollback, isDataError, refusal } from '../../../../src/destinations/postgresql/errors.ts';
import { CdcError } from '../../../../src/sdk/index.ts';

const server = (code: string, message = 'message', more: object = {}): Error =>
  Object.assign(new Error(message), { code, severity: 'ERROR', ...more });
const system = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });

describe('classify', () => {
  it.each([
    ['08006', 'DESTINATION_UNREACHABLE', true],
    ['25006', 'DESTINATION_FAILED', true],
    ['28P01', 'DESTINATION_FORBIDDEN', false],
    ['28000', 'DESTINATION_FORBIDDEN', false],
    ['3D000', 'DESTINATION_MISCONFIGURED', false],
    ['3F000', 'DESTINATION_MISCONFIGURED', false],
    ['40001', 'DESTINATION_FAILED', true],
    ['40P01', 'DESTINATION_FAILED', true],
    ['42P01', 'DESTINATION_MISCONFIGURED', false],
    ['42501', 'DESTINATION_FORBIDDEN', false],
    ['42601', 'INTERNAL_UNEXPECTED', false],
    ['53100', 'DESTINATION_FULL', true],
    ['53200', 'DESTINATION_FAILED', true],
    ['53300', 'DESTINATION_UNREACHABLE', true],
    ['55P03', 'DESTINATION_FAILED', true],
    ['57014', 'DESTINATION_FAILED', true],
    ['57P01', 'DESTINATION_UNREACHABLE', true],
    ['57P03', 'DESTINATION_UNREACHABLE', true],
    ['57P04', 'DESTINATION_MISCONFIGURED', false],
    ['58030', 'DESTINATION_FAILED', true],
    ['XX000', 'DESTINATION_FAILED', true],
    ['0A000', 'DESTINATION_FAILED', false],
  ])('SQLSTATE %s is %s, retriable: %s', (state, code, retriable) => {
    expect(classify(server(state), 'db:5432/shop')).toMatchObject({ code, retriable, message: expect.stringContaining(state) as unknown });
  });

  it.each(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH'])('%s is unreachable and retriable', (code) => {
    expect(classify(system(code), 'db:5432/shop')).toMatchObject({
      code: 'DESTINATION_UNREACHABLE',
      retriable: true,
      message: expect.stringContaining('db:5432/shop') as unknown,
    });
  });

  it.each([
    ['Connection terminated unexpectedly', 'DESTINATION_UNREACHABLE'],
    ['timeout exceeded when trying to connect', 'DESTINATION_UNREACHABLE'],
    ['timeout expired', 'DESTINATION_UNREACHABLE'],
    ['Client has encountered a connection error and is not queryable', 'DESTINATION_UNREACHABLE'],
    ['The server does not support SSL connections', 'DESTINATION_MISCONFIGURED'],
    ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'DESTINATION_FORBIDDEN'],
    ['something else', 'DESTINATION_FAILED'],
  ])('"%s" of the driver is %s', (message, code) => {
    expect(classify(new Error(message), 'db').code).toBe(code);
  });

  it.each([
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'CERT_HAS_EXPIRED',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ])('%s is a refusal of ours', (code) => {
    expect(classify(system(code), 'db')).toMatchObject({ code: 'DESTINATION_FORBIDDEN', retriable: false });
  });

  it('leaves our own errors as they are', () => {
    const error = new CdcError('DESTINATION_FENCED', 'x');
    expect(classify(error, 'db')).toBe(error);
  });
});

describe('whose fault it is', () => {
  it.each(['21000', '22001', '22P02', '22003', '23505', '23503', '23514', '44000', '54000', 'P0001'])('%s is the data', (state) => {
    expect(isDataError(server(state))).toBe(true);
  });
  it.each(['08006', '40001', '42P01', '42501', '53100', '57014', '57P01', 'XX000'])('%s is not the data', (state) => {
    expect(isDataError(server(state))).toBe(false);
  });
  it("is nobody's when the connection broke", () => {
    expect(isDataError(system('EPIPE'))).toBe(false);
  });
});

describe('COMMIT', () => {
  it.each(['23503', '23505', '40001', '40P01', 'P0001'])('has stored nothing for certain after %s', (state) => {
    expect(isCertainRollback(server(state))).toBe(true);
  });
  it.each(['08006', '40003', '57014', '57P01', 'XX000', '58030'])('has an unknown outcome after %s', (state) => {
    expect(isCertainRollback(server(state))).toBe(false);
  });
  it('has an unknown outcome when the connection broke', () => {
    expect(isCertainRollback(new Error('Connection terminated unexpectedly'))).toBe(false);
  });
});

describe('a refusal', () => {
  it.each([
    ['22P02', 'invalid input syntax for type integer: "4111"', 'invalid input syntax for type integer (SQLSTATE 22P02)'],
    ['22001', 'value too long for type character varying(3)', 'value too long for type character varying(3)'],
    ['23505', 'duplicate key value violates unique constraint "orders_mail_key"', 'unique constraint "orders_mail_key"'],
    ['P0001', 'customer "4111" is blocked', 'customer (SQLSTATE P0001)'],
  ])('%s names the rule and not the value', (state, message, expected) => {
    const error = refusal(server(state, message, { detail: 'Key (card)=(4111)' }), 'public.orders');
    expect(error).toMatchObject({
      code: 'DESTINATION_EVENT_REJECTED',
      retriable: false,
      message: expect.stringContaining(expected) as unknown,
    });
    expect(`${error.message} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain('4111');
  });
});
