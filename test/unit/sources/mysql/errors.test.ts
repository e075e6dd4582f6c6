import { describe, expect, it } from 'vitest';
import { BinlogError } from '../../../../src/sources/mysql/binlog/errors.ts';
import { ServerRefusal } from '../../../../src/sources/mysql/dump/packets.ts';
import { StreamLost } from '../../../../src/sources/mysql/dump/stream.ts';
import { sourceError } from '../../../../src/sources/mysql/errors.ts';
import { PoolExhausted } from '../../../../src/systems/mysql/pool.ts';

const PLACE = { server: 'db:3306/shop', where: 'source "db"' };
const server = (errno: number): Error => Object.assign(new Error('said so'), { code: `ER_${errno}`, errno, sqlState: 'HY000' });

describe('what the server says against a place in its log (1236)', () => {
  it.each<[string, string, boolean]>([
    // MySQL 5.6 to 8.0, MariaDB 10.11 and 11.4, as they say it.
    ['Could not find first log file name in binary log index file', 'SOURCE_POSITION_GONE', false],
    [
      'Cannot replicate because the master purged required binary logs. Replicate the missing transactions from elsewhere',
      'SOURCE_POSITION_GONE',
      false,
    ],
    [
      'The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master has purged binary logs containing GTIDs that the slave requires.',
      'SOURCE_POSITION_GONE',
      false,
    ],
    [
      'Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old and required binlog files have been purged.',
      'SOURCE_POSITION_GONE',
      false,
    ],
    [
      "Slave has more GTIDs than the master has, using the master's SERVER_UUID. This may indicate that the end of the binary log was truncated",
      'SOURCE_HISTORY_DIVERGED',
      false,
    ],
    ["Error: connecting slave requested to start from GTID 0-1-99, which is not in the master's binlog", 'SOURCE_HISTORY_DIVERGED', false],
    ['Client requested master to start replication from position > file size', 'SOURCE_HISTORY_DIVERGED', false],
    ['Client requested master to start replication from impossible position; the first event', 'SOURCE_HISTORY_DIVERGED', false],
    ['bogus data in log event; the first event', 'SOURCE_DATA_INVALID', false],
    ['event read from binlog did not pass crc check', 'SOURCE_DATA_INVALID', false],
    ['log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master', 'SOURCE_DATA_INVALID', false],
    ['A slave with the same server_uuid/server_id as this slave has connected to the master', 'SOURCE_IN_USE', true],
    [
      'The replication sender thread cannot start in AUTO_POSITION mode: this server has GTID_MODE = OFF instead of ON.',
      'SOURCE_MISCONFIGURED',
      false,
    ],
    ['Binary log is not open', 'SOURCE_MISCONFIGURED', false],
    // Whatever a later version says: nothing is passed over.
    ['words that nobody has seen', 'SOURCE_POSITION_GONE', false],
  ])('%s', (text, code, retriable) => {
    const error = sourceError(new ServerRefusal(1236, text), PLACE);
    expect(error).toMatchObject({ code, retriable, where: 'source "db"' });
    expect(error.fix).not.toBeNull();
    expect(error.message).toContain(text);
  });
});

describe('an error', () => {
  it.each<[string, unknown, string, boolean]>([
    ['a number that is taken (MariaDB)', new ServerRefusal(4052, 'same id'), 'SOURCE_IN_USE', true],
    ['a lock', server(1205), 'SOURCE_FAILED', true],
    ['a table that was altered since the snapshot', server(1412), 'SOURCE_FAILED', true],
    ['a login', server(1045), 'SOURCE_FORBIDDEN', false],
    ['no privilege for the log', new ServerRefusal(1227, 'denied'), 'SOURCE_FORBIDDEN', false],
    ['a shutdown', server(1053), 'SOURCE_UNREACHABLE', true],
    ['a lost stream', new StreamLost('nothing came'), 'SOURCE_UNREACHABLE', true],
    ['no session free', new PoolExhausted('none'), 'SOURCE_UNREACHABLE', true],
    ['a network', Object.assign(new Error(''), { code: 'ECONNREFUSED' }), 'SOURCE_UNREACHABLE', true],
    ['a CRC that is wrong', new BinlogError('checksum', 'the CRC32 is wrong'), 'SOURCE_DATA_INVALID', false],
    ['an event that nobody knows', new BinlogError('unknown', 'type 250'), 'SOURCE_DATA_INVALID', false],
    ['what nobody knows', server(9999), 'SOURCE_FAILED', false],
  ])('means: %s', (_, error, code, retriable) => {
    expect(sourceError(error, PLACE)).toMatchObject({ code, retriable });
  });
});
