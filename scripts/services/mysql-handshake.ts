// Asks a server which product it is and whether it is ready: the greeting that MySQL and MariaDB send first, without a login.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html

import { connect } from 'node:net';
import type { Handshake } from './definition.ts';

export type Flavor = 'mysql' | 'mariadb';

const TIMEOUT_MS = 5_000;
const PROTOCOL_10 = 10;
const ERROR = 0xff;

/** Resolves when the server of this flavor greets us; rejects while it starts and for anything else. */
export function mysqlHandshake(url: string, wanted: Flavor): Promise<Handshake> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(port === '' ? 3306 : Number(port), hostname.replace(/^\[|\]$/g, '') || 'localhost');
    const chunks: Buffer[] = [];
    const finish = (outcome: Handshake | Error | null): void => {
      if (outcome === null) return;
      socket.destroy();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.setTimeout(TIMEOUT_MS, () => finish(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    socket.on('error', (error) => finish(error));
    socket.on('close', () => finish(new Error('the connection was closed without an answer')));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      finish(judge(Buffer.concat(chunks), wanted));
    });
  });
}

/** One packet: length in three bytes, a number, then the greeting or an error. `null`: not enough yet. */
export function judge(bytes: Buffer, wanted: Flavor): Handshake | Error | null {
  if (bytes.length < 5) return null;
  const end = 4 + bytes.readUIntLE(0, 3);
  if (bytes[4] !== PROTOCOL_10 && bytes[4] !== ERROR) return new Error('it does not speak the MySQL protocol');
  if (bytes.length < end) return null;
  if (bytes[4] === ERROR) return new Error(bytes.toString('utf8', 7, end));
  const greeting = bytes.toString('latin1', 5, bytes.indexOf(0, 5));
  const flavor: Flavor = /mariadb/i.test(greeting) ? 'mariadb' : 'mysql';
  if (flavor !== wanted) return new Error(`it is ${flavor} ${greeting}, not ${wanted}`);
  return { version: parseServerVersion(greeting) };
}

/** `5.5.5-10.11.19-MariaDB-0+deb12u1-log` → `10.11.19`: MariaDB before 11 puts a version in front that old replicas like. */
export function parseServerVersion(text: string): string {
  return /^(?:5\.5\.5-)?(\d+(?:\.\d+)+)/.exec(text)?.[1] ?? 'unknown';
}
