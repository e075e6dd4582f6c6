// FORMAT_DESCRIPTION: which server wrote the file, and whether its events end with a checksum.
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Format__description__event.html

import { CHECKSUM_BYTES } from './crc.ts';
import { BinlogError } from './errors.ts';
import type { EventHeader, FormatDescriptionEvent } from './events.ts';
import { EventReader, HEADER_BYTES } from './reader.ts';

const VERSION_BYTES = 50;
const BINLOG_VERSION = 4;
/** Behind the lengths of post-headers: the algorithm, and a checksum whatever the algorithm is. */
const ALGORITHM_BYTES = 1;
const NONE = 0,
  CRC32 = 1,
  UNDEFINED = 255;

/** `8.0.31-log` → has the algorithm at its end? Since MySQL 5.6.1 and MariaDB 5.3. */
function saysAlgorithm(serverVersion: string, flavor: string): boolean {
  const [major = 0, minor = 0, patch = 0] = serverVersion.split(/[^0-9]+/).map(Number);
  const number = major * 1_000_000 + minor * 1000 + patch;
  return number >= (flavor === 'mariadb' ? 5_003_000 : 5_006_001);
}

/** `end`: of the whole event. */
export function decodeFormatDescription(header: EventHeader, bytes: Buffer, start: number, end: number): FormatDescriptionEvent {
  const reader = new EventReader(bytes, start, end, start + HEADER_BYTES);
  const binlogVersion = reader.uint16('the version of the format');
  if (binlogVersion !== BINLOG_VERSION) throw new BinlogError('unsupported', `binlog format ${binlogVersion}`);
  const serverVersion = reader.text(VERSION_BYTES, 'the version of the server').replace(/\0.*$/s, '');
  const flavor = serverVersion.includes('MariaDB') ? 'mariadb' : 'mysql';
  reader.uint32('the time');
  const headerLength = reader.byte('the length of headers');
  if (headerLength !== HEADER_BYTES) throw new BinlogError('unsupported', `events with headers of ${headerLength} bytes`);
  let checksum: FormatDescriptionEvent['checksum'] = 'none';
  if (saysAlgorithm(serverVersion, flavor)) {
    reader.take(reader.left - CHECKSUM_BYTES - ALGORITHM_BYTES, 'the checksum');
    const algorithm = reader.byte('the algorithm of checksums');
    if (algorithm !== NONE && algorithm !== CRC32 && algorithm !== UNDEFINED)
      throw new BinlogError('unsupported', `checksums of algorithm ${algorithm}`);
    if (algorithm === CRC32) checksum = 'crc32';
  }
  return { kind: 'format_description', header, binlogVersion, serverVersion, flavor, checksum };
}
