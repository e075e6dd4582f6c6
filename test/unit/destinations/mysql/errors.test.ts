import { describe, expect, it } from 'vitest';
import {
  classify,
  isCertainRollback,
  isDataError,
  isDdlRefusal,
  noteTable,
  RowTooLong,
  refusal,
  refusedNull,
  tableChangeRefused,
} from '../../../../src/destinations/mysql/errors.ts';
import { PoolExhausted } from '../../../../src/systems/mysql/pool.ts';

const server = (errno: number, sqlState: string, message = 'said so'): Error =>
  Object.assign(new Error(message), { code: `ER_${errno}`, errno, sqlState });

describe('an error', () => {
  it.each<[string, unknown, string, boolean]>([
    ['a lock', server(1205, 'HY000'), 'DESTINATION_FAILED', true],
    ['a deadlock', server(1213, '40001'), 'DESTINATION_FAILED', true],
    ['a full disk', server(1114, 'HY000'), 'DESTINATION_FULL', true],
    ['too many connections', server(1040, '08004'), 'DESTINATION_UNREACHABLE', true],
    ['a shutdown', server(1053, '08S01'), 'DESTINATION_UNREACHABLE', true],
    ['a replica', server(1290, 'HY000'), 'DESTINATION_FAILED', true],
    ['a login', server(1045, '28000'), 'DESTINATION_FORBIDDEN', false],
    ['a privilege', server(1142, '42000'), 'DESTINATION_FORBIDDEN', false],
    ['no database', server(1049, '42000'), 'DESTINATION_MISCONFIGURED', false],
    ['our SQL', server(1064, '42000'), 'INTERNAL_UNEXPECTED', false],
    ['what nobody knows', server(9999, 'HY000'), 'DESTINATION_FAILED', false],
    ['no connection', Object.assign(new Error(''), { code: 'ECONNREFUSED' }), 'DESTINATION_UNREACHABLE', true],
    ['no connection free', new PoolExhausted('none'), 'DESTINATION_UNREACHABLE', true],
    ['a statement that took too long', Object.assign(new Error(''), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' }), 'DESTINATION_FAILED', true],
  ])('means: %s', (_, error, code, retriable) => {
    expect(classify(error, 'db:3306')).toMatchObject({ code, retriable });
  });

  it.each<[unknown, boolean, boolean]>([
    [server(1062, '23000'), true, true],
    [server(1406, '22001'), true, true],
    [server(1644, '45000'), true, true],
    [server(4025, '23000'), true, true],
    [new RowTooLong(10, 5), true, false],
    [server(1205, 'HY000'), false, true],
    [server(2013, 'HY000'), false, false],
    [new Error('lost'), false, false],
  ])('is of the data, or leaves nothing for certain: %#', (error, isData, isCertain) => {
    expect([isDataError(error), isCertainRollback(error)]).toEqual([isData, isCertain]);
  });

  it.each([
    ["Duplicate entry 'secret' for key 'items.name'", 1062, '23000', "Duplicate entry … for key 'items.name'"],
    ["Incorrect integer value: 'secret' for column 'n' at row 1", 1366, 'HY000', "Incorrect integer value: … for column 'n' at row 1"],
    ['Invalid JSON text: "secret" at position 1', 3140, '22032', 'Invalid JSON text'],
    ['Table has no partition for value secret', 1526, 'HY000', 'Table has no partition for the value'],
    ["no such thing: 'secret'", 1644, '45000', 'no such thing'],
  ])('never tells a value: %s', (message, errno, state, text) => {
    const { message: told, cause } = refusal(server(errno, state, message), 'an insert into items');
    expect(told).toBe(`an insert into items: ${text} (error ${errno}, SQLSTATE ${state}).`);
    expect([told, String(cause)].join()).not.toContain('secret');
    expect(classify(server(errno, state, message), 'db').message).not.toContain('secret');
  });

  it('of a NULL that was refused is known by table and column', () => {
    const error = server(1048, '23000', "Column 'na'me' cannot be null");
    expect(refusedNull(error)).toBeNull();
    noteTable(error, { schema: 'shop', name: 'items' });
    expect(refusedNull(error)).toEqual({ schema: 'shop', name: 'items', column: "na'me" });
  });

  it('of a DDL is a refusal unless it passes', () => {
    expect([isDdlRefusal(server(1142, '42000')), isDdlRefusal(server(1205, 'HY000')), isDdlRefusal(new Error('lost'))]).toEqual([
      true,
      false,
      false,
    ]);
    expect(tableChangeRefused(server(1142, '42000'), 'shop.items', 'ALTER …')).toMatchObject({
      code: 'DESTINATION_FORBIDDEN',
      fix: expect.stringMatching(/^Run as a user who may: ALTER …; or give/) as string,
    });
    expect(tableChangeRefused(server(1833, 'HY000'), 'shop.items', 'ALTER …').code).toBe('DESTINATION_MISCONFIGURED');
  });
});
