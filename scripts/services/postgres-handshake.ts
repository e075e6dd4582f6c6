// Asks a server whether it is PostgreSQL and ready: the start-up message of protocol 3.0, without a login.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP

import { connect } from 'node:net';
import type { Handshake } from './definition.ts';

const PROTOCOL_3_0 = 196_608;
const TIMEOUT_MS = 5_000;

/** Resolves when the server asks for a password or lets us in; rejects while it starts (57P03) and for anything else. */
export function postgresHandshake(url: string): Promise<Handshake> {
  const { hostname, port, username } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(port === '' ? 5432 : Number(port), hostname.replace(/^\[|\]$/g, '') || 'localhost');
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
    socket.on('connect', () => socket.write(startupMessage(decodeURIComponent(username) || 'postgres')));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      finish(judge(Buffer.concat(chunks)));
    });
  });
}

function startupMessage(user: string): Buffer {
  const text = Buffer.from(`user\0${user}\0database\0postgres\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + text.length, 0);
  head.writeInt32BE(PROTOCOL_3_0, 4);
  return Buffer.concat([head, text]);
}

/** Reads whole messages: type byte, length, body. `null`: not enough yet. */
export function judge(bytes: Buffer): Handshake | Error | null {
  let version: string | null = null;
  for (let at = 0; at + 5 <= bytes.length; ) {
    const type = String.fromCharCode(bytes[at] as number);
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (!'RSKZENv'.includes(type)) return new Error('it does not speak the PostgreSQL protocol');
    if (end > bytes.length) return null;
    const body = bytes.subarray(at + 5, end);
    if (type === 'E') return judgeError(body);
    // Anything but AuthenticationOk asks for a password: the server is up, and tells its version only to users.
    if (type === 'R' && body.readInt32BE(0) !== 0) return { version: null };
    if (type === 'S' && body.toString().startsWith('server_version\0')) version = body.toString().split('\0')[1] ?? null;
    if (type === 'Z') return { version };
    at = end;
  }
  return null;
}

/** Fields of ErrorResponse: a code byte and text each. A server that refuses this user without TLS (28000) is up. */
function judgeError(body: Buffer): Handshake | Error {
  const fields = new Map(
    body
      .toString()
      .split('\0')
      .map((f) => [f.slice(0, 1), f.slice(1)]),
  );
  const code = fields.get('C') ?? '';
  if (code.startsWith('28') || code === '3D000') return { version: null };
  return new Error(fields.get('M') ?? `SQLSTATE ${code}`);
}
