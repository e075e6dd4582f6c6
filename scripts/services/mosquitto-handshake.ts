// Asks a server whether it speaks MQTT and takes the login of the URL: CONNECT of version 3.1.1, then its answer.
// https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html#_Toc398718033

import { connect } from 'node:net';
import type { Handshake } from './definition.ts';

const TIMEOUT_MS = 5_000;

export function mosquittoHandshake(url: string): Promise<Handshake> {
  const { hostname, port, username, password } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(port === '' ? 1883 : Number(port), hostname.replace(/^\[|\]$/g, '') || 'localhost', () =>
      socket.write(connectPacket(decodeURIComponent(username), decodeURIComponent(password))),
    );
    const finish = (outcome: Handshake | Error): void => {
      socket.destroy();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.setTimeout(TIMEOUT_MS, () => finish(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    socket.on('error', (error) => finish(error));
    socket.on('close', () => finish(new Error('the connection was closed without an answer')));
    // Four bytes, which come at once.
    socket.on('data', (chunk) => finish(judgeConnack(chunk)));
  });
}

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value),
    length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** Without a client id: the server makes one, and forgets it. */
function connectPacket(username: string, password: string): Buffer {
  const flags = 0x02 | (username === '' ? 0 : 0x80) | (password === '' ? 0 : 0x40);
  const rest = Buffer.concat([
    text('MQTT'),
    Buffer.from([4, flags, 0, 10]),
    text(''),
    ...(username === '' ? [] : [text(username)]),
    ...(password === '' ? [] : [text(password)]),
  ]);
  return Buffer.concat([Buffer.from([0x10, rest.length]), rest]);
}

export function judgeConnack(chunk: Buffer): Handshake | Error {
  if (chunk[0] !== 0x20 || chunk[1] !== 2) return new Error('it does not speak MQTT');
  return chunk[3] === 0 ? { version: null } : new Error(`it refuses the login (code ${chunk[3]})`);
}
