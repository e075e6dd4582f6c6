// Asks a server whether it is a Kafka broker that is ready: ApiVersions, which every version answers without a login.
// https://kafka.apache.org/protocol#The_Messages_ApiVersions

import { connect } from 'node:net';
import type { Handshake } from './definition.ts';

const TIMEOUT_MS = 5_000;
const CORRELATION = 7;
/** ApiVersions (18) version 0, with a correlation id and an empty client id, behind its length. */
const REQUEST = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, CORRELATION, 0, 0]);

/** A broker tells no version: only which requests it knows. */
export function kafkaHandshake(url: string): Promise<Handshake> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(port === '' ? 9092 : Number(port), hostname, () => socket.write(REQUEST));
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
      finish(judge(Buffer.concat(chunks)));
    });
  });
}

/** Length, correlation id, error code, list of requests. `null`: not enough yet. */
export function judge(bytes: Buffer): Handshake | Error | null {
  if (bytes.length < 10) return null;
  if (bytes.readInt32BE(4) !== CORRELATION) return new Error('it does not speak the Kafka protocol');
  const code = bytes.readInt16BE(8);
  return code === 0 ? { version: null } : new Error(`the broker answers with error ${code}`);
}
