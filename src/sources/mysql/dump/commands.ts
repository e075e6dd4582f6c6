// The commands by which a server takes us for a replica and sends its binary log.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication.html

const REGISTER_REPLICA = 0x15,
  BINLOG_DUMP = 0x12,
  BINLOG_DUMP_GTID = 0x1e;
const NON_BLOCK = 1,
  THROUGH_GTID = 4;
const FIRST_POSITION = 4;
/** COM_BINLOG_DUMP has four bytes for a position. */
export const MOST_SHORT_POSITION = 0xffff_ffff;

export interface LogAddress {
  readonly file: string;
  readonly position: number;
}

/** As one packet with its head. */
function command(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts),
    head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  return Buffer.concat([head, body]);
}

const uint = (value: number, bytes: number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, bytes);
  return buffer;
};
const uint64 = (value: number): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
};

/** So that `SHOW REPLICAS` lists us. Without a user and a password: the server shows them to others. */
export function registerReplica(serverId: number, name: string): Buffer {
  const host = Buffer.from(name.slice(0, 60), 'latin1');
  const texts = Buffer.concat([uint(host.length, 1), host, uint(0, 1), uint(0, 1)]);
  return command(uint(REGISTER_REPLICA, 1), uint(serverId, 4), texts, uint(0, 2), uint(0, 4), uint(0, 4));
}

/** From a place in a file; `''` is the first that the server has. With `@slave_connect_state` set MariaDB goes by that. */
export function dumpFrom(serverId: number, { file, position }: LogAddress, nonBlock = false): Buffer {
  const flags = nonBlock ? NON_BLOCK : 0,
    name = Buffer.from(file, 'utf8');
  if (position <= MOST_SHORT_POSITION) return command(uint(BINLOG_DUMP, 1), uint(position, 4), uint(flags, 2), uint(serverId, 4), name);
  // Here the position has eight bytes; with a file, an empty set excludes nothing.
  const none = uint64(0),
    at = [uint(name.length, 4), name, uint64(position)];
  return command(uint(BINLOG_DUMP_GTID, 1), uint(flags, 2), uint(serverId, 4), ...at, uint(none.length, 4), none);
}

/** Everything that is not in the set. */
export function dumpBehindGtids(serverId: number, set: Buffer, nonBlock = false): Buffer {
  const flags = THROUGH_GTID | (nonBlock ? NON_BLOCK : 0);
  return command(
    uint(BINLOG_DUMP_GTID, 1),
    uint(flags, 2),
    uint(serverId, 4),
    uint(0, 4),
    uint64(FIRST_POSITION),
    uint(set.length, 4),
    set,
  );
}
